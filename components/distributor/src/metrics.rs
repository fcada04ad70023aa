//! The distributor's metrics without a tenant of their own (observability.md §2.2), there with zeros from the first scrape.

use prometheus::{Histogram, IntCounter, IntCounterVec};
use vivace_shards::metrics::{
    Busy, DURATION_BUCKETS, LocalHistogram, Unit, counter, counter_vec, gauge_vec, histogram_vec,
    local_histogram,
};

const COUNT_BUCKETS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0,
];

/// The receiver label of OTLP.
const OTLP: &str = "otlp/otlp_receiver";

/// Reasons of `tempo_distributor_produce_failures_total`.
const PRODUCE_FAILURES: [&str; 6] = [
    "timeout",
    "buffer-full",
    "record-too-large",
    "canceled",
    "other",
    "cancelled-before-producing",
];

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// Series that exist before anything happened, also those that other parts of the distributor will count.
pub(crate) fn announce(first_tenant: &str) {
    let queue = gauge_vec(
        "tempo_distributor_queue_length",
        "Requests waiting.",
        &["name", "tenant"],
    );
    queue.with_label_values(&["generator", first_tenant]);
    let pushes = counter_vec(
        "tempo_distributor_queue_pushes_total",
        "Requests queued.",
        &["name", "tenant"],
    );
    pushes.with_label_values(&["generator", first_tenant]);
    for (name, help) in [
        (
            "tempo_distributor_metrics_generator_pushes_total",
            "Pushes to metrics generators.",
        ),
        (
            "tempo_distributor_metrics_generator_pushes_failures_total",
            "Failed pushes to metrics generators.",
        ),
    ] {
        counter_vec(name, help, &["metrics_generator"]).with_label_values(&["local"]);
    }
    for (name, help) in [
        (
            "tempo_distributor_forwarder_pushes_total",
            "Pushes to forwarders.",
        ),
        (
            "tempo_distributor_forwarder_pushes_failures_total",
            "Failed pushes to forwarders.",
        ),
    ] {
        counter_vec(name, help, &["tenant"]).with_label_values(&[first_tenant]);
    }
    counter_vec(
        "tempo_distributor_usage_tracker_errors_total",
        "Failures to attribute bytes to their senders.",
        &["tenant", "reason"],
    )
    .with_label_values(&[first_tenant, "unknown"]);
    let warnings = counter_vec(
        "tempo_warnings_total",
        "Data of doubtful quality.",
        &["tenant", "reason"],
    );
    warnings.with_label_values(&[first_tenant, "outside_ingestion_time_slack"]);
    Metrics::register();
}

/// What every shard counts into.
pub(crate) struct Metrics {
    /// From a request's bytes to batches.
    pub scan: Busy,
    pub push_duration: LocalHistogram,
    pub traces_per_batch: LocalHistogram,
    pub records_per_request: LocalHistogram,
    pub write_latency: LocalHistogram,
    write_bytes: IntCounterVec,
    pub produce_batches: IntCounter,
    pub produce_records: IntCounter,
    produce_failures: IntCounterVec,
    accepted: [IntCounter; 2],
    refused: [IntCounter; 2],
    pub repaired_utf8: IntCounter,
}

impl Metrics {
    pub fn register() -> Self {
        let local =
            |name: &str, help: &str, unit, bounds| local_histogram(name, help, &[], unit, bounds);
        let accepted = counter_vec(
            "tempo_receiver_accepted_spans",
            "Spans taken in.",
            &["receiver", "transport"],
        );
        let refused = counter_vec(
            "tempo_receiver_refused_spans",
            "Spans refused.",
            &["receiver", "transport"],
        );
        let both = |family: &IntCounterVec| {
            [Transport::Grpc, Transport::Http]
                .map(|transport| family.with_label_values(&[OTLP, transport.as_str()]))
        };
        let produce_failures = counter_vec(
            "tempo_distributor_produce_failures_total",
            "Failed writes to the log.",
            &["reason"],
        );
        for reason in PRODUCE_FAILURES {
            produce_failures.with_label_values(&[reason]);
        }
        let write_bytes = counter_vec(
            "tempo_distributor_kafka_write_bytes_total",
            "Bytes written to the log.",
            &["partition"],
        );
        write_bytes.with_label_values(&["partition_0"]);
        Self {
            scan: Busy::new("scan"),
            push_duration: local(
                "tempo_distributor_push_duration_seconds",
                "Time from a request's arrival to its answer.",
                Unit::Seconds,
                DURATION_BUCKETS,
            ),
            traces_per_batch: local(
                "tempo_distributor_traces_per_batch",
                "Traces of a request.",
                Unit::Plain,
                COUNT_BUCKETS,
            ),
            records_per_request: local(
                "tempo_distributor_kafka_records_per_request",
                "Log records of a request.",
                Unit::Plain,
                COUNT_BUCKETS,
            ),
            write_latency: local(
                "tempo_distributor_kafka_write_latency_seconds",
                "Time until a record was durable.",
                Unit::Seconds,
                DURATION_BUCKETS,
            ),
            write_bytes,
            produce_batches: counter(
                "tempo_distributor_produce_batches_total",
                "Batches handed to the log.",
            ),
            produce_records: counter(
                "tempo_distributor_produce_records_total",
                "Records handed to the log.",
            ),
            produce_failures,
            accepted: both(&accepted),
            refused: both(&refused),
            repaired_utf8: counter(
                "vivace_distributor_repaired_utf8_total",
                "Strings that were not UTF-8 and had to be repaired.",
            ),
        }
    }

    pub fn accepted(&self, transport: Transport, spans: u64) {
        self.accepted[transport as usize].inc_by(spans);
    }

    pub fn refused(&self, transport: Transport, spans: u64) {
        self.refused[transport as usize].inc_by(spans);
    }

    /// A record of `bytes` bytes is durable.
    pub fn written(&self, partition: u32, bytes: u64) {
        self.write_bytes
            .with_label_values(&[format!("partition_{partition}")])
            .inc_by(bytes);
    }

    pub fn produce_failed(&self, reason: &str) {
        self.produce_failures.with_label_values(&[reason]).inc();
    }
}

/// Registered when the first delay happens: most installations have none.
pub(crate) fn added_latency(tenant: &str) -> Histogram {
    histogram_vec(
        "tempo_distributor_added_latency_seconds",
        "Artificial delay added to requests.",
        &["tenant"],
        DURATION_BUCKETS,
    )
    .with_label_values(&[tenant])
}
