//! The whole configuration.

use super::backend_work::{BackendScheduler, BackendWorker};
use super::block_builder::BlockBuilder;
use super::cache::Caches;
use super::distributor::Distributor;
use super::generator::MetricsGenerator;
use super::grpc_client::{PooledClient, SchedulerClient};
use super::ingest::Ingest;
use super::ingest_log::IngestLog;
use super::live_store::LiveStore;
use super::memberlist::Memberlist;
use super::overrides::Overrides;
use super::process::{Memory, Runtime, UsageReport};
use super::querier::Querier;
use super::query_frontend::QueryFrontend;
use super::server::{InternalServer, Server};
use super::storage::Storage;
use crate::block::block;
use crate::types::Duration;

block! {
    /// The whole configuration, in Tempo's order; Vivace's own blocks (`shards`, `runtime`, `ingest_log`) at the end.
    pub struct Config {
        /// What this process is: `all`, or one component.
        target: String = "all".into();
        /// Deprecated: `multitenancy_enabled`.
        auth_enabled: bool;
        /// Requests carry their tenant in X-Scope-OrgID.
        multitenancy_enabled: bool;
        /// Pause between the end of readiness and the end of the listeners.
        shutdown_delay: Duration;
        /// Serve gRPC on the HTTP port too.
        stream_over_http_enabled: bool;
        /// Prefix of the API's paths; starts with a slash.
        http_api_prefix: String;
        /// Accepted: Vivace has no Go runtime, and always exports the metrics of its own.
        enable_go_runtime_metrics: bool;
        /// Accepted without effect.
        span_profiling: bool;
        server: Server;
        internal_server: InternalServer;
        distributor: Distributor;
        /// Accepted without effect.
        metrics_generator_client: PooledClient;
        live_store_client: PooledClient;
        querier: Querier;
        query_frontend: QueryFrontend;
        metrics_generator: MetricsGenerator;
        ingest: Ingest;
        block_builder: BlockBuilder;
        storage: Storage;
        overrides: Overrides;
        memberlist: Memberlist;
        usage_report: UsageReport;
        cache: Caches;
        backend_scheduler: BackendScheduler;
        backend_scheduler_client: SchedulerClient;
        backend_worker: BackendWorker;
        live_store: LiveStore;
        memory: Memory;
        /// Number of shards; 0 = one per CPU of the allowed set. Vivace's own key.
        shards: usize;
        runtime: Runtime;
        ingest_log: IngestLog;
    }
}

impl Config {
    /// Whether requests carry their tenant, by either key.
    pub fn is_multitenant(&self) -> bool {
        self.multitenancy_enabled || self.auth_enabled
    }

    /// Folder of the embedded ingest log: its own key, or `ingest-log` beside the WAL's other content.
    pub fn ingest_log_path(&self) -> String {
        let own = &self.ingest_log.embedded.path;
        if own.is_empty() {
            format!(
                "{}/ingest-log",
                self.storage.trace.wal.path.trim_end_matches('/')
            )
        } else {
            own.clone()
        }
    }
}
