//! `metrics_generator` (configuration.md §5.5). Parsed and checked; the generator itself comes later.

use std::collections::BTreeMap;

use super::remote_write::RemoteWrite;
use super::ring::Ring;
use crate::block::{block, choice};
use crate::types::{Duration, hours, mins, secs};

block! {
    /// A condition of a filter.
    pub struct FilterAttribute {
        /// Name of the attribute or intrinsic.
        key: String;
        /// Its value, or a regular expression.
        value: FilterValue;
    }
}

/// A text, number or boolean as it is written.
pub type FilterValue = crate::types::Any;

choice! {
    /// How a condition compares.
    pub enum MatchType {
        Strict = "strict",
        Regex = "regex",
    }
}

block! {
    /// Conditions of a filter.
    pub struct PolicyMatch {
        /// How values are compared.
        match_type: MatchType;
        /// The conditions.
        attributes: Vec<FilterAttribute>;
    }
}

block! {
    /// Which spans count.
    pub struct FilterPolicy {
        /// All must hold.
        include: Option<PolicyMatch>;
        /// One must hold.
        include_any: Option<PolicyMatch>;
        /// None must hold.
        exclude: Option<PolicyMatch>;
    }
}

block! {
    /// A label made of attributes.
    pub struct DimensionMapping {
        /// Name of the label.
        name: String;
        /// Attributes.
        source_labels: Vec<String>;
        /// What is put between their values.
        join: String;
    }
}

/// Owned texts.
fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| item.to_string()).collect()
}

/// `count` numbers, each twice the one before.
fn doubling(first: f64, count: u32) -> Vec<f64> {
    // Through thousandths, so that 0.1, 0.2, 0.4 … print as such.
    (0..count)
        .map(|index| (first * 1000.0 * f64::from(1u32 << index)).round() / 1000.0)
        .collect()
}

block! {
    /// Metrics of calls between services.
    pub struct ServiceGraphs {
        /// How long the other half of a call is waited for.
        wait: Duration = secs(10);
        /// Most calls that wait.
        max_items: u32 = 10_000;
        /// Workers.
        workers: u32 = 10;
        /// Borders of the histogram, in seconds.
        histogram_buckets: Vec<f64> = doubling(0.1, 8);
        /// Attributes that become labels.
        dimensions: Vec<String>;
        /// Such labels start with `client_` or `server_`.
        enable_client_server_prefix: bool;
        /// Measure the time in queues.
        enable_messaging_system_latency_histogram: bool;
        /// Attributes that name the other side.
        peer_attributes: Vec<String> = texts(&["peer.service", "db.name", "db.system", "db.system.name"]);
        /// Attribute by which a span counts more than once.
        span_multiplier_key: String;
        /// Take that number from the trace state too.
        enable_tracestate_span_multiplier: bool;
        /// Mark services that send no spans.
        enable_virtual_node_label: bool;
        /// Attributes that name a database.
        database_name_attributes: Vec<String> = texts(&["db.namespace", "db.name", "db.system", "db.system.name"]);
        /// Which spans count.
        filter_policies: Vec<FilterPolicy>;
    }
}

block! {
    /// Labels from the span itself.
    pub struct IntrinsicDimensions {
        /// Name of the service.
        service: bool = true;
        /// Name of the span.
        span_name: bool = true;
        /// Kind.
        span_kind: bool = true;
        /// Status.
        status_code: bool = true;
        /// Text of the status.
        status_message: bool;
    }
}

block! {
    /// Metrics of spans.
    pub struct SpanMetrics {
        /// Borders of the histogram, in seconds.
        histogram_buckets: Vec<f64> = doubling(0.002, 14);
        intrinsic_dimensions: IntrinsicDimensions;
        /// Attributes that become labels.
        dimensions: Vec<String>;
        /// Labels made of attributes.
        dimension_mappings: Vec<DimensionMapping>;
        /// Make traces_target_info.
        enable_target_info: bool;
        /// Attribute by which a span counts more than once.
        span_multiplier_key: String;
        /// Take that number from the trace state too.
        enable_tracestate_span_multiplier: bool;
        /// Which parts are made, by number: 0 latency, 1 count, 2 size.
        subprocessors: BTreeMap<String, bool> = ["0", "1", "2"].map(|part| (part.to_string(), true)).into();
        /// Which spans count.
        filter_policies: Vec<FilterPolicy>;
        /// Attributes that traces_target_info leaves out.
        target_info_excluded_dimensions: Vec<String>;
        /// Label metrics with the instance.
        enable_instance_label: bool = true;
    }
}

block! {
    /// Metrics of hosts.
    pub struct HostInfo {
        /// Attributes that name the host.
        host_identifiers: Vec<String> = texts(&["k8s.node.name", "host.id"]);
        /// Name of the metric.
        metric_name: String = "traces_host_info".into();
    }
}

block! {
    /// The processors and their defaults.
    pub struct Processors {
        service_graphs: ServiceGraphs;
        span_metrics: SpanMetrics;
        host_info: HostInfo;
    }
}

block! {
    /// The series that are made.
    pub struct Registry {
        /// Pause between two samples.
        collection_interval: Duration = secs(15);
        /// A series that does not change for this time is forgotten.
        stale_duration: Duration = mins(15);
        /// Labels of every series.
        external_labels: BTreeMap<String, String>;
        /// Name of a label with the tenant; empty = none.
        inject_tenant_id_as: String;
        /// Longest label name.
        max_label_name_length: u32 = 1024;
        /// Longest label value.
        max_label_value_length: u32 = 2048;
    }
}

block! {
    /// The log of samples that are not sent yet.
    pub struct GeneratorWal {
        /// Bytes of a segment.
        wal_segment_size: u64 = 134_217_728;
        /// How it is compressed.
        wal_compression: WalCompression;
        /// Stripes of the series' table.
        stripe_size: u32 = 16_384;
        /// Pause between two cuts.
        truncate_frequency: Duration = hours(2);
        /// Least age of samples that are cut, in milliseconds.
        min_wal_time: i64 = 300_000;
        /// Most age of samples that are kept, in milliseconds.
        max_wal_time: i64 = 14_400_000;
        /// Don't lock the folder.
        no_lockfile: bool;
    }
}

choice! {
    /// How the log is compressed.
    pub enum WalCompression {
        None = "none",
        Snappy = "snappy",
        Zstd = "zstd",
        Unset = "",
    }
}

block! {
    /// Where samples go.
    pub struct GeneratorStorage {
        /// Folder of samples that are not sent yet; empty = no generator.
        path: String;
        wal: GeneratorWal;
        /// Longest wait for the last samples at shutdown.
        remote_write_flush_deadline: Duration = mins(1);
        /// Receivers of metrics.
        remote_write: Vec<RemoteWrite>;
        /// Send the tenant in X-Scope-OrgID.
        remote_write_add_org_id_header: bool = true;
    }
}

choice! {
    /// How generators share the work.
    pub enum RingMode {
        Partition = "partition",
        Generator = "generator",
    }
}

choice! {
    /// What records hold.
    pub enum GeneratorCodec {
        PushBytes = "push-bytes",
        Otlp = "otlp",
    }
}

choice! {
    /// Which limit counts.
    pub enum LimiterType {
        Series = "series",
        Entity = "entity",
    }
}

block! {
    /// Makes metrics from spans.
    pub struct MetricsGenerator {
        ring: Ring;
        processor: Processors;
        registry: Registry;
        storage: GeneratorStorage;
        /// Spans further from now than this are not counted.
        metrics_ingestion_time_range_slack: Duration = secs(30);
        /// Accepted without effect.
        query_timeout: Duration = secs(30);
        /// Name of the ring.
        override_ring_key: String = "metrics-generator".into();
        /// How generators share the work.
        ring_mode: RingMode;
        /// What records hold.
        codec: GeneratorCodec;
        /// Accepted without effect.
        disable_local_blocks: bool;
        /// Accepted without effect.
        disable_grpc: bool;
        /// Which limit counts.
        limiter_type: LimiterType;
        /// Requests at once.
        ingest_concurrency: u32 = 16;
        /// Name of this process; empty = the host's name.
        instance_id: String;
        /// Consumer group; empty = that of the component.
        consumer_group: String;
        /// Leave the consumer group at shutdown.
        leave_consumer_group_on_shutdown: bool;
        /// At start, skip what is too old to count.
        skip_stale_backlog_on_startup: bool;
    }
}
