//! Every maximum of the log that is not a setting. (The settings, with their bounds, are in
//! [`crate::Config`].)

use std::time::Duration;

/// Longest deliberate wait for company before a group is written (design.md §3).
pub const MAX_COMMIT_DELAY: Duration = Duration::from_millis(5);

/// Longest wait for requests that the shard is reading, before a group is written: they will want a sync too.
pub const MAX_LULL: Duration = Duration::from_millis(2);

/// Records waiting for the disk in one partition, whatever their size.
pub const MAX_PENDING_RECORDS: usize = 65_536;

/// Records in one group: bounds the buffers handed to the disk lane in one call.
pub const MAX_GROUP_RECORDS: usize = 8_192;

/// Largest payload that a frame can say it has. A larger length in a header is damage.
pub const MAX_PAYLOAD_BYTES: u64 = 256 << 20;

/// Records up to this size are copied next to their header, so that a group of small records is
/// one buffer and not three per record.
pub const COPY_BELOW_BYTES: usize = 8 << 10;

/// One read of a scan or of a [`crate::Reader`]; a frame larger than this is read whole.
pub const READ_CHUNK_BYTES: usize = 512 << 10;

/// How far apart the entries of a segment's index are while it is written...
pub const INDEX_STRIDE_BYTES: u64 = 64 << 10;
/// ...and once it is sealed: 2 KiB of index for each 64 MiB.
pub const SEALED_INDEX_STRIDE_BYTES: u64 = 256 << 10;

/// Corrupt ranges remembered one by one, for a partition; more are only counted.
pub const MAX_CORRUPT_RANGES: usize = 1_000;

/// Damaged places followed one by one while the newest segment of a partition is recovered.
pub const MAX_RECOVERY_HOLES: usize = 4_096;

/// Consumer groups of one partition.
pub const MAX_GROUPS: usize = 32;
/// Bytes of a consumer group's name.
pub const MAX_GROUP_NAME_BYTES: usize = 64;

/// Files of older segments kept open for single reads, for a partition.
pub const MAX_OPEN_FILES: usize = 8;

/// First and longest wait between attempts to prepare a segment when the disk refuses.
pub const PREPARE_BACKOFF_MIN: Duration = Duration::from_millis(50);
pub const PREPARE_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Most partitions of one log.
pub const MAX_PARTITIONS: u32 = 10_000;

/// Between two segments that are removed: their blocks are freed one after the other, and syncs get their turn.
pub const REMOVE_PAUSE: Duration = Duration::from_millis(50);

/// Files of segments that are not needed any more and wait to become the next ones, for a partition.
pub const MAX_OLD_SEGMENTS: usize = 2;

/// Segments that a partition may always have, whatever `max_bytes` is.
pub const LEAST_SEGMENTS: u64 = 3;
