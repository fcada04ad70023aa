//! Traces that have spans in more than one place.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use vivace_columns::{Chunk as _, ChunkMemory, GroupChunk, NoParts, plan_rows, spans_in};
use vivace_model::TraceId;

use super::found::FoundMemory;
use super::room::chunk_spans;
use super::view::View;
use super::walk::Cost;
use crate::error::Error;
use crate::limits::{CHUNK_BYTES, IDS_PER_BREATH};
use crate::lookup::Querier;

/// Traces with spans in several batches or blocks of a view. They are evaluated apart, with all of their spans at once.
#[derive(Debug, Default)]
pub struct Overlap {
    ids: HashSet<TraceId, foldhash::fast::RandomState>,
    memory: FoundMemory,
}

impl Overlap {
    pub fn contains(&self, id: TraceId) -> bool {
        self.ids.contains(&id)
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// What a trace takes in the set.
const SEEN_TRACE_BYTES: usize = 32;

/// One place's ids, ascending.
enum Ids {
    Block(Arc<[TraceId]>),
    Batch(usize),
}

impl Querier {
    /// Finds the traces of a view that lie in several places. Ids of blocks are kept in a cache.
    pub async fn overlap(&self, view: &View, cost: &mut Cost) -> Result<Overlap, Error> {
        let mut places = Vec::new();
        let mut of_places = FoundMemory::default();
        for meta in &view.blocks {
            // One block alone has each trace once.
            if view.blocks.len() == 1 && view.live.is_empty() {
                return Ok(Overlap::default());
            }
            let ids = self.block_ids(view, meta, cost).await?;
            of_places.grows(size_of_val(&ids[..]))?;
            places.push(Ids::Block(ids));
        }
        places.extend((0..view.live.len()).map(Ids::Batch));
        let views: Vec<_> = view.live.iter().map(|batch| batch.view()).collect();
        let id_at = |place: &Ids, at: usize| match place {
            Ids::Block(ids) => ids.get(at).copied(),
            Ids::Batch(number) => {
                let ids = views[*number].trace_ids();
                (at < ids.len()).then(|| TraceId(ids.get(at)))
            }
        };
        let mut heads: BinaryHeap<Reverse<(TraceId, usize, usize)>> = places
            .iter()
            .enumerate()
            .filter_map(|(number, place)| Some(Reverse((id_at(place, 0)?, number, 0))))
            .collect();
        let mut found = Overlap::default();
        let mut last = None;
        let mut steps = 0;
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((id, number, at)) = *head;
            if last == Some(id) && found.ids.insert(id) {
                found.memory.grows(SEEN_TRACE_BYTES)?;
            }
            last = Some(id);
            match id_at(&places[number], at + 1) {
                Some(next) => *head = Reverse((next, number, at + 1)),
                None => {
                    std::collections::binary_heap::PeekMut::pop(head);
                }
            }
            steps += 1;
            if steps % IDS_PER_BREATH == 0 {
                vivace_shards::breathe().await;
            }
        }
        Ok(found)
    }

    /// All trace ids of a block, ascending.
    async fn block_ids(
        &self,
        view: &View,
        meta: &Arc<vivace_block::BlockMeta>,
        cost: &mut Cost,
    ) -> Result<Arc<[TraceId]>, Error> {
        let key = (Arc::clone(&view.tenant), meta.block_id);
        let mut missed = false;
        let ids = self
            .caches()
            .ids
            .get_or_insert_async(&key, async {
                missed = true;
                self.read_ids(view, meta, cost).await
            })
            .await?;
        self.count_cache("trace-id-index", !missed);
        Ok(ids)
    }

    async fn read_ids(
        &self,
        view: &View,
        meta: &Arc<vivace_block::BlockMeta>,
        cost: &mut Cost,
    ) -> Result<Arc<[TraceId]>, Error> {
        let rows = self.rows(&view.tenant, meta);
        let open = self.open_block(&view.tenant, meta, &rows).await?;
        let mut ids = Vec::with_capacity(usize::try_from(open.rows()).unwrap_or(0));
        for group in 0..open.row_groups().len() {
            for range in plan_rows(&open, group, chunk_spans()) {
                let room = self.gate().enter(spans_in(&open, group, &range)).await;
                rows.read_into(Some(Rc::clone(&room)));
                let memory = ChunkMemory {
                    limit: CHUNK_BYTES,
                    room,
                    parts: Box::new(NoParts),
                };
                let (block, pause) = (Arc::clone(&open), vivace_shards::breathe);
                let chunk = GroupChunk::open(block, group, range, &rows, memory, pause).await;
                let mut chunk = chunk.map_err(|error| self.block_error(meta, error))?;
                let loaded = chunk.load_trace_ids().await;
                loaded.map_err(|error| self.block_error(meta, error))?;
                ids.extend_from_slice(chunk.trace_ids().unwrap_or_default());
                cost.inspected_bytes += chunk.bytes_read();
                drop(chunk);
                rows.read_into(None);
                vivace_shards::breathe().await;
            }
        }
        Ok(ids.into())
    }
}
