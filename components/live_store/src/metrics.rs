//! The metrics of the process that have no tenant (observability.md §2.3), there with zeros from the start: scrapers take a missing name
//! for a fault. Those of cutting blocks and uploading them are counted by the block builder.

use prometheus::{Gauge, IntGauge, IntGaugeVec};
use vivace_shards::metrics::{
    self, DURATION_BUCKETS, counter, counter_vec, float_counter_vec, float_gauge, gauge, gauge_vec,
    histogram,
};

pub(crate) struct Metrics {
    pub ready: IntGauge,
    pub catch_up: Gauge,
    pub partition_owned: IntGaugeVec,
    pub index_entries: IntGauge,
    pub index_traces: IntGauge,
    pub index_bytes: IntGauge,
    pub resident_bytes: IntGauge,
    pub batches: IntGauge,
    pub inspected: prometheus::IntCounterVec,
    pub read_back: prometheus::IntCounter,
}

impl Metrics {
    pub fn register() -> Self {
        let zero_vec = |name: &str, help: &str, label: &str, values: &[&str]| {
            let family = counter_vec(name, help, &[label]);
            for value in values {
                family.with_label_values(&[value]);
            }
        };
        zero_vec(
            "tempo_live_store_lagged_requests_total",
            "Requests refused because of lag.",
            "route",
            &[
                "/tempopb.Querier/SearchRecent",
                "/tempopb.Metrics/QueryRange",
            ],
        );
        let waited = float_counter_vec(
            "tempo_live_store_back_pressure_seconds_total",
            "Time that ingest was held back.",
            &["reason"],
        );
        for reason in ["waiting_for_live_traces", "waiting_for_wal"] {
            waited.with_label_values(&[reason]);
        }
        histogram(
            "tempo_live_store_back_pressure_duration_seconds",
            "Waits that held ingest back.",
            DURATION_BUCKETS,
        );
        Self {
            ready: gauge("tempo_live_store_ready", "1 when the live-store answers."),
            catch_up: float_gauge(
                "tempo_live_store_catch_up_duration_seconds",
                "Time from start until the log was replayed.",
            ),
            partition_owned: gauge_vec(
                "tempo_live_store_partition_owned",
                "1 for each partition this process owns.",
                &["partition", "zone"],
            ),
            index_entries: gauge(
                "vivace_live_store_index_entries",
                "Entries of the trace index: one per trace and batch.",
            ),
            index_traces: gauge(
                "vivace_live_store_index_traces",
                "Distinct traces of the trace index.",
            ),
            index_bytes: gauge("vivace_live_store_index_bytes", "Bytes of the trace index."),
            resident_bytes: gauge(
                "vivace_live_store_resident_bytes",
                "Bytes of batches held in memory.",
            ),
            batches: gauge(
                "vivace_live_store_batches",
                "Batches that lookups reach, in memory or in the log.",
            ),
            inspected: metrics::counter_vec(
                "tempo_live_store_query_inspected_bytes_total",
                "Bytes looked at for queries.",
                &["tenant", "op"],
            ),
            read_back: counter(
                "vivace_live_store_read_back_total",
                "Records read back from the log for lookups.",
            ),
        }
    }
}
