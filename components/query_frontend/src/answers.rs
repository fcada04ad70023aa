//! Searches, tags and metrics queries over HTTP: parameters in, an answer in the wanted form out.

use vivace_protocol::json;
use vivace_protocol::tempopb::{
    SearchResponse, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsResponse,
    SearchTagsV2Response,
};
use vivace_shards::breathe;
use vivace_shards::http::response;
use vivace_shards::http::{RequestContext, Response};
use vivace_shards::time::Instant;

use crate::accept::{Form, form};
use crate::api::Api;
use crate::convert::{self, Ids};
use crate::error::QueryError;
use crate::execute::TagsOf;
use crate::jobs::TagsFound;
use crate::metrics::Op;
use crate::params::{RawMetrics, RawSearch, RawTags, TagsPlan, What};
use crate::run::{Found, Progress};
use crate::{answer, query};

/// The lines of a query in the log.
struct Lines<'a> {
    request: &'static str,
    response: &'static str,
    tenant: &'a str,
    query: &'a str,
    started: Instant,
}

impl<'a> Lines<'a> {
    fn begin(
        request: &'static str,
        response: &'static str,
        tenant: &'a str,
        query: &'a str,
    ) -> Self {
        tracing::info!(msg = request, tenant, query);
        Self {
            request,
            response,
            tenant,
            query,
            started: Instant::now(),
        }
    }

    fn end(&self, outcome: Result<(Response, Progress), QueryError>) -> Response {
        let (response, progress, error) = match outcome {
            Ok((response, progress)) => (response, progress, None),
            Err(error) => {
                let text = error.to_string();
                let response = response::text(error.status(), text.clone());
                (response, Progress::default(), Some(text))
            }
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let bytes = progress.cost.inspected_bytes;
        if response.status().is_server_error() {
            let error = error.as_deref().unwrap_or_default();
            tracing::warn!(
                msg = "query failed",
                of = self.request,
                tenant = self.tenant,
                error
            );
        }
        tracing::info!(
            msg = self.response,
            tenant = self.tenant,
            query = self.query,
            duration_seconds = seconds,
            request_throughput = bytes as f64 / seconds.max(1e-6),
            total_requests = progress.total_jobs,
            total_blockBytes = progress.block_bytes,
            total_blocks = progress.blocks,
            completed_requests = progress.completed_jobs,
            inspected_bytes = bytes,
            inspected_spans = progress.cost.inspected_spans,
            status_code = response.status().as_u16(),
            error = error.as_deref(),
        );
        response
    }
}

type Answered = Result<(Response, Progress), QueryError>;

impl Api {
    pub(crate) async fn answer_search(
        &self,
        request: &RequestContext,
        tenants: &[String],
    ) -> Response {
        let pairs = query::pairs(request.query());
        let text = query::first(&pairs, "q");
        let joined = tenants.join("|");
        let lines = Lines::begin("search request", "search response", &joined, text);
        let form = form(request.header("accept"));
        let work = async {
            let raw = RawSearch::from_pairs(&pairs)?;
            let plan = self.plan_search(tenants, raw)?;
            let running = self.metrics.begin(&joined, Op::Search);
            let mut run = self.search(tenants, &plan).await?;
            run.advance(None).await?;
            let progress = run.progress();
            let charge = run.charge_answer()?;
            let message = SearchResponse {
                traces: self.traces(tenants, &run.answer(), plan.legacy).await,
                metrics: Some(convert::search_metrics(&progress)),
            };
            drop(run);
            let json = async |message: &SearchResponse| json::search(message, breathe).await;
            let response = answer::charged(&message, json, form, charge).await;
            let objective = self.queries()?.config.search.objective;
            running.complete(progress.cost.inspected_bytes, objective);
            Ok((response, progress))
        };
        lines.end(self.in_time(work).await)
    }

    /// Traces as messages, with ids as their tenants want them.
    pub(crate) async fn traces(
        &self,
        tenants: &[String],
        found: &[Found],
        legacy: bool,
    ) -> Vec<vivace_protocol::tempopb::TraceSearchMetadata> {
        let ids: Vec<Ids> = tenants
            .iter()
            .map(|tenant| match self.deps.tenants.query_limits(tenant) {
                limits if limits.left_pad_trace_ids => Ids::Whole,
                _ => Ids::Short,
            })
            .collect();
        let mut traces = Vec::with_capacity(found.len());
        for (tenant, trace) in found {
            let ids = ids.get(*tenant).copied().unwrap_or(Ids::Short);
            traces.push(convert::trace(trace, ids, legacy));
            breathe().await;
        }
        traces
    }

    pub(crate) async fn answer_metrics(
        &self,
        request: &RequestContext,
        tenants: &[String],
        instant: bool,
    ) -> Response {
        let pairs = query::pairs(request.query());
        let text = match query::first(&pairs, "q") {
            "" => query::first(&pairs, "query"),
            text => text,
        };
        let joined = tenants.join("|");
        let lines = match instant {
            true => ("query instant request", "query instant results"),
            false => ("query range request", "query range response"),
        };
        let lines = Lines::begin(lines.0, lines.1, &joined, text);
        let work = async {
            let raw = RawMetrics::from_pairs(&pairs, instant)?;
            let call = self.plan_metrics(tenants, &raw)?;
            let running = self.metrics.begin(&joined, Op::Metrics);
            let mut run = self.metrics(tenants, &call).await?;
            run.advance(None).await?;
            let progress = run.progress();
            let (outcome, charge) = run.outcome().await?;
            drop(run);
            let text = if instant {
                let message = convert::instant(&outcome, &progress);
                drop(outcome);
                json::query_instant(&message, breathe).await
            } else {
                let message = convert::range(&outcome, &progress).await;
                drop(outcome);
                json::query_range(&message, breathe).await
            };
            let objective = self.queries()?.config.metrics.objective;
            running.complete(progress.cost.inspected_bytes, objective);
            Ok((answer::json(text, charge), progress))
        };
        lines.end(self.in_time(work).await)
    }

    pub(crate) async fn answer_tags(
        &self,
        request: &RequestContext,
        tenants: &[String],
        of: TagsOf,
    ) -> Response {
        let pairs = query::pairs(request.query());
        let text = query::first(&pairs, "q");
        let joined = tenants.join("|");
        let lines = match of {
            TagsOf::Names { .. } => ("search tag request", "search tag response"),
            TagsOf::Values { .. } => ("search tag values request", "search tag values response"),
        };
        let lines = Lines::begin(lines.0, lines.1, &joined, text);
        let form = form(request.header("accept"));
        let work = async {
            let name = request.params.get("tagName").unwrap_or_default();
            let raw = RawTags::from_pairs(&pairs, name)?;
            let plan = self.plan_tags(tenants, &raw, of)?;
            let running = self.metrics.begin(&joined, Op::Metadata);
            let mut run = self.tags(tenants, &plan).await?;
            run.advance(None).await?;
            let progress = run.progress();
            let found = known(&plan, run.answer());
            drop(run);
            let response = tags(&plan, of, &found, &progress, form).await;
            let objective = self.queries()?.config.search.metadata_objective;
            running.complete(progress.cost.inspected_bytes, objective);
            Ok((response, progress))
        };
        let outcome: Answered = self.in_time(work).await;
        lines.end(outcome)
    }
}

/// With what is known without looking.
pub(crate) fn known(plan: &TagsPlan, mut found: TagsFound) -> TagsFound {
    if let What::Fixed(values) = &plan.what {
        found.values.clone_from(values);
    }
    found
}

/// Whether the fixed list of intrinsics is part of the answer.
pub(crate) fn with_intrinsics(plan: &TagsPlan) -> bool {
    matches!(plan.what, What::Names(names) if names.intrinsics)
}

async fn tags(
    plan: &TagsPlan,
    of: TagsOf,
    found: &TagsFound,
    progress: &Progress,
    form: Form,
) -> Response {
    let metrics = Some(convert::metadata_metrics(progress));
    let intrinsics = with_intrinsics(plan);
    match of {
        TagsOf::Names { v1: true } => {
            let message = SearchTagsResponse {
                tag_names: convert::names(&found.names, intrinsics),
                metrics,
            };
            answer::plain(
                &message,
                async |m| json::search_tags(m, breathe).await,
                form,
            )
            .await
        }
        TagsOf::Names { v1: false } => {
            let message = SearchTagsV2Response {
                scopes: convert::scopes(&found.names, intrinsics),
                metrics,
            };
            answer::plain(
                &message,
                async |m| json::search_tags_v2(m, breathe).await,
                form,
            )
            .await
        }
        TagsOf::Values { v1: true } => {
            let message = SearchTagValuesResponse {
                tag_values: convert::values(&found.values),
                metrics,
            };
            answer::plain(
                &message,
                async |m| json::search_tag_values(m, breathe).await,
                form,
            )
            .await
        }
        TagsOf::Values { v1: false } => {
            let message = SearchTagValuesV2Response {
                tag_values: convert::typed_values(&found.values),
                metrics,
            };
            let json = async |m: &SearchTagValuesV2Response| match form {
                Form::Llm => json::search_tag_values_llm(m, breathe).await,
                _ => json::search_tag_values_v2(m, breathe).await,
            };
            answer::plain(&message, json, form).await
        }
    }
}
