//! The routes of the query API and what each does.

use std::rc::Rc;
use std::time::Duration;

use http::{HeaderName, StatusCode};
use regex::Regex;
use vivace_protocol::tempopb::TraceByIdMetrics;
use vivace_protocol::trace::{CombineOptions, Combined, Fragment, combine_pausing};
use vivace_shards::Class;
use vivace_shards::http::response;
use vivace_shards::http::{Methods, RequestContext, Response, Route, TemplateError};
use vivace_shards::memory::{self, Kind};
use vivace_shards::time::{Instant, timeout};

use crate::accept::{self, Form};
use crate::metrics::{Metrics, Objective};
use crate::params::{Mode, TraceByIdParams, parse_trace_by_id};
use crate::source::{BlockLookup, SourceError, Tenants, TraceSource};
use crate::{answer, query};

/// An answer is built from at most this many times the bytes of its spans (structs, then text).
const ANSWER_FACTOR: u64 = 3;

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
}

struct Api {
    deps: Deps,
    metrics: Metrics,
    objective: Objective,
}

/// The routes `/api/traces/{traceID}`, `/api/v2/traces/{traceID}` and `/api/echo`.
pub fn routes(deps: Deps) -> Result<Vec<Route>, TemplateError> {
    let prefix = deps.prefix.trim_end_matches('/').to_owned();
    let api = Rc::new(Api {
        metrics: Metrics::register(&deps.first_tenant),
        objective: Objective {
            duration: deps.duration_slo,
            bytes_per_second: deps.throughput_bytes_slo,
        },
        deps,
    });
    let trace = |path: &str, v2: bool| {
        let api = Rc::clone(&api);
        Route::new(
            Methods::Any,
            &format!("{prefix}{path}"),
            async move |request| api.query(request, v2).await,
        )
        .map(|route| route.class(Class::Query).vary())
    };
    Ok(vec![
        trace("/api/traces/{traceID}", false)?,
        trace("/api/v2/traces/{traceID}", true)?,
        Route::new(Methods::Any, &format!("{prefix}/api/echo"), async |_| {
            response::text(StatusCode::OK, "echo\n")
        })?,
    ])
}

impl Api {
    /// Answers, and writes the line of each query.
    async fn query(&self, request: RequestContext, v2: bool) -> Response {
        let tenants = match self.deps.tenants.of_request(&request.headers) {
            Ok(tenants) => tenants,
            Err(refusal) => return response::error(refusal.status, &refusal.text),
        };
        let started = Instant::now();
        let target = request.uri.path_and_query();
        let url = target.map_or("", |target| target.as_str());
        let response = if self.deps.url_deny_list.iter().any(|one| one.is_match(url)) {
            let text = format!("the URL {url} is blocked by query_frontend.url_deny_list");
            response::text(StatusCode::BAD_REQUEST, text)
        } else {
            self.trace_by_id(&request, &tenants, v2).await
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

    async fn trace_by_id(
        &self,
        request: &RequestContext,
        tenants: &[String],
        v2: bool,
    ) -> Response {
        let pairs = query::pairs(request.query());
        let id = request.params.get("traceID").unwrap_or_default();
        let params = match parse_trace_by_id(id, &pairs, v2) {
            Ok(params) => params,
            Err(error) => return response::text(StatusCode::BAD_REQUEST, error.to_string()),
        };
        let form = accept::form(request.header("accept"));
        let joined = tenants.join("|");
        tracing::info!(msg = "trace id request", tenant = %joined, traceID = %params.trace_id);
        let started = Instant::now();
        let work = self.find_and_answer(tenants, &params, v2, form, &joined);
        let bound = self.deps.api_timeout;
        let response = if bound.is_zero() {
            work.await
        } else {
            timeout(bound, work).await.unwrap_or_else(|_| {
                response::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unable to process request in the configured timeout",
                )
            })
        };
        tracing::info!(
            msg = "trace id response",
            tenant = %joined,
            traceID = %params.trace_id,
            status_code = response.status().as_u16(),
            duration_seconds = started.elapsed().as_secs_f64(),
        );
        response
    }

    async fn find_and_answer(
        &self,
        tenants: &[String],
        params: &TraceByIdParams,
        v2: bool,
        form: Form,
        joined: &str,
    ) -> Response {
        let running = self.metrics.begin(joined);
        let found = match self.find(tenants, params).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(msg = "trace lookup failed", tenant = joined, traceID = %params.trace_id, %error);
                return response::text(error.status(), error.to_string());
            }
        };
        let answer = if v2 {
            let metrics = TraceByIdMetrics {
                inspected_bytes: found.inspected_bytes,
                backend_reads: found.reads,
                backend_bytes: found.read_bytes,
                ..TraceByIdMetrics::default()
            };
            answer::v2(found.combined, metrics, form).await
        } else {
            answer::v1(found.combined, form).await
        };
        running.complete(found.inspected_bytes, self.objective);
        answer
    }

    async fn find(
        &self,
        tenants: &[String],
        params: &TraceByIdParams,
    ) -> Result<Found, SourceError> {
        let mut fragments: Vec<Fragment> = Vec::new();
        let (mut reads, mut read_bytes) = (0, 0);
        let mut max_bytes = 0;
        let lookup = BlockLookup {
            trace_id: params.trace_id,
            blocks: params.block_start..=params.block_end,
            start_seconds: params.start_seconds,
            end_seconds: params.end_seconds,
        };
        for tenant in tenants {
            // A trace of several tenants may be as large as the largest of them allows; 0 is no limit.
            let limit = self.deps.tenants.max_bytes_per_trace(tenant);
            max_bytes = match (max_bytes, limit) {
                (_, 0) => u64::MAX,
                (so_far, limit) => limit.max(so_far),
            };
            if matches!(params.mode, Mode::All | Mode::Recent) {
                let recent = self.deps.traces.find_recent(tenant, params.trace_id);
                fragments.extend(recent.await?);
            }
            if matches!(params.mode, Mode::All | Mode::Blocks) {
                let found = self.deps.traces.find_in_blocks(tenant, &lookup).await?;
                fragments.extend(found.fragments);
                reads += found.reads;
                read_bytes += found.read_bytes;
            }
        }
        if max_bytes == u64::MAX {
            max_bytes = 0;
        }
        let inspected_bytes: u64 = fragments.iter().map(fragment_bytes).sum();
        let needed = inspected_bytes * ANSWER_FACTOR;
        let _charge = memory::try_charge(needed, Kind::Query).map_err(|over| {
            SourceError::Busy(format!("not enough memory for this trace: {over}"))
        })?;
        let options = CombineOptions::trace_by_id(max_bytes);
        let combined = combine_pausing(&fragments, options, vivace_shards::breathe).await;
        Ok(Found {
            combined,
            inspected_bytes: inspected_bytes + read_bytes,
            reads,
            read_bytes,
        })
    }
}

/// A duration as the other lines write it.
fn go_duration(since: Instant) -> vivace_config::types::Duration {
    vivace_config::types::Duration::from_nanos(since.elapsed().as_nanos() as i64)
}

struct Found {
    combined: Combined,
    inspected_bytes: u64,
    reads: u64,
    read_bytes: u64,
}

/// The share of a batch that a fragment is, in bytes: by rows.
fn fragment_bytes(fragment: &Fragment) -> u64 {
    let spans = fragment.batch.view().span_count().max(1) as u64;
    fragment.batch.as_bytes().len() as u64 * fragment.rows.len() as u64 / spans
}
