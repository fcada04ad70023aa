//! What a shard measures about itself, exported through [`crate::metrics`].
//!
//! Simulated shards measure nothing: their time is not real, and thousands of them come and go in
//! one test.

use std::cell::Cell;
use std::time::Duration;

use prometheus::{IntCounter, IntGauge};

use crate::context::DriverKind;
use crate::exec::{Class, Meta};
use crate::limits::{LONG_STALL, STALL};
use crate::metrics::{self, LocalHistogram, Unit};

/// Bounds in seconds: a slice should stay under 0.5 ms, and over 2 ms it is a stall.
const SLICE_BUCKETS: &[f64] = &[
    0.000_01, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0,
];

/// Measurements of one shard.
pub(crate) struct Stats {
    shard: usize,
    meters: Option<Meters>,
    /// Nanoseconds that each class has used in the current slice.
    in_slice: [Cell<u64>; 3],
}

struct Meters {
    slices: IntCounter,
    slice_seconds: [LocalHistogram; 3],
    spawned: [IntCounter; 3],
    live: IntGauge,
    driver: IntGauge,
}

impl Stats {
    pub(crate) fn new(shard: usize, driver: DriverKind) -> Self {
        let meters = (driver != DriverKind::Sim).then(|| Meters::new(shard, driver));
        Stats {
            shard,
            meters,
            in_slice: Default::default(),
        }
    }

    pub(crate) fn spawned(&self, class: Class) {
        if let Some(meters) = &self.meters {
            meters.spawned[class.index()].inc();
        }
    }

    /// One poll of a task has taken `nanos`.
    pub(crate) fn polled(&self, meta: Meta, nanos: u64) {
        let Some(meters) = &self.meters else { return };
        let used = &self.in_slice[meta.class.index()];
        used.set(used.get() + nanos);
        if nanos > as_nanos(STALL) {
            meters.stall(self.shard, meta, nanos);
        }
    }

    /// A slice has ended, with `live` tasks on the shard.
    pub(crate) fn sliced(&self, live: usize) {
        let Some(meters) = &self.meters else { return };
        meters.slices.inc();
        meters.live.set(i64::try_from(live).unwrap_or(i64::MAX));
        for (used, histogram) in self.in_slice.iter().zip(&meters.slice_seconds) {
            let nanos = used.take();
            if nanos > 0 {
                histogram.record(nanos);
            }
        }
    }
}

impl Meters {
    fn new(shard: usize, driver: DriverKind) -> Meters {
        let shard = shard.to_string();
        let driver_vec = metrics::gauge_vec(
            "vivace_shard_driver",
            "1 for the I/O driver that a shard runs on.",
            &["shard", "driver"],
        );
        let driver = driver_vec.with_label_values(&[shard.as_str(), driver.name()]);
        driver.set(1);
        let spawned = metrics::counter_vec(
            "vivace_shard_tasks_spawned_total",
            "Tasks spawned, by shard and class.",
            &["shard", "class"],
        );
        Meters {
            slices: metrics::counter_vec(
                "vivace_shard_slices_total",
                "Turns in which a shard ran tasks before it served its driver.",
                &["shard"],
            )
            .with_label_values(&[shard.as_str()]),
            slice_seconds: Class::ALL.map(|class| {
                metrics::local_histogram(
                    "vivace_shard_slice_duration_seconds",
                    "Time that the tasks of one class used in one slice.",
                    &[("shard", shard.as_str()), ("class", class.name())],
                    Unit::Seconds,
                    SLICE_BUCKETS,
                )
            }),
            spawned: Class::ALL
                .map(|class| spawned.with_label_values(&[shard.as_str(), class.name()])),
            live: metrics::gauge_vec(
                "vivace_shard_tasks",
                "Tasks that have not finished.",
                &["shard"],
            )
            .with_label_values(&[shard.as_str()]),
            driver,
        }
    }

    /// A poll held its shard for too long. Rare, so the series is looked up each time; there are
    /// no more of them than places in the code that spawn.
    fn stall(&self, shard: usize, meta: Meta, nanos: u64) {
        let site = meta.site.to_string();
        metrics::counter_vec(
            "vivace_shard_stalls_total",
            "Polls that held a shard for more than 2 ms, by class and place of spawning.",
            &["class", "site"],
        )
        .with_label_values(&[meta.class.name(), site.as_str()])
        .inc();
        let millis = nanos / 1_000_000;
        let class = meta.class.name();
        if nanos > as_nanos(LONG_STALL) {
            tracing::warn!(shard, class, site, millis, "a task held its shard");
        } else {
            tracing::debug!(shard, class, site, millis, "a task held its shard");
        }
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        // The shard is gone; its counters stay.
        self.driver.set(0);
        self.live.set(0);
    }
}

fn as_nanos(duration: Duration) -> u64 {
    // Exact: only used for the constants of `limits`.
    duration.as_nanos() as u64
}
