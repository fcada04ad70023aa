//! Every maximum of the runtime in one place.

use std::time::Duration;

/// Longest time tasks run before the driver (sockets, timers, wakes) gets its turn.
pub const SLICE: Duration = Duration::from_micros(500);

/// How long one poll may run before [`crate::breathe`] yields to other queued work.
pub const BREATH: Duration = Duration::from_micros(200);

/// A single poll longer than this is counted as a stall.
pub const STALL: Duration = Duration::from_millis(2);

/// Tasks polled before the clock and the inbox are looked at again, whatever they cost.
pub const POLLS_PER_SLICE: usize = 4096;

/// Shards one process may have.
pub const MAX_SHARDS: usize = 1024;

/// Listening backlog when none is given.
pub const LISTEN_BACKLOG: u32 = 1024;

/// How long the remaining shards may take to return after one has failed or a task has panicked.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// Threads of the side runtime that drive futures.
pub const SIDE_WORKERS: usize = 2;

/// Threads of the side runtime for blocking calls.
pub const SIDE_BLOCKING_THREADS: usize = 16;

/// Submission entries tried, in this order, when an io_uring driver is built.
pub const URING_ENTRIES: [u32; 2] = [1024, 256];

/// Rounds of waking and dropping tasks when a shard ends; a task that is still there after these
/// keeps re-creating itself and is leaked rather than looped over for ever.
pub const CANCEL_ROUNDS: usize = 1000;
