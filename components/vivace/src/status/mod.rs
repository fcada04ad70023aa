//! Pages for operators and probes (http-api.md §9).

mod overrides;
mod pages;
mod table;

use std::sync::Arc;

use http::{Method, StatusCode};
use vivace_shards::http::{Methods, RequestContext, Response, Router, response};
use vivace_shards::metrics;

pub use table::ascii_table;

use crate::node::Node;
use crate::version;

/// Routes that this process serves besides those that are added here, for `/status/endpoints`.
const API_ROUTES: [(&str, &str); 3] = [
    ("/api/echo", "any"),
    ("/api/traces/{traceID}", "any"),
    ("/api/v2/traces/{traceID}", "any"),
];
const STATUS_ROUTES: [&str; 9] = [
    "/api/status/buildinfo",
    "/metrics",
    "/ready",
    "/status",
    "/status/overrides",
    "/status/overrides/{tenant}",
    "/status/usage-stats",
    "/status/{endpoint}",
    "/memberlist",
];

/// Adds the pages to a router.
pub fn add_routes(router: Router, node: &Arc<Node>) -> Router {
    let prefix = node.config.http_api_prefix.trim_end_matches('/').to_owned();
    let get = || Methods::only(&[Method::GET]);
    let (ready_of, all_of, one_of) = (Arc::clone(node), Arc::clone(node), Arc::clone(node));
    let (tenants_of, tenant_of) = (Arc::clone(node), Arc::clone(node));
    let mut router = router
        .route(Methods::Any, "/ready", "ready", async move |_| {
            ready(&ready_of)
        })
        .route(Methods::Any, "/status", "status", async move |_| {
            pages::all(&all_of)
        })
        .route(
            Methods::Any,
            "/status/{endpoint}",
            "status_endpoint",
            async move |request: RequestContext| pages::one(&one_of, &request),
        )
        .route(
            get(),
            "/status/overrides",
            "status_overrides",
            async move |request: RequestContext| overrides::tenants(&tenants_of, &request),
        )
        .route(
            get(),
            "/status/overrides/{tenant}",
            "status_overrides_tenant",
            async move |request: RequestContext| overrides::tenant(&tenant_of, &request),
        )
        .route(
            Methods::Any,
            &format!("{prefix}/status/usage-stats"),
            "status_usage_stats",
            async |_| response::text(StatusCode::OK, "usage-stats is not enabled\n"),
        )
        .route(Methods::Any, "/memberlist", "memberlist", async |_| {
            response::text(StatusCode::OK, "This instance doesn't use memberlist.\n")
        })
        .route(
            get(),
            &format!("{prefix}/api/status/buildinfo"),
            "api_status_buildinfo",
            async |_| {
                response::with_type(
                    StatusCode::OK,
                    "application/json",
                    version::build_info_json(),
                )
            },
        );
    if node.config.server.register_instrumentation {
        router = add_metrics(router);
    }
    router
}

/// Adds `/metrics`.
pub fn add_metrics(router: Router) -> Router {
    let get = Methods::only(&[Method::GET]);
    router.route(get, "/metrics", "metrics", async |_| {
        response::with_type(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::render(),
        )
    })
}

/// `/ready` (observability.md §5.1).
pub fn ready(node: &Node) -> Response {
    match node.modules.readiness() {
        Ok(text) => response::text(StatusCode::OK, text),
        Err(text) => response::text(StatusCode::SERVICE_UNAVAILABLE, text),
    }
}
