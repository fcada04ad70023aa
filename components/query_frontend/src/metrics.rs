//! Counters of the query frontend (observability.md §2.4). One set per process.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGaugeVec};
use vivace_shards::metrics;
use vivace_shards::time::Instant;

/// What a query asks for: the label `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Traces,
    Search,
    Metadata,
    Metrics,
}

impl Op {
    const ALL: [Self; 4] = [Self::Traces, Self::Search, Self::Metadata, Self::Metrics];

    fn label(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Search => "search",
            Self::Metadata => "metadata",
            Self::Metrics => "metrics",
        }
    }
}

/// Upper bounds of jobs of a query, and of tries of a job after the first.
const JOB_BUCKETS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 50.0, 200.0, 1000.0, 10000.0];
const RETRY_BUCKETS: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
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
    jobs: HistogramVec,
    /// Of the queue of jobs.
    pub queue: QueueMetrics,
}

/// What happens in the queue of jobs.
#[derive(Clone)]
pub struct QueueMetrics {
    length: IntGaugeVec,
    discarded: IntCounterVec,
    duration: Histogram,
    retries: Histogram,
}

impl QueueMetrics {
    fn register(first_tenant: &str) -> Self {
        let metrics = Self {
            length: metrics::gauge_vec(
                "tempo_query_frontend_queue_length",
                "Jobs that wait.",
                &["user"],
            ),
            discarded: metrics::counter_vec(
                "tempo_query_frontend_discarded_requests_total",
                "Queries refused because too many jobs of the tenant waited.",
                &["user"],
            ),
            duration: metrics::histogram(
                "tempo_query_frontend_queue_duration_seconds",
                "Time that a job waited for its turn.",
                metrics::DURATION_BUCKETS,
            ),
            retries: metrics::histogram(
                "tempo_query_frontend_retries",
                "Tries of a job after the first.",
                &RETRY_BUCKETS,
            ),
        };
        metrics.length.with_label_values(&[first_tenant]);
        metrics.discarded.with_label_values(&[first_tenant]);
        metrics
    }

    pub(crate) fn length(&self, tenant: &str, jobs: usize) {
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        self.length.with_label_values(&[tenant]).set(jobs);
    }

    pub(crate) fn discarded(&self, tenant: &str) {
        self.discarded.with_label_values(&[tenant]).inc();
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.duration.observe(time.as_secs_f64());
    }

    pub(crate) fn retried(&self, times: u32) {
        self.retries.observe(f64::from(times));
    }
}

/// One query under way; counted as canceled unless it is completed.
pub struct Running {
    metrics: Metrics,
    tenant: String,
    op: Op,
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
            jobs: metrics::histogram_vec(
                "tempo_query_frontend_jobs_per_query",
                "Jobs into which a query was cut.",
                &["op"],
                &JOB_BUCKETS,
            ),
            queue: QueueMetrics::register(first_tenant),
        };
        for op in Op::ALL.map(Op::label) {
            for result in ["completed", "canceled"] {
                let labels = [first_tenant, op, result];
                metrics.queries.with_label_values(&labels);
                metrics.within_slo.with_label_values(&labels);
            }
            let labels = [first_tenant, op];
            metrics.bytes_inspected.with_label_values(&labels);
        }
        metrics
    }

    /// A query was cut into so many jobs.
    pub fn cut(&self, op: Op, jobs: u32) {
        let jobs = f64::from(jobs);
        self.jobs.with_label_values(&[op.label()]).observe(jobs);
    }

    pub fn begin(&self, tenant: &str, op: Op) -> Running {
        Running {
            metrics: self.clone(),
            tenant: tenant.to_owned(),
            op,
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
        let (tenant, op) = (self.tenant.as_str(), self.op.label());
        self.metrics
            .queries
            .with_label_values(&[tenant, op, "completed"])
            .inc();
        self.metrics
            .bytes_inspected
            .with_label_values(&[tenant, op])
            .inc_by(inspected_bytes);
        let per_second = inspected_bytes as f64 / took.as_secs_f64().max(1e-6);
        self.metrics
            .throughput
            .with_label_values(&[tenant, op])
            .observe(per_second);
        if objective.is_kept(took, per_second) {
            self.metrics
                .within_slo
                .with_label_values(&[tenant, op, "completed"])
                .inc();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.completed {
            self.metrics
                .queries
                .with_label_values(&[self.tenant.as_str(), self.op.label(), "canceled"])
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
