//! Blocks of the process as a whole: `memory`, `runtime`, `usage_report`.

use super::grpc_client::Backoff;
use crate::block::{block, choice};
use crate::types::Size;

choice! {
    /// How sockets are driven.
    pub enum NetDriver {
        /// io_uring where the kernel allows it, else epoll.
        Auto = "auto",
        IoUring = "io_uring",
        Epoll = "epoll",
    }
}

choice! {
    /// How files are written.
    pub enum DiskDriver {
        /// io_uring where the kernel allows it, else pwrite.
        Auto = "auto",
        IoUring = "io_uring",
        Pwrite = "pwrite",
    }
}

block! {
    /// How the shards run. Vivace's own block.
    pub struct Runtime {
        /// How sockets are driven.
        driver: NetDriver;
        /// How files are written.
        disk: DiskDriver;
        /// Pin each shard to a CPU of the allowed set.
        pin_threads: bool = true;
    }
}

block! {
    /// The memory of the process.
    pub struct Memory {
        /// Most memory that buffers and recent traces may take; 0 = that of the cgroup or machine, times
        /// `automemlimit_ratio`. Vivace's own key.
        limit: Size;
        /// Take the limit from the cgroup. Vivace does so anyway when `limit` is 0.
        automemlimit_enabled: bool;
        /// Which part of the cgroup's or machine's memory the limit is.
        automemlimit_ratio: f64 = 0.8;
        /// Bloom filters and footers of blocks that are kept in memory, as a part of `limit`; 0 = a sixteenth of it, at most
        /// 512MiB. Vivace's own key.
        block_cache: Size;
    }
}

block! {
    /// Anonymous statistics of use. Accepted; Vivace sends none.
    pub struct UsageReport {
        /// Send statistics. Accepted; Vivace sends none.
        reporting_enabled: bool = true;
        backoff: Backoff = Backoff { max_retries: 0, ..Backoff::default() };
    }
}
