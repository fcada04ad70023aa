//! Every maximum of the querier in one place.

/// Blocks whose bloom filters are asked at once for one lookup.
pub const FILTERS_AT_ONCE: usize = 64;

/// Blocks that are read at once for one lookup.
pub const BLOCKS_AT_ONCE: usize = 8;

/// Shares of the caches' memory, in eighths, that bloom filters and the ids of whole blocks get; what is left is for opened blocks.
pub const FILTER_EIGHTHS: u64 = 2;
pub const ID_EIGHTHS: u64 = 1;
/// The same for decoded columns of blocks.
pub const PART_EIGHTHS: u64 = 4;

/// Items that the caches are laid out for: some 100 KiB of filter, or 64 KiB of an opened block each.
pub const ITEM_BYTES: u64 = 64 << 10;

/// Largest bloom filter part that is taken from a bucket.
pub const FILTER_BYTES: u64 = 64 << 20;

/// Lines a second about blocks that vanished or cannot be read, per shard.
pub const BLOCK_LINES_PER_SECOND: u32 = 5;

/// Live batches of one unit of a query, about.
pub const LIVE_UNIT_BYTES: u64 = 16 << 20;

/// Spans of a block that are looked at together, about: one for each `SHARE_BYTES_PER_SPAN` of a shard's memory within these bounds.
pub const CHUNK_SPANS: u32 = 262_144;
pub const CHUNK_SPANS_LEAST: u32 = 16_384;
pub const SHARE_BYTES_PER_SPAN: u64 = 2048;

/// What columns of a chunk may take in memory, of a shard that has as much.
pub const CHUNK_BYTES: usize = 256 << 20;

/// Taken for a chunk, by span, before any chunk has told what it needs.
pub const BYTES_PER_SPAN_AT_FIRST: u64 = 100;

/// Trace ids that are merged between two pauses.
pub const IDS_PER_BREATH: usize = 2048;

/// Traces that are put together into one batch, to be evaluated with all of their spans.
pub const GATHERED_TRACES: usize = 4096;

/// Traces of a block that are copied for that before their memory is charged.
pub const COPIED_TRACES: usize = 64;

/// Spans that are copied for that between two pauses: a few milliseconds.
pub const GATHERED_ROWS_PER_BREATH: usize = 4096;
