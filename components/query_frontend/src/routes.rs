//! The routes of the query API.

use std::rc::Rc;

use http::StatusCode;
use vivace_shards::Class;
use vivace_shards::grpc;
use vivace_shards::http::response;
use vivace_shards::http::{Methods, RequestContext, Response, Route, TemplateError};

use crate::api::{Api, Deps};
use crate::execute::TagsOf;
use crate::stream;

/// The query API of a shard. HTTP and gRPC share its queue of jobs, so there should be one.
#[derive(Clone)]
pub struct Frontend(Rc<Api>);

/// The routes of a front end that serves HTTP only.
pub fn routes(deps: Deps) -> Result<Vec<Route>, TemplateError> {
    Frontend::new(deps).routes()
}

impl Frontend {
    pub fn new(deps: Deps) -> Self {
        Self(Rc::new(Api::new(deps)))
    }

    /// `/api/traces/...`, `/api/v2/traces/...`, `/api/echo`, and, if there is a source for queries, `/api/search`, `/api/search/...`,
    /// `/api/v2/search/...` and `/api/metrics/...`.
    pub fn routes(&self) -> Result<Vec<Route>, TemplateError> {
        let mut routes = vec![
            self.trace("/api/traces/{traceID}", false)?,
            self.trace("/api/v2/traces/{traceID}", true)?,
            Route::new(
                Methods::Any,
                &format!("{}/api/echo", self.prefix()),
                async |_| response::text(StatusCode::OK, "echo\n"),
            )?,
        ];
        if self.0.deps.queries.is_some() {
            routes.push(self.route("/api/search", async |api, request, tenants| {
                api.answer_search(request, tenants).await
            })?);
            routes.push(self.tags("/api/search/tags", TagsOf::Names { v1: true })?);
            routes.push(self.tags("/api/v2/search/tags", TagsOf::Names { v1: false })?);
            routes.push(self.tags(
                "/api/search/tag/{*tagName}/values",
                TagsOf::Values { v1: true },
            )?);
            routes.push(self.tags(
                "/api/v2/search/tag/{*tagName}/values",
                TagsOf::Values { v1: false },
            )?);
            routes.push(self.metrics("/api/metrics/query_range", false)?);
            routes.push(self.metrics("/api/metrics/query", true)?);
        }
        Ok(routes)
    }

    /// Adds the service `tempopb.StreamingQuerier`.
    pub fn add_streaming(&self, server: grpc::Server) -> grpc::Server {
        stream::add(&self.0, server)
    }

    fn prefix(&self) -> &str {
        self.0.deps.prefix.trim_end_matches('/')
    }

    fn trace(&self, path: &str, v2: bool) -> Result<Route, TemplateError> {
        self.route(path, async move |api, request, tenants| {
            api.trace_by_id(request, tenants, v2).await
        })
    }

    fn tags(&self, path: &str, of: TagsOf) -> Result<Route, TemplateError> {
        self.route(path, async move |api, request, tenants| {
            api.answer_tags(request, tenants, of).await
        })
    }

    fn metrics(&self, path: &str, instant: bool) -> Result<Route, TemplateError> {
        self.route(path, async move |api, request, tenants| {
            api.answer_metrics(request, tenants, instant).await
        })
    }

    fn route(
        &self,
        path: &str,
        answer: impl AsyncFn(&Api, &RequestContext, &[String]) -> Response + 'static,
    ) -> Result<Route, TemplateError> {
        let api = Rc::clone(&self.0);
        let answer = Rc::new(answer);
        let path = format!("{}{path}", self.prefix());
        let route = Route::new(Methods::Any, &path, async move |request: RequestContext| {
            api.query(request, async |request, tenants| {
                answer(&api, request, tenants).await
            })
            .await
        })?;
        Ok(route.class(Class::Query).vary())
    }
}
