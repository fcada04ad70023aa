//! Counters of the query frontend (observability.md §2.4). One set per process.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};
use vivace_shards::metrics;
use vivace_shards::time::Instant;

/// The `op` label of trace by id.
const OP: &str = "traces";
/// Upper bounds of processed bytes a second: 64 KiB to 4 GiB by fours.
const THROUGHPUT_BUCKETS: [f64; 9] = [
    65536.0,
    262144.0,
    1048576.0,
    4194304.0,
    16777216.0,
    67108864.0,
    268435456.0,
    1073741824.0,
    4294967296.0,
];

#[derive(Clone)]
pub struct Metrics {
    queries: IntCounterVec,
    within_slo: IntCounterVec,
    bytes_inspected: IntCounterVec,
    throughput: HistogramVec,
}

/// One query under way; counted as canceled unless it is completed.
pub struct Running {
    metrics: Metrics,
    tenant: String,
    started: Instant,
    completed: bool,
}

impl Metrics {
    /// `first_tenant` is exported with zeros from the start: scrapers miss names without a series.
    pub fn register(first_tenant: &str) -> Self {
        let metrics = Self {
            queries: metrics::counter_vec(
                "tempo_query_frontend_queries_total",
                "Queries, by operation and result.",
                &["tenant", "op", "result"],
            ),
            within_slo: metrics::counter_vec(
                "tempo_query_frontend_queries_within_slo_total",
                "Queries that kept their service level objective.",
                &["tenant", "op", "result"],
            ),
            bytes_inspected: metrics::counter_vec(
                "tempo_query_frontend_bytes_inspected_total",
                "Bytes looked at by queries.",
                &["tenant", "op"],
            ),
            throughput: metrics::histogram_vec(
                "tempo_query_frontend_bytes_processed_per_second",
                "Bytes a second that a query looked at.",
                &["tenant", "op"],
                &THROUGHPUT_BUCKETS,
            ),
        };
        for result in ["completed", "canceled"] {
            metrics
                .queries
                .with_label_values(&[first_tenant, OP, result]);
            metrics
                .within_slo
                .with_label_values(&[first_tenant, OP, result]);
        }
        metrics
            .bytes_inspected
            .with_label_values(&[first_tenant, OP]);
        metrics
    }

    pub fn begin(&self, tenant: &str) -> Running {
        Running {
            metrics: self.clone(),
            tenant: tenant.to_owned(),
            started: Instant::now(),
            completed: false,
        }
    }
}

impl Running {
    /// The query has its answer.
    pub fn complete(mut self, inspected_bytes: u64, objective: Objective) {
        self.completed = true;
        let took = self.started.elapsed();
        let tenant = self.tenant.as_str();
        self.metrics
            .queries
            .with_label_values(&[tenant, OP, "completed"])
            .inc();
        self.metrics
            .bytes_inspected
            .with_label_values(&[tenant, OP])
            .inc_by(inspected_bytes);
        let per_second = inspected_bytes as f64 / took.as_secs_f64().max(1e-6);
        self.metrics
            .throughput
            .with_label_values(&[tenant, OP])
            .observe(per_second);
        if objective.is_kept(took, per_second) {
            self.metrics
                .within_slo
                .with_label_values(&[tenant, OP, "completed"])
                .inc();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.completed {
            self.metrics
                .queries
                .with_label_values(&[self.tenant.as_str(), OP, "canceled"])
                .inc();
        }
    }
}

/// `duration_slo` and `throughput_bytes_slo`; zero means no such objective.
#[derive(Debug, Clone, Copy, Default)]
pub struct Objective {
    pub duration: Duration,
    pub bytes_per_second: f64,
}

impl Objective {
    fn is_kept(self, took: Duration, bytes_per_second: f64) -> bool {
        let unset = self.duration.is_zero() && self.bytes_per_second == 0.0;
        unset
            || (!self.duration.is_zero() && took <= self.duration)
            || (self.bytes_per_second > 0.0 && bytes_per_second >= self.bytes_per_second)
    }
}
