//! Sees shards that do not come back from a task.
//!
//! A poll that was too long is counted when it ends. One that never ends would not be seen by
//! anyone on its shard, so the thread that started the shards looks at their pulses.

use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::run::Run;
use crate::limits::{WATCHDOG_PATIENCE, WATCHDOG_PERIOD};
use crate::metrics;

/// What others can see of a shard at work.
pub(crate) struct Pulse {
    /// When the shard began the turn it is in; 0 while it waits in its driver.
    turn: AtomicU64,
    /// Where the task that it polls was spawned.
    site: AtomicPtr<Location<'static>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse {
            turn: AtomicU64::new(0),
            site: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl Pulse {
    pub(crate) fn begin_turn(&self, now_nanos: u64) {
        self.turn.store(now_nanos.max(1), Ordering::Relaxed);
    }

    pub(crate) fn end_turn(&self) {
        self.turn.store(0, Ordering::Relaxed);
    }

    pub(crate) fn polls(&self, site: &'static Location<'static>) {
        self.site
            .store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
    }

    #[allow(unsafe_code, reason = "an atomic reference has no safe form")]
    fn site(&self) -> Option<&'static Location<'static>> {
        let site = self.site.load(Ordering::Relaxed);
        // SAFETY: the pointer is null or was made from a `&'static Location` in `polls`, the only
        // place that stores it; nobody ever writes through it.
        unsafe { site.as_ref() }
    }
}

/// Watches the shards until the run is over. For the thread that started them.
pub(super) fn watch(run: &Run) {
    let mut warned: Vec<u64> = vec![0; run.pulses().len()];
    while !run.is_over() {
        thread::park_timeout(WATCHDOG_PERIOD);
        let now = crate::time::Instant::now().as_nanos();
        for (shard, (pulse, warned)) in run.pulses().iter().zip(&mut warned).enumerate() {
            let turn = pulse.turn.load(Ordering::Relaxed);
            let held = Duration::from_nanos(now.saturating_sub(turn));
            if turn == 0 || turn == *warned || held < WATCHDOG_PATIENCE {
                continue;
            }
            *warned = turn;
            let site = pulse.site().map(ToString::to_string).unwrap_or_default();
            tracing::error!(shard, site, ?held, "a shard does not come back from a task");
            metrics::counter_vec(
                "vivace_shard_stuck_total",
                "Times that a shard was seen not to come back from a task for over a second.",
                &["shard", "site"],
            )
            .with_label_values(&[shard.to_string(), site])
            .inc();
        }
    }
}
