//! Metrics of stores and of the blocklist, under the names of Tempo (observability.md §2.5).

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::{HistogramVec, IntCounter};
use vivace_shards::metrics::{counter, histogram_vec};

const REQUEST_BUCKETS: &[f64] = &[0.005, 0.02, 0.08, 0.32, 1.28, 5.12];

/// Requests to a store over HTTP; each attempt counts.
#[derive(Clone)]
pub(crate) struct Requests {
    duration: HistogramVec,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self {
            duration: histogram_vec(
                "tempodb_backend_request_duration_seconds",
                "Time spent doing backend storage requests.",
                &["operation", "status_code"],
                REQUEST_BUCKETS,
            ),
        }
    }

    /// `status` is none when there was no answer.
    pub(crate) fn observe(&self, method: &Method, status: Option<StatusCode>, took: Duration) {
        let status = match &status {
            Some(status) => status.as_str(),
            None => "error",
        };
        self.duration
            .with_label_values(&[method.as_str(), status])
            .observe(took.as_secs_f64());
    }
}

/// Reads that were sent once more because there was no answer in time.
pub(crate) fn hedged() -> IntCounter {
    counter(
        "tempodb_backend_hedged_roundtrips_total",
        "Total number of hedged backend requests.",
    )
}
