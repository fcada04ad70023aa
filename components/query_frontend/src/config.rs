//! The settings of queries (`query_frontend`), as this crate uses them.

use std::time::Duration;

use vivace_config::blocks::query_frontend::{QueryFrontend, Slo};

use crate::limits;
use crate::metrics::Objective;

/// Of searches and of tags.
#[derive(Clone, Debug)]
pub struct SearchConfig {
    pub default_limit: u32,
    /// 0: any.
    pub max_limit: u32,
    pub default_spans_per_set: u32,
    /// 0: any.
    pub max_spans_per_set: u32,
    /// Nanoseconds; 0: any.
    pub max_range: u64,
    /// How far back a search without a range looks, in nanoseconds.
    pub default_range: u64,
    pub max_query_bytes: usize,
    /// Jobs of one query that wait or run at once.
    pub concurrent_jobs: usize,
    pub objective: Objective,
    /// Of tags.
    pub metadata_objective: Objective,
}

/// Of metrics queries.
#[derive(Clone, Debug)]
pub struct MetricsConfig {
    /// Nanoseconds; 0: any.
    pub max_range: u64,
    /// 0: any.
    pub max_intervals: u64,
    pub max_exemplars: u32,
    /// 0: any.
    pub max_series: u32,
    pub max_query_bytes: usize,
    pub concurrent_jobs: usize,
    pub objective: Objective,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct QueryConfig {
    pub search: SearchConfig,
    pub metrics: MetricsConfig,
    /// The newest data is left out for that many nanoseconds.
    pub cutoff: u64,
    /// Jobs of a tenant that may wait; 0: any number.
    pub max_outstanding_per_tenant: usize,
    /// Jobs that run at once on a shard, of all tenants.
    pub running_jobs: usize,
    /// Tries of a job after the first.
    pub max_retries: u32,
    /// Most bytes of a streamed message.
    pub packet_bytes: usize,
}

impl QueryConfig {
    /// From the file.
    pub fn new(config: &QueryFrontend) -> Self {
        let (search, metrics) = (&config.search, &config.metrics);
        let max_query_bytes = config.max_query_expression_size_bytes;
        let jobs = |configured: u32| usize::try_from(configured.max(1)).unwrap_or(usize::MAX);
        let packet = config.max_grpc_streaming_packet_size;
        Self {
            search: SearchConfig {
                default_limit: search.default_result_limit.max(1),
                max_limit: search.max_result_limit,
                default_spans_per_set: search.default_spans_per_span_set,
                max_spans_per_set: search.max_spans_per_span_set,
                max_range: nanos(search.max_duration.as_std()),
                default_range: nanos(search.query_backend_after.as_std()),
                max_query_bytes,
                concurrent_jobs: jobs(search.concurrent_jobs),
                objective: objective(&search.slo),
                metadata_objective: objective(&search.metadata_slo),
            },
            metrics: MetricsConfig {
                max_range: nanos(metrics.max_duration.as_std()),
                max_intervals: metrics.max_intervals,
                max_exemplars: metrics.max_exemplars,
                max_series: metrics.max_response_series,
                max_query_bytes,
                concurrent_jobs: jobs(metrics.concurrent_jobs),
                objective: objective(&metrics.slo),
            },
            cutoff: nanos(config.query_end_cutoff.as_std()),
            max_outstanding_per_tenant: usize::try_from(config.max_outstanding_per_tenant)
                .unwrap_or(usize::MAX),
            running_jobs: limits::RUNNING_JOBS,
            max_retries: config.max_retries,
            packet_bytes: if packet == 0 {
                limits::STREAM_PACKET_BYTES
            } else {
                packet
            },
        }
    }
}

fn objective(slo: &Slo) -> Objective {
    Objective {
        duration: slo.duration_slo.as_std(),
        bytes_per_second: slo.throughput_bytes_slo,
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
