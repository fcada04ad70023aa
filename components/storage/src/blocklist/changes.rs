//! What this process has done to a tenant's blocks, kept until a poll that began later has seen it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vivace_block::BlockMeta;

use super::tenant::TenantBlocks;

#[derive(Clone, Debug)]
pub(super) enum Change {
    Added(Arc<BlockMeta>),
    Compacted(Uuid, DateTime<Utc>),
    Removed(Uuid),
}

impl Change {
    /// A new block mostly has the dedicated columns of the newest one that is known.
    pub(super) fn share_columns(&mut self, blocks: &TenantBlocks) {
        if let Self::Added(meta) = self
            && let (Some(newest), Some(meta)) = (blocks.live.first(), Arc::get_mut(meta))
        {
            meta.share_columns(newest);
        }
    }

    pub(super) fn apply(&self, blocks: &mut TenantBlocks) {
        match self {
            // Compacted since by somebody else: that is the later news.
            Self::Added(meta) if blocks.is_compacted(meta.block_id) => {}
            Self::Added(meta) => blocks.add(Arc::clone(meta)),
            Self::Compacted(block, at) => blocks.compact(*block, *at),
            Self::Removed(block) => blocks.remove(*block),
        }
    }
}

/// Changes in their order, each with the number of polls that had begun.
#[derive(Debug, Default)]
pub(super) struct Journal(Vec<(u64, Change)>);

impl Journal {
    pub(super) fn push(&mut self, polls: u64, change: Change) {
        self.0.push((polls, change));
    }

    pub(super) fn replay(&self, blocks: &mut TenantBlocks) {
        for (_, change) in &self.0 {
            change.apply(blocks);
        }
    }

    /// Forgets what was done before the poll with this number began.
    pub(super) fn forget_before(&mut self, poll: u64) {
        self.0.retain(|(polls, _)| *polls >= poll);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
