//! What the query API is made of, and a request's way through it: tenant, deny list, endpoint, log line.

use std::rc::Rc;
use std::time::Duration;

use http::{HeaderName, StatusCode};
use regex::Regex;
use vivace_shards::http::response;
use vivace_shards::http::{RequestContext, Response};
use vivace_shards::time::{Instant, timeout};

use crate::config::QueryConfig;
use crate::error::QueryError;
use crate::jobs::QuerySource;
use crate::limits::RUNNING_JOBS;
use crate::metrics::{Metrics, Objective};
use crate::run::Queue;
use crate::source::{Tenants, TraceSource};

/// What the query API needs.
pub struct Deps {
    /// In front of every `/api` path; empty or starting with `/` (`http_api_prefix`).
    pub prefix: String,
    /// Bound of a query; zero = none (`query_frontend.api_timeout`).
    pub api_timeout: Duration,
    /// `query_frontend.trace_by_id.duration_slo`; zero = none.
    pub duration_slo: Duration,
    /// `query_frontend.trace_by_id.throughput_bytes_slo`; zero = none.
    pub throughput_bytes_slo: f64,
    /// Exported with zeros from the start.
    pub first_tenant: String,
    /// Queries whose URL (path and parameters) matches one of these are refused (`query_frontend.url_deny_list`).
    pub url_deny_list: Vec<Regex>,
    /// Request headers in the line of a query (`query_frontend.log_query_request_headers`).
    pub log_headers: Vec<HeaderName>,
    /// Finds pieces of traces.
    pub traces: Rc<dyn TraceSource>,
    /// Who asks, and limits.
    pub tenants: Rc<dyn Tenants>,
    /// Search, tags and metrics; None: only traces by id are served.
    pub queries: Option<Queries>,
}

/// What queries need.
#[derive(Clone)]
pub struct Queries {
    /// Cuts queries into jobs.
    pub source: Rc<dyn QuerySource>,
    pub config: QueryConfig,
}

pub(crate) struct Api {
    pub(crate) deps: Deps,
    pub(crate) metrics: Metrics,
    /// Of traces by id.
    pub(crate) objective: Objective,
    pub(crate) queue: Queue,
}

impl Api {
    pub(crate) fn new(deps: Deps) -> Self {
        let metrics = Metrics::register(&deps.first_tenant);
        let (running, outstanding) = match &deps.queries {
            Some(Queries { config, .. }) => {
                (config.running_jobs, config.max_outstanding_per_tenant)
            }
            None => (RUNNING_JOBS, 0),
        };
        Self {
            queue: Queue::new(running, outstanding, metrics.queue.clone()),
            objective: Objective {
                duration: deps.duration_slo,
                bytes_per_second: deps.throughput_bytes_slo,
            },
            metrics,
            deps,
        }
    }

    /// Answers, and writes the line of each query.
    pub(crate) async fn query(
        &self,
        request: RequestContext,
        answer: impl AsyncFn(&RequestContext, &[String]) -> Response,
    ) -> Response {
        let tenants = match self.deps.tenants.of_request(&request.headers) {
            Ok(tenants) => tenants,
            Err(refusal) => return response::error(refusal.status, &refusal.text),
        };
        let started = Instant::now();
        let target = request.uri.path_and_query();
        let url = target.map_or("", |target| target.as_str());
        let response = if self.deps.url_deny_list.iter().any(|one| one.is_match(url)) {
            let text = format!(
                "Invalid request {url}. This query has been identified as one that destabilizes our system. Contact your system administrator for more information"
            );
            response::text(StatusCode::BAD_REQUEST, text)
        } else {
            answer(&request, &tenants).await
        };
        if tracing::enabled!(tracing::Level::INFO) {
            self.log(&request, url, &tenants, &response, started);
        }
        response
    }

    fn log(
        &self,
        request: &RequestContext,
        url: &str,
        tenants: &[String],
        response: &Response,
        started: Instant,
    ) {
        let body = response.body().as_whole().map_or(&[][..], |bytes| bytes);
        let status = response.status();
        let is_error = status.is_client_error() || status.is_server_error();
        let error = is_error.then(|| String::from_utf8_lossy(body));
        let mut headers = String::new();
        for name in &self.deps.log_headers {
            // A log line names a field for each, as others know them: header_<name>.
            let value = request.header(name.as_str()).unwrap_or_default();
            headers.push_str(&format!("header_{name}\t{value}\n"));
        }
        tracing::info!(
            msg = "query stats",
            tenant = tenants.join("|"),
            method = %request.method,
            traceID = "",
            url,
            duration = %go_duration(started),
            response_size = body.len(),
            status = status.as_u16(),
            error = error.as_deref(),
            named_fields = headers,
        );
    }

    /// Bounds work by `query_frontend.api_timeout`.
    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, QueryError> {
        let bound = self.deps.api_timeout;
        if bound.is_zero() {
            return work.await;
        }
        let outcome = timeout(bound, work).await;
        outcome.unwrap_or(Err(QueryError::Timeout))
    }
}

/// A duration as the other lines write it.
fn go_duration(since: Instant) -> vivace_config::types::Duration {
    vivace_config::types::Duration::from_nanos(since.elapsed().as_nanos() as i64)
}
