//! Every maximum of the querier in one place.

/// Blocks whose bloom filters are asked at once for one lookup.
pub const FILTERS_AT_ONCE: usize = 64;

/// Blocks that are read at once for one lookup.
pub const BLOCKS_AT_ONCE: usize = 8;

/// Share of the caches' memory, in eighths, that bloom filters get; what is left is for opened blocks.
pub const FILTER_EIGHTHS: u64 = 5;

/// Items that the caches are laid out for: some 100 KiB of filter, or 64 KiB of an opened block each.
pub const ITEM_BYTES: u64 = 64 << 10;

/// Largest bloom filter part that is taken from a bucket.
pub const FILTER_BYTES: u64 = 64 << 20;

/// Lines a second about blocks that vanished or cannot be read, per shard.
pub const BLOCK_LINES_PER_SECOND: u32 = 5;
