//! Metrics of polls; those of the list are the list's own.

use prometheus::{Histogram, IntCounterVec};
use vivace_shards::metrics::{counter_vec, histogram};

pub(super) struct Metrics {
    pub duration: Histogram,
    pub errors: IntCounterVec,
    pub index_errors: IntCounterVec,
}

const DURATION_BUCKETS: &[f64] = &[
    0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            duration: histogram(
                "tempodb_blocklist_poll_duration_seconds",
                "Records the amount of time to poll and update the blocklist.",
                DURATION_BUCKETS,
            ),
            errors: counter_vec(
                "tempodb_blocklist_poll_errors_total",
                "Total number of times an error occurred while polling the blocklist.",
                &["tenant"],
            ),
            index_errors: counter_vec(
                "tempodb_blocklist_tenant_index_errors_total",
                "Total number of times an error occurred while retrieving or building the tenant index.",
                &["tenant"],
            ),
        }
    }
}
