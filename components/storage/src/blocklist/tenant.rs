//! The blocks of one tenant.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_block::dedicated::DedicatedColumn;

/// A block that is no longer searched, and will be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactedBlock {
    pub meta: Arc<BlockMeta>,
    /// When it was marked.
    pub compacted_time: DateTime<Utc>,
}

/// The blocks of one tenant at some moment, each list with the newest end first, then by id. A block can be in both lists: somebody
/// crashed while marking it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantBlocks {
    pub live: Vec<Arc<BlockMeta>>,
    pub compacted: Vec<CompactedBlock>,
}

fn order(meta: &BlockMeta) -> (Reverse<DateTime<Utc>>, Uuid) {
    (Reverse(meta.end_time), meta.block_id)
}

impl TenantBlocks {
    pub(crate) fn new(mut live: Vec<Arc<BlockMeta>>, mut compacted: Vec<CompactedBlock>) -> Self {
        live.sort_unstable_by_key(|meta| order(meta));
        live.dedup_by_key(|meta| meta.block_id);
        compacted.sort_unstable_by_key(|block| order(&block.meta));
        compacted.dedup_by_key(|block| block.meta.block_id);
        let mut blocks = Self { live, compacted };
        blocks.share_columns();
        blocks
    }

    /// Makes one of equal lists of dedicated columns. Metas that others know already stay as they are: theirs come first.
    fn share_columns(&mut self) {
        let mut lists: HashSet<Arc<[DedicatedColumn]>> = HashSet::new();
        // Mostly all are one list already.
        let mut last = Arc::default();
        let compacted = self.compacted.iter_mut().map(|block| &mut block.meta);
        let mut own = Vec::new();
        for meta in self.live.iter_mut().chain(compacted) {
            if Arc::strong_count(meta) == 1 {
                own.push(meta);
            } else if !Arc::ptr_eq(&meta.dedicated_columns, &last) {
                last = Arc::clone(&meta.dedicated_columns);
                if !lists.contains(&last) {
                    lists.insert(Arc::clone(&last));
                }
            }
        }
        for meta in own.into_iter().filter_map(Arc::get_mut) {
            if Arc::ptr_eq(&meta.dedicated_columns, &last) {
                continue;
            }
            if meta.dedicated_columns == last {
                meta.dedicated_columns = Arc::clone(&last);
                continue;
            }
            match lists.get(&meta.dedicated_columns) {
                Some(list) => meta.dedicated_columns = Arc::clone(list),
                None => {
                    lists.insert(Arc::clone(&meta.dedicated_columns));
                }
            }
            last = Arc::clone(&meta.dedicated_columns);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.compacted.is_empty()
    }

    /// Whether a block is among the live ones. Quick: metas never change, so it is where its end time says.
    pub fn is_live(&self, meta: &BlockMeta) -> bool {
        let found = self
            .live
            .binary_search_by_key(&order(meta), |one| order(one));
        found.is_ok()
    }

    /// Adds a live block, or replaces the one that has its id.
    pub(super) fn add(&mut self, meta: Arc<BlockMeta>) {
        self.live.retain(|one| one.block_id != meta.block_id);
        let key = order(&meta);
        let place = self.live.partition_point(|one| order(one) < key);
        self.live.insert(place, meta);
    }

    pub(super) fn is_compacted(&self, block: Uuid) -> bool {
        self.compacted.iter().any(|one| one.meta.block_id == block)
    }

    /// Moves a live block to the compacted ones.
    pub(super) fn compact(&mut self, block: Uuid, compacted_time: DateTime<Utc>) {
        let Some(place) = self.live.iter().position(|meta| meta.block_id == block) else {
            return;
        };
        let meta = self.live.remove(place);
        if self.is_compacted(block) {
            return;
        }
        let key = order(&meta);
        let place = self.compacted.partition_point(|one| order(&one.meta) < key);
        let compacted = CompactedBlock {
            meta,
            compacted_time,
        };
        self.compacted.insert(place, compacted);
    }

    pub(super) fn remove(&mut self, block: Uuid) {
        self.live.retain(|meta| meta.block_id != block);
        self.compacted.retain(|one| one.meta.block_id != block);
    }
}
