//! Choosing and building a shard's driver.

use std::future::Future;
use std::io;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};

use super::config::DriverChoice;
use crate::context::DriverKind;
use crate::limits::URING_ENTRIES;

/// The I/O driver of one shard. Only a driver: scheduling is ours (see `root`).
pub(crate) enum Driver {
    Uring(Runtime<TimeDriver<IoUringDriver>>),
    Epoll(Runtime<TimeDriver<LegacyDriver>>),
}

impl Driver {
    /// Builds the driver on the calling thread, where it will run.
    pub(crate) fn build(choice: DriverChoice) -> io::Result<Driver> {
        match choice {
            DriverChoice::Epoll => Self::epoll(),
            DriverChoice::Uring => Self::uring(),
            DriverChoice::Auto => Self::uring().or_else(|error| {
                tracing::info!(%error, "io_uring is not available here, using epoll");
                Self::epoll()
            }),
        }
    }

    /// Smaller rings are tried too: their memory counts against the memlock limit.
    fn uring() -> io::Result<Driver> {
        let mut last = io::Error::from(io::ErrorKind::Unsupported);
        for entries in URING_ENTRIES {
            let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(entries);
            match builder.enable_timer().build() {
                Ok(runtime) => return Ok(Driver::Uring(runtime)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn epoll() -> io::Result<Driver> {
        let builder = RuntimeBuilder::<LegacyDriver>::new();
        Ok(Driver::Epoll(builder.enable_timer().build()?))
    }

    pub(crate) fn kind(&self) -> DriverKind {
        match self {
            Driver::Uring(_) => DriverKind::Uring,
            Driver::Epoll(_) => DriverKind::Epoll,
        }
    }

    pub(crate) fn block_on<F: Future>(&mut self, root: F) -> F::Output {
        match self {
            Driver::Uring(runtime) => runtime.block_on(root),
            Driver::Epoll(runtime) => runtime.block_on(root),
        }
    }
}
