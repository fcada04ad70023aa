//! Every maximum of the block builder in one place.

use std::time::Duration;

/// Blocks of one section that are built or uploaded at once, on a shard.
pub const BLOCKS_AT_ONCE: usize = 16;

/// Bytes of a local block that wait until they are written together.
pub const WRITE_BYTES: usize = 1 << 20;

/// Bytes of a local block that are read for its upload at once.
pub const UPLOAD_CHUNK_BYTES: usize = 4 << 20;

/// First and longest pause after a failure; the store's own retries come before.
pub const RETRY_FIRST: Duration = Duration::from_millis(500);
pub const RETRY_MOST: Duration = Duration::from_secs(30);

/// Memory that building takes, in bytes for each byte of spans: the spans, the columns made of them, and the pages.
pub const MEMORY_FACTOR: u64 = 3;

/// How long building waits for memory to become free before it takes it all the same: blocks are what frees memory.
pub const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
pub const MEMORY_RETRY: Duration = Duration::from_millis(100);

/// Records of a section that are looked at between two breaths.
pub const RECORDS_PER_BREATH: usize = 64;

/// Bytes of records that could not be decoded and are kept aside; beyond, they are only counted and logged.
pub const ASIDE_BYTES: u64 = 256 << 20;
