//! The jobs of a query: one for each unit of its view, and one for the traces that have to be seen whole.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_model::TraceId;
use vivace_querier::{Cost, Overlap, Unit, View};
use vivace_query_frontend::{Job, JobCost, Jobs, SourceError};

use super::apart::Apart;
use super::source::Inner;
use super::view::Held;
use crate::glue::traces::block_error;

/// What a unit had: the result, traces that are evaluated apart, the cost.
pub(super) type OfUnit<T> =
    LocalBoxFuture<'static, Result<(T, Vec<TraceId>, JobCost), SourceError>>;

/// Evaluates traces apart.
pub(super) type OfApart<T> =
    fn(Vec<TraceId>) -> LocalBoxFuture<'static, Result<(T, JobCost), SourceError>>;

/// Jobs of about `target` bytes. Each may be called again when a try has failed. With `of_apart` there is a last one, for the traces that
/// the others leave to it.
pub(super) fn jobs<T: 'static>(
    held: &Rc<Held>,
    target: u64,
    of_unit: impl Fn(Unit) -> OfUnit<T> + 'static,
    of_apart: Option<
        impl Fn(Vec<TraceId>) -> LocalBoxFuture<'static, Result<(T, JobCost), SourceError>> + 'static,
    >,
) -> Jobs<T> {
    let planned = held.view.units(target);
    let apart = Apart::new(planned.len());
    let of_unit = Rc::new(of_unit);
    let mut jobs: Vec<Job<T>> = Vec::with_capacity(planned.len() + 1);
    for one in planned {
        let (of_unit, unit) = (Rc::clone(&of_unit), one.unit);
        let (apart, held) = (Rc::clone(&apart), Rc::clone(held));
        jobs.push(Job {
            bytes: one.bytes,
            newest: one.newest,
            run: Box::new(move || {
                let found = of_unit(unit.clone());
                let (apart, held) = (Rc::clone(&apart), Rc::clone(&held));
                async move {
                    let (found, ids, cost) = found.await?;
                    apart.answered(ids).map_err(|error| block_error(&error))?;
                    // Until here, what the view has must stay.
                    drop(held);
                    Ok((found, cost))
                }
                .boxed_local()
            }),
        });
    }
    if let Some(of_apart) = of_apart {
        let of_apart = Rc::new(of_apart);
        jobs.push(Job {
            bytes: 0,
            newest: u64::MAX,
            run: Box::new(move || {
                let (apart, of_apart) = (Rc::clone(&apart), Rc::clone(&of_apart));
                async move { of_apart(apart.all().await).await }.boxed_local()
            }),
        });
    }
    Jobs {
        jobs,
        blocks: held.view.blocks.len() as u32,
        block_bytes: held.view.block_bytes(),
    }
}

/// Nothing to do.
pub(super) fn no_jobs<T>() -> Jobs<T> {
    Jobs {
        jobs: Vec::new(),
        blocks: 0,
        block_bytes: 0,
    }
}

impl Inner {
    /// Traces of a view that have to be seen whole.
    pub(super) async fn overlap(&self, view: &View) -> Result<Arc<Overlap>, SourceError> {
        let overlap = self.querier.overlap(view, &mut Cost::default()).await;
        Ok(Arc::new(overlap.map_err(|error| block_error(&error))?))
    }
}
