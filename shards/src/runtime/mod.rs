//! Real shards: one pinned thread each, on io_uring or epoll.

pub(crate) mod affinity;
mod config;
mod driver;
mod root;
mod run;
mod thread;
mod watchdog;

pub use config::{Config, DiskChoice, DriverChoice};
pub(crate) use root::fire_due;
pub(crate) use run::Run;
pub use run::{Error, poisoned};
pub(crate) use thread::{Returned, spawn_main};
pub(crate) use watchdog::Pulse;

use std::future::Future;
use std::sync::Arc;

use crate::BoxError;

/// Runs `main` once on every shard, as a task of class ingest, and returns when all have returned.
///
/// If one fails, or any task panics, the run's shutdown signal is set and the other shards get
/// [`crate::limits::SHUTDOWN_GRACE`] to return. What tasks are left then are cancelled.
///
/// # Errors
/// The first failure of a shard's `main`, the first panic, or what kept the shards from starting.
pub fn run<F, Fut>(config: Config, main: F) -> Result<(), Error>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + 'static,
{
    thread::run_shards(config, Arc::new(main))
}
