//! How the runtime is set up.

/// Which driver serves sockets and timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// io_uring where the kernel lets us, else epoll.
    #[default]
    Auto,
    /// io_uring or fail.
    Uring,
    /// epoll.
    Epoll,
}

/// What the disk lane uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskChoice {
    /// io_uring where the kernel lets us, else pwrite.
    #[default]
    Auto,
    /// io_uring or fail.
    Uring,
    /// pread, pwrite and fdatasync on threads.
    Pwrite,
}

/// Settings of one run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of shards; 0 means one per CPU this process may use.
    pub shards: usize,
    /// Whether each shard's thread is bound to one CPU. Ignored where the system refuses it and
    /// when there are more shards than CPUs.
    pub pin: bool,
    /// Driver of sockets and timers.
    pub driver: DriverChoice,
    /// Driver of files.
    pub disk: DiskChoice,
    /// Memory for everything that is charged to the budgets, over all shards; 0 means no limit.
    pub memory_limit_bytes: u64,
    /// CPU shares of the classes ingest, query and background while all three have work.
    pub class_shares: [u32; 3],
}

impl Default for Config {
    fn default() -> Self {
        Config {
            shards: 0,
            pin: true,
            driver: DriverChoice::Auto,
            disk: DiskChoice::Auto,
            memory_limit_bytes: 0,
            class_shares: crate::exec::Shares::default().0,
        }
    }
}

impl Config {
    /// The number of shards that [`super::run`] will start: as configured, or one for each CPU this process may use.
    pub fn shard_count(&self) -> usize {
        match self.shards {
            0 => super::affinity::allowed_cpus()
                .len()
                .min(crate::limits::MAX_SHARDS),
            configured => configured,
        }
    }
}
