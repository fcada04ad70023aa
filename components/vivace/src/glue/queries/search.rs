//! Searches.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_engine::{AnswerOptions, Dedicated, Plan, TraceResult};
use vivace_model::TraceId;
use vivace_querier::{Cost, Error as QuerierError, Querier, SearchJob, Unit, View};
use vivace_query_frontend::{Jobs, SearchSpec, SourceError};
use vivace_traceql::{Pipeline, Query};

use super::jobs::{jobs, no_jobs};
use super::source::{Inner, job_cost};
use super::view::Held;
use crate::glue::traces::block_error;

/// The pipeline that a search runs; of a metrics query the one before the function.
fn pipeline(query: &Query) -> Result<&Pipeline, SourceError> {
    let none = || SourceError::Failed("math expressions not supported".into());
    query.search_pipeline().ok_or_else(none)
}

pub(super) fn plan_of(query: &Query, dedicated: &Dedicated) -> Result<Plan, SourceError> {
    let plan = Plan::new(pipeline(query)?, &[], dedicated);
    plan.map_err(|error| SourceError::Failed(error.to_string()))
}

fn search_job(
    tenant: &str,
    spec: &SearchSpec,
    dedicated: &Dedicated,
) -> Result<SearchJob, SourceError> {
    let nanos = |seconds: u64| seconds.saturating_mul(1_000_000_000);
    Ok(SearchJob {
        tenant: tenant.into(),
        plan: plan_of(&spec.query, dedicated)?,
        window: nanos(spec.start)..=nanos(spec.end),
        options: AnswerOptions {
            spans_per_set: spec.spans_per_set,
            limit: spec.limit,
            most_recent: spec.most_recent,
        },
        overlap: None,
    })
}

impl Inner {
    pub(super) async fn search(
        self: &Rc<Self>,
        tenant: &str,
        spec: &SearchSpec,
    ) -> Result<Jobs<Vec<TraceResult>>, SourceError> {
        let mut job = search_job(tenant, spec, &(self.dedicated)(tenant))?;
        if job.plan.is_never() {
            return Ok(no_jobs());
        }
        let held = self.view(tenant, spec.start, spec.end).await?;
        spec.remembered.set(tenant, held.clone());
        if job.plan.needs_whole_traces() {
            job.overlap = Some(self.overlap(&held.view).await?);
        }
        let is_apart = !job
            .overlap
            .as_ref()
            .is_none_or(|overlap| overlap.is_empty());
        let job = Arc::new(job);
        let target = self.target_bytes.search;
        let of_unit = {
            let (inner, job) = (Rc::clone(self), Arc::clone(&job));
            move |unit| {
                let (inner, job) = (Rc::clone(&inner), Arc::clone(&job));
                async move {
                    let work = |querier| search_unit(querier, job, unit);
                    let found = inner.run(work).await?;
                    Ok((found.traces, found.apart, job_cost(found.cost)))
                }
                .boxed_local()
            }
        };
        let (inner, seen) = (Rc::clone(self), Rc::clone(&held));
        let of_apart = move |ids| {
            let (inner, job, held) = (Rc::clone(&inner), Arc::clone(&job), Rc::clone(&seen));
            async move {
                let (found, cost) = inner.search_apart(&held.view, &job, ids).await?;
                Ok((found, job_cost(cost)))
            }
            .boxed_local()
        };
        Ok(jobs(&held, target, of_unit, is_apart.then_some(of_apart)))
    }

    /// Evaluates traces with all of their spans.
    async fn search_apart(
        &self,
        view: &View,
        job: &SearchJob,
        ids: Vec<TraceId>,
    ) -> Result<(Vec<TraceResult>, Cost), SourceError> {
        let mut cost = Cost::default();
        if ids.is_empty() {
            return Ok((Vec::new(), cost));
        }
        let columns = job.columns();
        let gathered = (self.querier)
            .gather(view, ids, Some(&columns), &mut cost)
            .await;
        let gathered = gathered.map_err(|error| block_error(&error))?;
        let found = self.querier.search_whole(job, gathered).await;
        let found = found.map_err(|error| block_error(&error))?;
        Ok((found.traces, cost))
    }

    pub(super) async fn complete(
        &self,
        tenant: &str,
        spec: &SearchSpec,
        found: Vec<TraceResult>,
    ) -> Result<Vec<TraceResult>, SourceError> {
        let job = search_job(tenant, spec, &(self.dedicated)(tenant))?;
        if job.plan.needs_whole_traces() || found.is_empty() {
            return Ok(found);
        }
        // The very data that the jobs saw: in a later view two parts of a trace may have become one that nobody would ask for.
        let remembered = spec.remembered.get(tenant);
        let held = match remembered.map(|held| held.downcast::<Held>()) {
            Some(Ok(held)) => held,
            _ => self.view(tenant, spec.start, spec.end).await?,
        };
        if held.view.live.len() + held.view.blocks.len() < 2 {
            return Ok(found);
        }
        let ids: Vec<TraceId> = found.iter().map(|one| one.trace_id).collect();
        let several = self.querier.in_several_places(&held.view, &ids).await;
        let several = several.map_err(|error| block_error(&error))?;
        if several.is_empty() {
            return Ok(found);
        }
        let (whole, _) = self.search_apart(&held.view, &job, several.clone()).await?;
        // What was found of a trace in one place gives way to the whole, or to nothing if the whole does not match.
        let several: HashSet<TraceId> = several.into_iter().collect();
        let whole = whole.into_iter().map(|one| (one.trace_id, one));
        let mut whole: HashMap<TraceId, TraceResult> = whole.collect();
        let complete = |one: TraceResult| match several.contains(&one.trace_id) {
            true => whole.remove(&one.trace_id),
            false => Some(one),
        };
        Ok(found.into_iter().filter_map(complete).collect())
    }
}

fn search_unit(
    querier: Querier,
    job: Arc<SearchJob>,
    unit: Unit,
) -> LocalBoxFuture<'static, Result<vivace_querier::Searched, QuerierError>> {
    async move { querier.search(&job, &unit).await }.boxed_local()
}
