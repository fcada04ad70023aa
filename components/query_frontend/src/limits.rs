//! Every limit of this crate that is not configured.

use std::time::Duration;

/// An answer is built from at most this many times the bytes of its spans (structs, then text).
pub const ANSWER_FACTOR: u64 = 3;

/// Bytes that a sample of a metrics answer takes while the answer is made: value, message, text, and what a stream has sent of it.
pub const ANSWER_BYTES_PER_SAMPLE: u64 = 64;
/// Answers with more samples are put together beside the shard.
pub const SAMPLES_ON_THE_SHARD: u64 = 20_000;

/// Jobs that a search begins with; each that ends without enough makes room for two more. Live data goes first, alone.
pub const FIRST_SEARCH_JOBS: usize = 4;

/// Jobs that run at once on a shard, of all queries together, unless told otherwise. They mostly wait for reads.
pub const RUNNING_JOBS: usize = 32;

/// Wait before a job is tried again, doubled each time up to the second one.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

/// Between two messages of a stream, at least.
pub const STREAM_PERIOD: Duration = Duration::from_millis(500);

/// Size of a streamed message where it is not configured.
pub const STREAM_PACKET_BYTES: usize = 1 << 20;

/// OR groups of a tag filter where the tenant's limits say nothing.
pub const TAG_CONDITION_GROUPS: u32 = 100;

/// Tags of a legacy search.
pub const LEGACY_TAGS: usize = 64;

/// Traces that a search keeps beside those it was asked for, as a multiple of them: they take the place of traces that turn out not
/// to match as a whole.
pub const SPARE_TRACES: usize = 2;
/// And that many more before any are dropped, so that dropping is rare.
pub const SPARE_TRACES_MORE: usize = 1024;

/// Traces completed in one go.
pub const COMPLETE_AT_ONCE: usize = 1024;
