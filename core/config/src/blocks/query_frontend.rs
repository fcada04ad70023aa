//! `query_frontend` (configuration.md §6.1).

use crate::block::block;
use crate::types::{Duration, hours, mins, secs};

block! {
    /// Searches.
    pub struct FrontendSearch {
        /// Jobs of one search at once.
        concurrent_jobs: u32 = 1000;
        /// Bytes of block that a job reads.
        target_bytes_per_job: u64 = 104_857_600;
        /// Traces answered when the request does not say.
        default_result_limit: u32 = 20;
        /// Most traces that a request may ask for; 0 = no limit.
        max_result_limit: u32 = 262_144;
        /// Longest time range; 0 = no limit.
        max_duration: Duration = hours(168);
        /// Data younger than this comes from live-stores only, older from the backend only.
        query_backend_after: Duration = mins(15);
        /// Accepted without effect.
        query_ingesters_until: Duration = mins(30);
        /// Jobs into which recent data is divided.
        ingester_shards: u32 = 3;
        /// Jobs that must have answered for the most recent results.
        most_recent_shards: u32 = 200;
        /// Spans of a span set when the request does not say.
        default_spans_per_span_set: u32 = 3;
        /// Most spans of a span set; 0 = no limit.
        max_spans_per_span_set: u32 = 100;
        /// Longest time of a search.
        timeout: Option<Duration>;
        [inline] slo: Slo;
        metadata_slo: Slo;
    }
}

block! {
    /// What counts as answered in time.
    pub struct Slo {
        /// Longest time; 0 = not counted.
        duration_slo: Duration;
        /// Bytes a second; 0 = not counted.
        throughput_bytes_slo: f64;
    }
}

block! {
    /// Trace by id.
    pub struct FrontendTraceById {
        /// Jobs of one request.
        query_shards: u32 = 50;
        /// Blocks of a job; 0 = `query_shards` decides.
        blocks_per_shard: u32 = 30;
        /// Jobs at once; 0 = all.
        concurrent_shards: u32;
        [inline] slo: Slo;
        /// Ask the external store too.
        external_enabled: bool;
        /// Allow requests to leave out spans of large traces.
        span_pruning_enabled: bool;
        /// Leave them out unless the request says otherwise.
        span_pruning_enabled_by_default: bool;
    }
}

block! {
    /// Metrics queries.
    pub struct FrontendMetrics {
        /// Jobs of one query at once.
        concurrent_jobs: u32 = 1000;
        /// Bytes of block that a job reads.
        target_bytes_per_job: u64 = 104_857_600;
        /// Longest time range; 0 = no limit.
        max_duration: Duration = hours(24);
        /// Data younger than this comes from live-stores only, older from the backend only.
        query_backend_after: Duration = mins(15);
        /// Times are cut on borders of this length, so that answers can be cached.
        interval: Duration = mins(5);
        /// Most exemplars.
        max_exemplars: u32 = 100;
        /// Most series of an answer; 0 = no limit.
        max_response_series: u32;
        /// Most steps of a query.
        max_intervals: u64 = 10_000;
        /// Jobs that must have answered for a first streamed answer.
        streaming_shards: u32 = 200;
        [inline] slo: Slo;
    }
}

block! {
    /// Makes heavy jobs count more, so that a querier gets fewer of them.
    pub struct Weights {
        /// Weigh requests.
        request_with_weights: bool = true;
        /// A job that is tried again weighs more.
        retry_with_weights: bool = true;
        /// Conditions from which a query is heavy.
        max_traceql_conditions: u32 = 4;
        /// Regular expressions from which a query is heavy.
        max_regex_conditions: u32 = 1;
    }
}

block! {
    /// The server for language models' tools.
    pub struct McpServer {
        /// Start it.
        enabled: bool;
    }
}

block! {
    /// Takes queries, divides them into jobs, merges the answers.
    pub struct QueryFrontend {
        /// Most jobs of a tenant that wait; beyond, queries are answered with 429.
        max_outstanding_per_tenant: u32 = 2000;
        /// Jobs in one message to a querier.
        max_batch_size: u32 = 7;
        /// Headers of queries that are logged, with commas.
        log_query_request_headers: String;
        /// Most tries of a job after the first.
        max_retries: u32 = 2;
        search: FrontendSearch;
        trace_by_id: FrontendTraceById;
        metrics: FrontendMetrics;
        /// Allow `a|b` as tenant of a query.
        multi_tenant_queries_enabled: bool = true;
        /// Answers merged at once.
        response_consumers: u32 = 10;
        weights: Weights;
        mcp_server: McpServer;
        /// Longest query text, in bytes.
        max_query_expression_size_bytes: usize = 131_072;
        /// Longest time of a request; 0 = no limit.
        api_timeout: Duration;
        /// The newest data is left out of range queries for this time.
        query_end_cutoff: Duration = secs(30);
        /// Largest streamed message, in bytes.
        max_grpc_streaming_packet_size: usize = 1_048_576;
        /// Regular expressions of URLs that are refused.
        url_deny_list: Vec<String>;
        /// Accepted: queriers are in this process and see all headers.
        allowed_headers: Vec<String>;
        /// Names of query rewrites that are left out.
        skip_ast_transformations: Vec<String>;
        /// Accepted without effect.
        rf1_after: String;
    }
}
