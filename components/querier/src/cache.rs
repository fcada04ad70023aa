//! Bloom filters and opened blocks in memory, within a budget that all shards share. Blocks never change, so nothing
//! here gets old; what is no longer asked for makes room.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;
use vivace_block::bloom::BloomShard;
use vivace_block_reader::OpenBlock;
use vivace_columns::{PartName, SharedPart, SharedParts};
use vivace_model::TraceId;

use crate::limits::{FILTER_EIGHTHS, ID_EIGHTHS, ITEM_BYTES, PART_EIGHTHS};

/// What a filter's part is known by: tenant, block, number.
pub(crate) type FilterKey = (Arc<str>, Uuid, u32);
/// What a block is known by.
pub(crate) type BlockKey = (Arc<str>, Uuid);

/// What an entry costs beyond its value.
const ENTRY_BYTES: u64 = 128;

#[derive(Clone)]
pub(crate) struct FilterBytes;
impl Weighter<FilterKey, Arc<BloomShard>> for FilterBytes {
    fn weight(&self, _: &FilterKey, shard: &Arc<BloomShard>) -> u64 {
        shard.bits() / 8 + ENTRY_BYTES
    }
}

#[derive(Clone)]
pub(crate) struct BlockBytes;
impl Weighter<BlockKey, Arc<OpenBlock>> for BlockBytes {
    fn weight(&self, _: &BlockKey, block: &Arc<OpenBlock>) -> u64 {
        block.memory_bytes() as u64 + ENTRY_BYTES
    }
}

#[derive(Clone)]
pub(crate) struct IdBytes;
impl Weighter<BlockKey, Arc<[TraceId]>> for IdBytes {
    fn weight(&self, _: &BlockKey, ids: &Arc<[TraceId]>) -> u64 {
        size_of_val(&ids[..]) as u64 + ENTRY_BYTES
    }
}

/// What a decoded part of a block is known by: tenant, block, row group, first row, and which part.
pub(crate) type PartKey = (Arc<str>, Uuid, u32, u32, PartName);

#[derive(Clone)]
pub(crate) struct PartBytes;
impl Weighter<PartKey, SharedPart> for PartBytes {
    fn weight(&self, _: &PartKey, part: &SharedPart) -> u64 {
        part.memory_bytes() as u64 + ENTRY_BYTES
    }
}

/// The decoded parts of one chunk.
pub(crate) struct ChunkParts {
    pub caches: Arc<Caches>,
    pub tenant: Arc<str>,
    pub block: Uuid,
    pub group: u32,
    pub first_row: u32,
}

impl ChunkParts {
    fn key(&self, name: &PartName) -> PartKey {
        let tenant = Arc::clone(&self.tenant);
        (tenant, self.block, self.group, self.first_row, name.clone())
    }
}

impl SharedParts for ChunkParts {
    fn get(&self, name: &PartName) -> Option<SharedPart> {
        self.caches.parts.get(&self.key(name))
    }

    fn put(&self, name: PartName, part: SharedPart) {
        self.caches.parts.insert(self.key(&name), part);
    }
}

/// The caches of the process; made before the shards start.
pub struct Caches {
    pub(crate) filters: Cache<FilterKey, Arc<BloomShard>, FilterBytes>,
    pub(crate) blocks: Cache<BlockKey, Arc<OpenBlock>, BlockBytes>,
    /// All trace ids of blocks, for queries that look at whole traces.
    pub(crate) ids: Cache<BlockKey, Arc<[TraceId]>, IdBytes>,
    /// Decoded columns and what else queries read of blocks.
    pub(crate) parts: Cache<PartKey, SharedPart, PartBytes>,
    bytes: u64,
}

impl Caches {
    /// Caches that together hold at most `bytes`. Whoever makes them charges that to the memory budgets.
    pub fn new(bytes: u64) -> Arc<Self> {
        let filters = bytes / 8 * FILTER_EIGHTHS;
        let ids = bytes / 8 * ID_EIGHTHS;
        let parts = bytes / 8 * PART_EIGHTHS;
        let blocks = bytes - filters - ids - parts;
        let items = |bytes: u64| (bytes / ITEM_BYTES).max(16) as usize;
        Arc::new(Self {
            filters: Cache::with_weighter(items(filters), filters, FilterBytes),
            blocks: Cache::with_weighter(items(blocks), blocks, BlockBytes),
            ids: Cache::with_weighter(items(ids), ids, IdBytes),
            parts: Cache::with_weighter(items(parts), parts, PartBytes),
            bytes,
        })
    }

    /// What they may hold.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What they hold.
    pub fn used(&self) -> u64 {
        let rest = self.ids.weight() + self.parts.weight();
        self.filters.weight() + self.blocks.weight() + rest
    }
}
