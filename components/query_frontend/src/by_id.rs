//! Traces by id: finding, putting together, leaving out what was not asked for.

use http::StatusCode;
use vivace_protocol::tempopb::TraceByIdMetrics;
use vivace_protocol::trace::{CombineOptions, Combined, Fragment, combine_pausing};
use vivace_shards::http::response;
use vivace_shards::http::{RequestContext, Response};
use vivace_shards::memory::{self, Kind};
use vivace_shards::time::Instant;

use crate::accept::{self, Form};
use crate::api::Api;
use crate::error::QueryError;
use crate::limits::ANSWER_FACTOR;
use crate::metrics::Op;
use crate::params::{Mode, TraceByIdParams, TraceFilter, parse_trace_by_id};
use crate::source::{BlockLookup, SourceError};
use crate::trace_filter::{self, SpanIds};
use crate::{answer, query};

impl Api {
    pub(crate) async fn trace_by_id(
        &self,
        request: &RequestContext,
        tenants: &[String],
        v2: bool,
    ) -> Response {
        let pairs = query::pairs(request.query());
        let id = request.params.get("traceID").unwrap_or_default();
        let queries = self.deps.queries.as_ref();
        let max_query_bytes = queries.map_or(0, |queries| queries.config.search.max_query_bytes);
        let params = match parse_trace_by_id(id, &pairs, v2, max_query_bytes) {
            Ok(params) => params,
            Err(error) => return response::text(StatusCode::BAD_REQUEST, error.to_string()),
        };
        let form = accept::form(request.header("accept"));
        let joined = tenants.join("|");
        tracing::info!(msg = "trace id request", tenant = %joined, traceID = %params.trace_id);
        let started = Instant::now();
        let work = self.find_and_answer(tenants, &params, v2, form, &joined);
        let response = match self.in_time(work).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(msg = "trace lookup failed", tenant = joined, traceID = %params.trace_id, %error);
                response::text(error.status(), error.to_string())
            }
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
    ) -> Result<Response, QueryError> {
        let running = self.metrics.begin(joined, Op::Traces);
        let found = self.find(tenants, params).await?;
        let answer = if v2 {
            let metrics = TraceByIdMetrics {
                inspected_bytes: found.inspected_bytes,
                backend_reads: found.reads,
                backend_bytes: found.read_bytes,
                ..TraceByIdMetrics::default()
            };
            let mut whole = found.combined.into_response(metrics);
            if let Some(Filtered { matching, sent }) = found.filtered
                && let Some(filter) = &params.filter
            {
                trace_filter::apply(&mut whole, filter, &matching, &sent);
            }
            answer::v2(whole, form).await
        } else {
            answer::v1(found.combined, form).await
        };
        running.complete(found.inspected_bytes, self.objective);
        Ok(answer)
    }

    /// The spans that a filter matches, and all there are.
    async fn filter(
        &self,
        filter: &TraceFilter,
        params: &TraceByIdParams,
        fragments: &[Fragment],
    ) -> Result<Filtered, QueryError> {
        let source = &self.queries()?.source;
        let matching = source.matching_spans(&filter.query, params.trace_id, fragments);
        Ok(Filtered {
            matching: matching.await?.into_iter().collect(),
            sent: trace_filter::ids_of(fragments),
        })
    }

    async fn find(
        &self,
        tenants: &[String],
        params: &TraceByIdParams,
    ) -> Result<Found, QueryError> {
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
        let filtered = match &params.filter {
            Some(filter) if !fragments.is_empty() => {
                Some(self.filter(filter, params, &fragments).await?)
            }
            _ => None,
        };
        let options = CombineOptions::trace_by_id(max_bytes);
        let combined = combine_pausing(&fragments, options, vivace_shards::breathe).await;
        Ok(Found {
            combined,
            filtered,
            inspected_bytes: inspected_bytes + read_bytes,
            reads,
            read_bytes,
        })
    }
}

struct Filtered {
    matching: SpanIds,
    sent: SpanIds,
}

struct Found {
    combined: Combined,
    filtered: Option<Filtered>,
    inspected_bytes: u64,
    reads: u64,
    read_bytes: u64,
}

/// The share of a batch that a fragment is, in bytes: by rows.
fn fragment_bytes(fragment: &Fragment) -> u64 {
    let spans = fragment.batch.view().span_count().max(1) as u64;
    fragment.batch.as_bytes().len() as u64 * fragment.rows.len() as u64 / spans
}
