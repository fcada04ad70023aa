//! The limits of a tenant, as they stand under `overrides.defaults` and in the file of tenants
//! (configuration.md §8.2).
//!
//! A tenant's entry replaces the defaults as a whole: it is read over zero values. The keys that fall back to the
//! defaults one by one are `Option`s here.

use std::collections::BTreeMap;

use super::generator::{DimensionMapping, FilterPolicy};
use super::storage::DedicatedColumn;
use crate::block::{block, choice};
use crate::types::{Duration, PromDuration, Secret, mins};

choice! {
    /// What the ingest rate limit applies to.
    pub enum RateStrategy {
        /// Each distributor has the whole limit.
        Local = "local",
        /// The distributors share the limit.
        Global = "global",
    }
}

choice! {
    /// Which histograms are made.
    pub enum HistogramKind {
        Classic = "classic",
        Native = "native",
        Both = "both",
        Unset = "",
    }
}

choice! {
    /// What is done to span names with ids in them.
    pub enum SpanNameSanitization {
        Off = "",
        DryRun = "dry_run",
        Enabled = "enabled",
    }
}

block! {
    /// Limits of what comes in.
    pub struct IngestionLimits {
        /// What the rate limit applies to. Only that of the defaults counts.
        rate_strategy: RateStrategy;
        /// Bytes a second.
        rate_limit_bytes: u64 = 30_000_000;
        /// Bytes at once; a larger request always fails.
        burst_size_bytes: u64 = 30_000_000;
        /// Most live traces of a live-store; 0 = no limit.
        max_traces_per_user: u64 = 10_000;
        /// Accepted without effect.
        max_global_traces_per_user: u64;
        /// Partitions that a tenant is spread over; 0 = all.
        tenant_shard_size: u32;
        /// Longest attribute key or value, in bytes; 0 = `distributor.max_attribute_bytes`.
        max_attribute_bytes: u64;
        /// Answers take at least this long; unset = `distributor.artificial_delay`.
        artificial_delay: Option<Duration>;
        /// Tell clients when to try again.
        retry_info_enabled: Option<bool> = Some(true);
    }
}

block! {
    /// Limits of queries.
    pub struct ReadLimits {
        /// Most bytes of an answer of tag values.
        max_bytes_per_tag_values_query: u64 = 1_000_000;
        /// Most local blocks of a query of tag values; 0 = no limit.
        max_blocks_per_tag_values_query: u32;
        /// Most groups of conditions of a query of tags. Only that of the defaults counts.
        max_condition_groups_per_tag_query: u32 = 100;
        /// Longest time range of a search; 0 = `query_frontend.search.max_duration`.
        max_search_duration: PromDuration;
        /// Longest time range of a metrics query; 0 = `query_frontend.metrics.max_duration`.
        max_metrics_duration: PromDuration;
        /// Allow hints that change how a query runs.
        unsafe_query_hints: bool;
        /// Print trace ids with all 32 digits.
        left_pad_trace_ids: bool;
        /// Metrics queries read spans only.
        metrics_spanonly_fetch: Option<bool>;
        /// Count the bytes that queries read.
        engine_bytes_tracking: Option<bool>;
        /// Leave out spans of large traces; unset = `query_frontend.trace_by_id.span_pruning_enabled`.
        span_pruning_enabled: Option<bool>;
        /// Count spans that stand for others as those.
        span_pruning_awareness: bool;
    }
}

block! {
    /// Limits of blocks.
    pub struct CompactionLimits {
        /// Blocks are kept for this time; 0 = that of the scheduler.
        block_retention: PromDuration;
        /// Blocks whose ends are in the same window are compacted together; 0 = that of the scheduler.
        compaction_window: PromDuration;
        /// Don't compact.
        compaction_disabled: bool;
    }
}

block! {
    /// The queue to the generator.
    pub struct GeneratorForwarder {
        /// Requests that wait; 0 = 100.
        queue_size: u32;
        /// Workers; 0 = 2.
        workers: u32;
    }
}

block! {
    /// A tenant's metrics of calls between services.
    pub struct ServiceGraphLimits {
        /// Borders of the histogram, in seconds.
        histogram_buckets: Vec<f64>;
        /// Attributes that become labels.
        dimensions: Vec<String>;
        /// Attributes that name the other side.
        peer_attributes: Vec<String>;
        /// Such labels start with `client_` or `server_`.
        enable_client_server_prefix: Option<bool>;
        /// Measure the time in queues.
        enable_messaging_system_latency_histogram: Option<bool>;
        /// Mark services that send no spans.
        enable_virtual_node_label: Option<bool>;
        /// Attribute by which a span counts more than once.
        span_multiplier_key: String;
        /// Take that number from the trace state too.
        enable_tracestate_span_multiplier: Option<bool>;
        /// Attributes that name a database.
        database_name_attributes: Vec<String>;
        /// Which spans count.
        filter_policies: Vec<FilterPolicy>;
    }
}

block! {
    /// A tenant's metrics of spans.
    pub struct SpanMetricLimits {
        /// Borders of the histogram, in seconds.
        histogram_buckets: Vec<f64>;
        /// Attributes that become labels.
        dimensions: Vec<String>;
        /// Labels from the span itself.
        intrinsic_dimensions: BTreeMap<String, bool>;
        /// Which spans count.
        filter_policies: Vec<FilterPolicy>;
        /// Labels made of attributes.
        dimension_mappings: Vec<DimensionMapping>;
        /// Make traces_target_info.
        enable_target_info: Option<bool>;
        /// Attributes that traces_target_info leaves out.
        target_info_excluded_dimensions: Vec<String>;
        /// Label metrics with the instance.
        enable_instance_label: Option<bool>;
        /// Attribute by which a span counts more than once.
        span_multiplier_key: String;
        /// Take that number from the trace state too.
        enable_tracestate_span_multiplier: Option<bool>;
    }
}

block! {
    /// A tenant's metrics of hosts.
    pub struct HostInfoLimits {
        /// Attributes that name the host.
        host_identifiers: Vec<String>;
        /// Name of the metric.
        metric_name: String;
    }
}

block! {
    /// A tenant's processors.
    pub struct ProcessorLimits {
        service_graphs: ServiceGraphLimits;
        span_metrics: SpanMetricLimits;
        host_info: HostInfoLimits;
    }
}

block! {
    /// Limits of the generator.
    pub struct GeneratorLimits {
        /// Accepted without effect.
        ring_size: u32;
        /// Processors that run.
        processors: Vec<String>;
        /// Most series; 0 = no limit.
        max_active_series: u64;
        /// Most entities; 0 = no limit.
        max_active_entities: u64;
        /// Most values of a label; 0 = no limit.
        max_cardinality_per_label: u64;
        /// Pause between two samples; 0 = that of the generator.
        collection_interval: Duration;
        /// Make no samples.
        disable_collection: bool;
        /// Which histograms are made.
        generate_native_histograms: HistogramKind;
        /// Growth of the borders of native histograms.
        native_histogram_bucket_factor: Option<f64> = Some(1.1);
        /// Most borders of native histograms.
        native_histogram_max_bucket_number: Option<u32> = Some(100);
        /// Least pause between two resets of native histograms.
        native_histogram_min_reset_duration: Option<Duration> = Some(mins(15));
        /// Label of trace ids of exemplars; empty = traceID.
        trace_id_label_name: String;
        /// Headers of remote write.
        remote_write_headers: BTreeMap<String, Secret>;
        /// Spans further from now than this are not counted; 0 = that of the generator.
        ingestion_time_range_slack: Duration;
        /// What is done to span names with ids in them.
        span_name_sanitization: Option<SpanNameSanitization>;
        forwarder: GeneratorForwarder;
        processor: ProcessorLimits;
    }
}

block! {
    /// Limits of traces.
    pub struct GlobalLimits {
        /// Most bytes of a trace; 0 = no limit.
        max_bytes_per_trace: u64 = 5_000_000;
    }
}

block! {
    /// How a tenant's blocks are written.
    pub struct StorageLimits {
        /// Attributes with columns of their own; empty = those of `storage.trace.block`.
        parquet_dedicated_columns: Vec<DedicatedColumn>;
    }
}

block! {
    /// How a tenant's bytes are counted.
    pub struct CostLimits {
        /// Most series; 0 = that of the distributor.
        max_cardinality: u64;
        /// Labels by attribute; an empty label is the attribute's name.
        dimensions: BTreeMap<String, String>;
    }
}

block! {
    /// Everything that can be set for a tenant.
    pub struct Limits {
        ingestion: IngestionLimits;
        read: ReadLimits;
        compaction: CompactionLimits;
        metrics_generator: GeneratorLimits;
        /// Names of forwarders that get the tenant's spans.
        forwarders: Vec<String>;
        global: GlobalLimits;
        storage: StorageLimits;
        cost_attribution: CostLimits;
    }
}
