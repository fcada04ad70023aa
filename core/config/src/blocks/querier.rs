//! `querier` (configuration.md §6.2).

use super::grpc_client::{Backoff, ClientClusterValidation, GrpcClient};
use crate::block::block;
use crate::types::{Duration, MIB, Size, hours, millis, secs};

block! {
    /// Search jobs.
    pub struct QuerierSearch {
        /// Longest time of a job.
        query_timeout: Duration = secs(30);
    }
}

block! {
    /// Another store that traces are asked from.
    pub struct ExternalTraces {
        /// Its address; empty = none.
        endpoint: String;
        /// Longest time of a request.
        timeout: Duration = secs(10);
    }
}

block! {
    /// Jobs of trace by id.
    pub struct QuerierTraceById {
        /// Longest time of a job.
        query_timeout: Duration = secs(10);
        external: ExternalTraces;
    }
}

block! {
    /// Metrics jobs.
    pub struct QuerierMetrics {
        /// Blocks that a job reads at once.
        concurrent_blocks: u32 = 2;
        /// From 0 to 1: which part of a block must be in the asked time to use its index of times.
        time_overlap_cutoff: f64 = 0.2;
    }
}

block! {
    /// How live-stores are asked.
    pub struct QuerierPartitionRing {
        /// Ask one owner of each partition instead of all.
        minimize_requests: bool = true;
        /// When the next owner is asked too.
        hedging_delay: Duration = secs(3);
        /// Zone that is asked first.
        preferred_zone: String;
    }
}

block! {
    /// The connection to the query-frontends.
    pub struct FrontendWorker {
        /// Host and port of the query-frontends; all addresses of the name are used.
        frontend_address: String;
        /// Pause between two look-ups of the name.
        dns_lookup_duration: Duration = secs(10);
        /// Connections to each query-frontend.
        parallelism: u32 = 2;
        /// Let `max_concurrent_queries` decide instead.
        match_max_concurrent: bool = true;
        /// Name of this querier; empty = the host's name.
        id: String;
        grpc_client_config: GrpcClient = GrpcClient {
            max_send_msg_size: 16 * MIB as usize,
            backoff_config: Backoff { min_period: millis(100), max_period: secs(1), max_retries: 5 },
            initial_stream_window_size: Size(0),
            initial_connection_window_size: Size(0),
            connect_timeout: Duration::ZERO,
            connect_backoff_base_delay: Duration::ZERO,
            connect_backoff_max_delay: Duration::ZERO,
            cluster_validation: ClientClusterValidation::default(),
            ..GrpcClient::default()
        };
    }
}

block! {
    /// Runs the jobs of the query-frontends.
    pub struct Querier {
        search: QuerierSearch;
        trace_by_id: QuerierTraceById;
        metrics: QuerierMetrics;
        partition_ring: QuerierPartitionRing;
        /// Jobs at once.
        max_concurrent_queries: u32 = 20;
        frontend_worker: FrontendWorker;
        /// Wait added to each query, for tests.
        extra_query_delay: Duration;
        /// Accepted without effect.
        shuffle_sharding_ingesters_enabled: bool;
        /// Accepted without effect.
        shuffle_sharding_ingesters_lookback_period: Duration = hours(1);
        /// Accepted without effect.
        query_relevant_ingesters: bool;
        /// Accepted without effect.
        secondary_ingester_ring: String;
    }
}
