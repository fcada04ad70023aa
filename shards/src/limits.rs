//! Every maximum of the runtime in one place.

use std::time::Duration;

/// Longest time tasks run before the driver (sockets, timers, wakes) gets its turn.
pub const SLICE: Duration = Duration::from_micros(500);

/// How long one poll may run before [`crate::breathe`] yields to other queued work.
pub const BREATH: Duration = Duration::from_micros(200);

/// Tasks that an event has woken run that often before one in the middle of long work has a turn, where both are of one class.
pub const WOKEN_IN_A_ROW: usize = 16;

/// Turns of at most [`BREATH`] that long work gets one after the other, where other long work of its class waits.
pub const TURNS_IN_A_ROW: usize = 16;

/// A single poll longer than this is counted as a stall.
pub const STALL: Duration = Duration::from_millis(2);

/// A stall longer than this is also logged as a warning.
pub const LONG_STALL: Duration = Duration::from_millis(100);

/// How often the watchdog looks at the shards.
pub const WATCHDOG_PERIOD: Duration = Duration::from_millis(500);

/// How long a shard may stay in one turn before the watchdog says so.
pub const WATCHDOG_PATIENCE: Duration = Duration::from_secs(1);

/// Tasks polled before the clock and the inbox are looked at again, whatever they cost.
pub const POLLS_PER_SLICE: usize = 4096;

/// Shards one process may have.
pub const MAX_SHARDS: usize = 1024;

/// Connections that other listeners have handed over to one and that it has not looked at.
pub const HANDED_OVER: usize = 1024;

/// Listening backlog when none is given.
pub const LISTEN_BACKLOG: u32 = 1024;

/// How long the remaining shards may take to return after one has failed or a task has panicked.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// Threads of the side runtime that drive futures.
pub const SIDE_WORKERS: usize = 2;

/// How much less than a shard a side thread gets of a CPU that both want, as a nice value: one tenth. Where every CPU has a shard,
/// long work on the side would otherwise take half of what ingest has.
pub const SIDE_NICE: i32 = 10;

/// Threads of the side runtime for blocking calls.
pub const SIDE_BLOCKING_THREADS: usize = 16;

/// A thread for blocking calls that has nothing to do ends after that long: until then its heap keeps memory that others have freed.
pub const SIDE_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Submission entries tried, in this order, when an io_uring driver is built.
pub const URING_ENTRIES: [u32; 2] = [1024, 256];

/// Rounds of waking and dropping tasks when a shard ends; a task that is still there after these
/// keeps re-creating itself and is leaked rather than looped over for ever.
pub const CANCEL_ROUNDS: usize = 1000;

/// Reads, and writes, that wait for the disk lane; the next one waits on its shard.
pub const DISK_QUEUE: usize = 1024;

/// Reads the disk lane has under way at once.
pub const DISK_READ_DEPTH: usize = 64;

/// Writes and syncs the disk lane has under way at once.
pub const DISK_WRITE_DEPTH: usize = 32;

/// Threads of the disk lane that read, where io_uring is not used.
pub const DISK_READ_THREADS: usize = 4;

/// Threads of the disk lane that write and sync, where io_uring is not used.
pub const DISK_WRITE_THREADS: usize = 2;

/// Threads for opening, renaming, listing, allocating; apart from the lane, so that none of it delays a sync.
pub const DISK_META_THREADS: usize = 2;

/// Calls that wait for those threads.
pub const DISK_META_QUEUE: usize = 256;

/// Most bytes of one read.
pub const DISK_READ_BYTES: usize = 1 << 30;

/// Reads up to this length are answered from the page cache without the lane, if they can be: some microseconds of copying.
pub const DISK_CACHED_READ_BYTES: usize = 128 * 1024;

/// Buffers handed to the kernel in one write; longer lists are written in several.
pub const DISK_WRITE_BUFFERS: usize = 1024;

/// How often an interrupted request is submitted again before it fails.
pub const DISK_RETRIES: u32 = 1000;

/// Entries of one directory.
pub const DISK_DIR_ENTRIES: usize = 1_000_000;
