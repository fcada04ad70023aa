//! What survives a crash, and where crashes happen.

use std::any::Any;
use std::future::pending;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use crate::context;
use crate::rand::Rng;
use crate::time;

/// State of a simulated process that outlives its crashes, such as its disk.
pub trait Durable: Any {
    /// The process has crashed: keep what would survive, and no more. Called before the process's
    /// tasks are dropped; what their destructors do to it must have no effect.
    fn on_crash(&self, rng: &mut dyn FnMut(u64) -> u64);

    /// The process starts, for the first time or again.
    fn on_start(&self) {}
}

/// The durable part of type `T` of the current simulated process, made by `make` if it has none.
/// None on real shards.
pub fn durable<T: Durable>(make: impl FnOnce() -> T) -> Option<Rc<T>> {
    let shard = context::try_current()?;
    Some(shard.sim.as_ref()?.durable(make))
}

/// Every simulated I/O operation goes through this once (or once per part that can be torn): it
/// takes a seeded time, at least one wait, and is a point at which the process may crash.
///
/// Returns true if the process crashes in the middle of this very step: the caller does as much
/// of it as its faults allow, and awaits [`crash_now`].
///
/// Does nothing on real shards.
pub async fn io_step() -> bool {
    let shard = context::current();
    let Some(process) = shard.sim.clone() else {
        return false;
    };
    time::sleep(io_time(&shard.rng, &process.io_latency())).await;
    process.step_io()
}

/// Crashes the current simulated process. Never returns; does nothing but wait on real shards.
pub async fn crash_now() {
    if let Some(process) = context::try_current().and_then(|shard| shard.sim.clone()) {
        process.ask_to_crash();
    }
    pending::<()>().await;
}

fn io_time(rng: &Rng, latency: &Range<Duration>) -> Duration {
    between(rng, latency).max(Duration::from_nanos(1))
}

/// A duration within the range, by seed.
pub(super) fn between(rng: &Rng, range: &Range<Duration>) -> Duration {
    let width = range.end.saturating_sub(range.start).as_nanos();
    let width = u64::try_from(width).unwrap_or(u64::MAX);
    range.start + Duration::from_nanos(rng.below(width))
}
