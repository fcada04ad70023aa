//! Metrics queries.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_querier::{Cost, Error as QuerierError, MetricsJob, Querier, Unit};
use vivace_query_frontend::{Jobs, MetricsSpec, SourceError};
use vivace_query_metrics::{MetricsPlan, Partials};

use super::jobs::{jobs, no_jobs};
use super::source::{Inner, job_cost};
use crate::glue::traces::block_error;

const NANOS: u64 = 1_000_000_000;

impl Inner {
    pub(super) async fn metrics(
        self: &Rc<Self>,
        tenant: &str,
        spec: &MetricsSpec,
    ) -> Result<Jobs<Partials>, SourceError> {
        let plan = MetricsPlan::new(&spec.query, spec.request, spec.allow_unsafe_hints);
        let plan = plan.map_err(|error| SourceError::Failed(error.to_string()))?;
        if plan.is_trivially_false() {
            return Ok(no_jobs());
        }
        let request = plan.request();
        let (start, end) = (request.start / NANOS, request.end.div_ceil(NANOS));
        let target = plan.job_bytes().unwrap_or(self.target_bytes.metrics);
        let job = MetricsJob::new(tenant.into(), plan, &(self.dedicated)(tenant));
        let mut job = job.map_err(|error| block_error(&error))?;
        let held = self.view(tenant, start, end).await?;
        if job.needs_whole_traces() {
            job.overlap = Some(self.overlap(&held.view).await?);
        }
        let is_apart = !job
            .overlap
            .as_ref()
            .is_none_or(|overlap| overlap.is_empty());
        let job = Arc::new(job);
        let of_unit = {
            let (inner, job) = (Rc::clone(self), Arc::clone(&job));
            move |unit| {
                let (inner, job) = (Rc::clone(&inner), Arc::clone(&job));
                async move {
                    let work = |querier| count_unit(querier, job, unit);
                    let counted = inner.run(work).await?;
                    Ok((counted.partials, counted.apart, job_cost(counted.cost)))
                }
                .boxed_local()
            }
        };
        let (inner, seen) = (Rc::clone(self), Rc::clone(&held));
        let of_apart = move |ids| {
            let (inner, job, held) = (Rc::clone(&inner), Arc::clone(&job), Rc::clone(&seen));
            async move {
                let mut cost = Cost::default();
                let columns = job.columns();
                let gathered = (inner.querier)
                    .gather(&held.view, ids, columns.as_deref(), &mut cost)
                    .await;
                let gathered = gathered.map_err(|error| block_error(&error))?;
                let counted = inner.querier.count_whole(&job, gathered).await;
                let counted = counted.map_err(|error| block_error(&error))?;
                Ok((counted.partials, job_cost(cost)))
            }
            .boxed_local()
        };
        Ok(jobs(&held, target, of_unit, is_apart.then_some(of_apart)))
    }
}

fn count_unit(
    querier: Querier,
    job: Arc<MetricsJob>,
    unit: Unit,
) -> LocalBoxFuture<'static, Result<vivace_querier::Counted, QuerierError>> {
    async move { querier.count(&job, &unit).await }.boxed_local()
}
