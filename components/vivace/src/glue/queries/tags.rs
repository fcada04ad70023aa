//! Names and values of tags.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_columns::{Column, Level};
use vivace_engine::tag_filters;
use vivace_querier::{Cost, Error as QuerierError, Querier, TagsJob, Unit, WantedTags};
use vivace_query_frontend::{Jobs, SourceError, TagScope, TagsFound, TagsSpec};

use super::jobs::{OfApart, jobs};
use super::source::{Inner, job_cost};
use super::view::Held;
use crate::glue::traces::block_error;

impl Inner {
    pub(super) async fn tags(
        self: &Rc<Self>,
        tenant: &str,
        spec: &TagsSpec,
    ) -> Result<Jobs<TagsFound>, SourceError> {
        let failed = |error: vivace_engine::PlanError| SourceError::Failed(error.to_string());
        let filters = spec.filter.as_deref().map(|groups| tag_filters(groups));
        let job = Arc::new(TagsJob {
            tenant: tenant.into(),
            wanted: match &spec.values_of {
                Some(field) => WantedTags::Values(field.clone()),
                None => WantedTags::Names(levels(spec.scope, spec.filter.is_some())),
            },
            filters: filters.transpose().map_err(failed)?,
            max_bytes: spec.max_bytes,
            limit: spec.limit,
        });
        let mut held = self.view(tenant, spec.start, spec.end).await?;
        let is_of_trace = spec.values_of.as_ref().is_some_and(|field| {
            let columns = Column::of_field(field);
            columns.iter().any(|column| column.level() == Level::Trace)
        });
        if is_of_trace && !held.view.live.is_empty() {
            let mut cost = Cost::default();
            let whole = self.querier.with_whole_live_traces(&held.view, &mut cost);
            let (view, memory) = whole.await.map_err(|error| block_error(&error))?;
            held = Rc::new(Held::gathered(view, memory));
        }
        let inner = Rc::clone(self);
        let of_unit = move |unit| {
            let (inner, job) = (Rc::clone(&inner), Arc::clone(&job));
            async move {
                let work = |querier| tags_of_unit(querier, job, unit);
                let found = inner.run(work).await?;
                let names = found.found.names.into_iter();
                let tags = TagsFound {
                    names: names
                        .filter_map(|(level, name)| Some((scope_of(level)?, name)))
                        .collect(),
                    values: found.found.values.into_iter().collect(),
                };
                Ok((tags, Vec::new(), job_cost(found.cost)))
            }
            .boxed_local()
        };
        let target = self.target_bytes.search;
        Ok(jobs(&held, target, of_unit, None::<OfApart<TagsFound>>))
    }
}

fn tags_of_unit(
    querier: Querier,
    job: Arc<TagsJob>,
    unit: Unit,
) -> LocalBoxFuture<'static, Result<vivace_querier::TagsResult, QuerierError>> {
    async move { querier.tags(&job, &unit).await }.boxed_local()
}

/// Levels whose names are wanted. Under a filter those of events and links only if they are asked for (block-format.md §9.5).
fn levels(scope: Option<TagScope>, is_filtered: bool) -> Vec<Level> {
    let level = |scope| match scope {
        TagScope::Event => Level::Event,
        TagScope::Instrumentation => Level::Scope,
        TagScope::Link => Level::Link,
        TagScope::Resource => Level::Resource,
        TagScope::Span => Level::Span,
    };
    match scope {
        Some(scope) => Vec::from([level(scope)]),
        None if is_filtered => Vec::from([Level::Scope, Level::Resource, Level::Span]),
        None => Vec::from([
            Level::Event,
            Level::Scope,
            Level::Link,
            Level::Resource,
            Level::Span,
        ]),
    }
}

fn scope_of(level: Level) -> Option<TagScope> {
    match level {
        Level::Trace => None,
        Level::Event => Some(TagScope::Event),
        Level::Scope => Some(TagScope::Instrumentation),
        Level::Link => Some(TagScope::Link),
        Level::Resource => Some(TagScope::Resource),
        Level::Span => Some(TagScope::Span),
    }
}
