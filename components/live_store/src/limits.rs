//! Every maximum of the live-store in one place. Those that depend on the machine are fields of [`crate::Config`].

/// Tenants that may have live data in one process.
pub const MAX_TENANTS: usize = 100_000;

/// Items of a queue that are allocated at once: 16 KiB of index entries or of batches.
pub const QUEUE_CHUNK: usize = 1024;

/// Independent hash tables inside one partition's index. Each grows alone, so growing never holds a shard up for long.
pub const INDEX_TABLES: usize = 512;

/// Entries one partition's index may hold: distances between entries are kept in 32 bits.
pub const MAX_INDEX_ENTRIES: u64 = u32::MAX as u64 / 2;

/// Traces a shard follows at once for the per-trace size and the number of live traces, over all tenants.
/// A trace beyond it is let in without being followed.
pub const MAX_TRACKED_TRACES: usize = 500_000;

/// The part of the room for batches in memory that may be lent to sections which become blocks.
pub const LENT_PART: (u64, u64) = (3, 4);

/// Records read back from the log at once for one lookup.
pub const READS_AT_ONCE: usize = 8;

/// Index entries dropped, or tenants swept, between two breaths.
pub const WORK_PER_BREATH: usize = 1024;

/// Batches in memory that a lookup looks into between two breaths.
pub const BATCHES_PER_BREATH: usize = 64;

/// Lines a second of `TRACE_TOO_LARGE` and `LIVE_TRACES_EXCEEDED`, per shard.
pub const DISCARD_LINES_PER_SECOND: u32 = 10;

/// Lines a second about records that cannot be decoded, per shard.
pub const BAD_RECORD_LINES_PER_SECOND: u32 = 5;
