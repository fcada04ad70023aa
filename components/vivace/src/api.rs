//! The routers of the process: the query API, the operators' pages, gRPC.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use ::http::{HeaderName, Method};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use regex::Regex;
use vivace_engine::TraceResult;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;
use vivace_query_frontend::{
    self as query_frontend, BlockLookup, FromBlocks, Frontend, Jobs, MetricsSpec, QueryConfig,
    QuerySource, SearchSpec, SourceError, TagsFound, TagsSpec, TraceSource,
};
use vivace_query_metrics::Partials;
use vivace_shards::BoxError;
use vivace_shards::grpc;
use vivace_shards::http::{Methods, Router};
use vivace_traceql::Query;

use crate::glue::{Queries, Traces};
use crate::limits::ShardLimits;
use crate::node::Node;
use crate::request_log::RequestLog;
use crate::settings::span;
use crate::shard::FIRST_TENANT;
use crate::status;
use crate::tenants::QueryTenants;

/// Descriptions of the gRPC services, for reflection.
pub const DESCRIPTORS: &[u8] = vivace_protocol::DESCRIPTORS;

/// Where spans are found.
#[derive(Clone)]
pub struct Sources {
    /// By trace id.
    pub traces: Rc<Traces>,
    /// By query.
    pub queries: Queries,
}

/// Sources that are connected when the live store has started; until then queries are told to come again.
#[derive(Clone, Default)]
pub struct Late(Rc<RefCell<Option<Sources>>>);

impl Late {
    /// Connects them.
    pub fn set(&self, sources: Sources) {
        *self.0.borrow_mut() = Some(sources);
    }

    fn sources(&self) -> Result<Sources, SourceError> {
        let sources = self.0.borrow().clone();
        sources.ok_or_else(|| SourceError::Unavailable("live-store is starting".into()))
    }
}

impl TraceSource for Late {
    fn find_recent<'a>(
        &'a self,
        tenant: &'a str,
        trace_id: TraceId,
    ) -> LocalBoxFuture<'a, Result<Vec<Fragment>, SourceError>> {
        async move { self.sources()?.traces.find_recent(tenant, trace_id).await }.boxed_local()
    }

    fn find_in_blocks<'a>(
        &'a self,
        tenant: &'a str,
        lookup: &'a BlockLookup,
    ) -> LocalBoxFuture<'a, Result<FromBlocks, SourceError>> {
        async move { self.sources()?.traces.find_in_blocks(tenant, lookup).await }.boxed_local()
    }
}

impl QuerySource for Late {
    fn search<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Vec<TraceResult>>, SourceError>> {
        async move { self.sources()?.queries.search(tenant, spec).await }.boxed_local()
    }

    fn complete<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
        found: Vec<TraceResult>,
    ) -> LocalBoxFuture<'a, Result<Vec<TraceResult>, SourceError>> {
        async move {
            let sources = self.sources()?;
            sources.queries.complete(tenant, spec, found).await
        }
        .boxed_local()
    }

    fn metrics<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<MetricsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Partials>, SourceError>> {
        async move { self.sources()?.queries.metrics(tenant, spec).await }.boxed_local()
    }

    fn tags<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<TagsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<TagsFound>, SourceError>> {
        async move { self.sources()?.queries.tags(tenant, spec).await }.boxed_local()
    }

    fn matching_spans<'a>(
        &'a self,
        query: &'a Query,
        trace_id: TraceId,
        fragments: &'a [Fragment],
    ) -> LocalBoxFuture<'a, Result<Vec<[u8; 8]>, SourceError>> {
        async move {
            let sources = self.sources()?;
            let found = sources.queries.matching_spans(query, trace_id, fragments);
            found.await
        }
        .boxed_local()
    }
}

/// The query API of a shard.
pub fn frontend(
    node: &Arc<Node>,
    limits: &Rc<ShardLimits>,
    late: &Late,
) -> Result<Frontend, BoxError> {
    let config = &node.config;
    let frontend = &config.query_frontend;
    let slo = &frontend.trace_by_id.slo;
    let deps = query_frontend::Deps {
        prefix: config.http_api_prefix.clone(),
        api_timeout: span(frontend.api_timeout),
        duration_slo: span(slo.duration_slo),
        throughput_bytes_slo: slo.throughput_bytes_slo,
        first_tenant: FIRST_TENANT.to_owned(),
        url_deny_list: frontend
            .url_deny_list
            .iter()
            .map(|pattern| Regex::new(pattern))
            .collect::<Result<_, _>>()?,
        log_headers: frontend
            .log_query_request_headers
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(HeaderName::try_from)
            .collect::<Result<_, _>>()?,
        traces: Rc::new(late.clone()),
        tenants: Rc::new(QueryTenants {
            multitenancy: config.is_multitenant(),
            several: frontend.multi_tenant_queries_enabled,
            limits: Rc::clone(limits),
        }),
        queries: Some(query_frontend::Queries {
            source: Rc::new(late.clone()),
            config: QueryConfig::new(frontend),
        }),
    };
    Ok(Frontend::new(deps))
}

/// Everything on the HTTP port.
pub fn router(node: &Arc<Node>, frontend: &Frontend) -> Result<Router, BoxError> {
    let config = &node.config;
    let mut router = Router::new();
    for route in frontend.routes()? {
        router = router.add_route(route);
    }
    router = status::add_routes(router, node);
    router = router
        .prefix(&config.server.http_path_prefix)
        .log(Rc::new(RequestLog::new(&config.server)));
    if config.stream_over_http_enabled {
        router = router.mount_grpc(grpc_server(node, frontend)?);
    }
    Ok(router)
}

/// For probes (`internal_server`): `/ready`, and `/metrics` if it is asked for.
pub fn internal_router(node: &Arc<Node>) -> Router {
    let server = &node.config.internal_server.server;
    let mut router = Router::new()
        .prefix(&server.http_path_prefix)
        .log(Rc::new(RequestLog::new(server)));
    if server.register_instrumentation {
        router = status::add_metrics(router);
    }
    let node = Arc::clone(node);
    router.route(
        Methods::only(&[Method::GET]),
        "/ready",
        "ready",
        async move |_| status::ready(&node),
    )
}

/// The gRPC server of the process.
pub fn grpc_server(node: &Arc<Node>, frontend: &Frontend) -> Result<grpc::Server, BoxError> {
    let server = grpc::Server::new()
        .max_recv_message_bytes(node.config.server.grpc_server_max_recv_msg_size)
        .max_send_message_bytes(node.config.server.grpc_server_max_send_msg_size)
        .health(node.health.clone())
        .reflection(DESCRIPTORS)?;
    Ok(frontend.add_streaming(server))
}
