//! The query frontend's way to all spans of a tenant: live data of every shard and blocks, as jobs over the shards.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, try_join_all};
use vivace_block::{BlockMeta, id};
use vivace_columns::{Column, Level};
use vivace_engine::{AnswerOptions, Dedicated, Plan, TraceResult, tag_filters};
use vivace_live_store::Snapshot;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;
use vivace_querier::{
    Cost, Error as QuerierError, MetricsJob, Overlap, Planned, Querier, SearchJob, TagsJob, Unit,
    View, WantedTags, matching_spans,
};
use vivace_query_frontend::{
    Job, JobCost, Jobs, MetricsSpec, QuerySource, SearchSpec, SourceError, TagScope, TagsFound,
    TagsSpec,
};
use vivace_query_metrics::{MetricsPlan, Partials};
use vivace_shards::mailbox::{TrySendError, oneshot};
use vivace_shards::memory::Charge;
use vivace_shards::{Class, shard_id, spawn};
use vivace_traceql::{Pipeline, Query};

use super::apart::Apart;
use super::live::Live;
use super::traces::{block_error, lookup_error};
use super::{Inboxes, Message, Owner, SectionBook};

/// Work for the querier of some shard.
pub type Task = Box<dyn FnOnce(Querier) -> LocalBoxFuture<'static, ()> + Send>;

/// The attributes that blocks of a tenant have columns for.
pub type DedicatedOf = Box<dyn Fn(&str) -> Dedicated>;

/// Queries of one shard; cheap to clone.
#[derive(Clone)]
pub struct Queries {
    inner: Rc<Inner>,
}

struct Inner {
    /// Mailboxes of all shards.
    inboxes: Arc<Inboxes>,
    /// The partitions of this shard.
    own: Owner,
    querier: Querier,
    sections: Arc<SectionBook>,
    /// The log's own number.
    log_id: u64,
    /// Attributes that a tenant's blocks have columns for.
    dedicated: DedicatedOf,
    /// Bytes of a job.
    target_bytes: TargetBytes,
    /// Jobs go to the shards in turn.
    next_shard: Cell<usize>,
}

/// `target_bytes_per_job` of searches and of metrics queries.
#[derive(Clone, Copy)]
pub struct TargetBytes {
    pub search: u64,
    pub metrics: u64,
}

/// A view, and what was read back from the log for it.
struct Held {
    view: View,
    _charges: Vec<Charge>,
}

impl Queries {
    pub fn new(
        inboxes: Arc<Inboxes>,
        own: Owner,
        querier: Querier,
        sections: Arc<SectionBook>,
        dedicated: DedicatedOf,
        target_bytes: TargetBytes,
    ) -> Self {
        Self {
            inner: Rc::new(Inner {
                log_id: own.log_id(),
                next_shard: Cell::new(shard_id()),
                inboxes,
                own,
                querier,
                sections,
                dedicated,
                target_bytes,
            }),
        }
    }
}

impl Inner {
    fn send(&self, shard: usize, message: Message) -> Result<(), SourceError> {
        if shard == shard_id() {
            self.own.handle(message);
            return Ok(());
        }
        let inbox = &self.inboxes.senders()[shard];
        inbox.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => {
                SourceError::Busy(format!("shard {shard} has too many requests waiting"))
            }
            TrySendError::Closed(_) => SourceError::Unavailable("the server is stopping".into()),
        })
    }

    /// Runs work on the next shard. Dropping the future ends the work.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Querier) -> LocalBoxFuture<'static, Result<T, QuerierError>> + Send + 'static,
    ) -> Result<T, SourceError> {
        let shards = self.inboxes.senders().len();
        let shard = self.next_shard.get() % shards;
        self.next_shard.set((shard + 1) % shards);
        let (mut reply, promise) = oneshot();
        let task: Task = Box::new(move |querier| {
            async move {
                if let Some(outcome) = reply.work(work(querier)).await {
                    // Whoever waited may have gone this very moment.
                    let _ = reply.send(outcome);
                }
            }
            .boxed_local()
        });
        self.send(shard, Message::Task(task))?;
        let outcome = promise
            .await
            .map_err(|_| SourceError::Unavailable("the server is stopping".into()))?;
        outcome.map_err(|error| block_error(&error))
    }

    /// Where every span of the tenant is at this moment: live data first, blocks after that, as spans move in that direction only.
    async fn view(&self, tenant: &str, start: u64, end: u64) -> Result<Rc<Held>, SourceError> {
        let name: Arc<str> = tenant.into();
        let asked = (0..self.inboxes.senders().len()).map(|shard| {
            let (reply, promise) = oneshot();
            let message = Message::Snapshot {
                tenant: Arc::clone(&name),
                reply,
            };
            let sent = self.send(shard, message);
            async move {
                sent?;
                promise
                    .await
                    .map_err(|_| SourceError::Unavailable("the server is stopping".into()))?
                    .map_err(|error| lookup_error(&error))
            }
        });
        let mut live = Live::default();
        for snapshot in try_join_all(asked).await? {
            live.add(snapshot);
        }
        let listed = self.querier.listed(tenant);
        let mut blocks = listed.map_err(|error| block_error(&error))?.to_vec();
        self.part(tenant, &mut live, &mut blocks);
        let batches = live.batches.into_iter().map(|one| one.batch).collect();
        Ok(Rc::new(Held {
            view: View::new(name, batches, blocks, start, end),
            _charges: live.charges,
        }))
    }

    /// Takes care that no span is both in live data and in a block: what live data has whole is left out of the blocks, what it has
    /// given up in part is left out of live data.
    fn part(&self, tenant: &str, live: &mut Live, blocks: &mut Vec<Arc<BlockMeta>>) {
        for section in self.sections.beyond(&live.first_offsets) {
            let partition = u64::from(section.partition);
            let block = id::deterministic(tenant, partition, section.offsets.start, self.log_id);
            let first = live.first_offset(section.partition);
            if section.offsets.start >= first {
                blocks.retain(|meta| meta.block_id != block);
            } else if blocks.iter().any(|meta| meta.block_id == block) {
                live.forget(section.partition, section.offsets.end);
            }
        }
    }
}

fn job_cost(cost: Cost) -> JobCost {
    JobCost {
        inspected_bytes: cost.inspected_bytes,
        inspected_spans: cost.inspected_spans,
        backend_reads: cost.reads,
        backend_bytes: cost.read_bytes,
    }
}

/// The pipeline that a search runs; of a metrics query the one before the function.
fn pipeline(query: &Query) -> Result<&Pipeline, SourceError> {
    let none = || SourceError::Failed("math expressions not supported".into());
    query.search_pipeline().ok_or_else(none)
}

fn plan_of(query: &Query, dedicated: &Dedicated) -> Result<Plan, SourceError> {
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
    async fn overlap(&self, view: &View) -> Result<(Arc<Overlap>, Cost), SourceError> {
        let mut cost = Cost::default();
        let overlap = self.querier.overlap(view, &mut cost).await;
        let overlap = overlap.map_err(|error| block_error(&error))?;
        Ok((Arc::new(overlap), cost))
    }

    async fn search(
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
            job.overlap = Some(self.overlap(&held.view).await?.0);
        }
        let job = Arc::new(job);
        let planned = held.view.units(self.target_bytes.search);
        let apart = Apart::new(planned.len());
        let has_apart = job
            .overlap
            .as_ref()
            .is_some_and(|overlap| !overlap.is_empty());
        let (inner, of_units) = (Rc::clone(self), Arc::clone(&job));
        let (answers, seen) = (Rc::clone(&apart), Rc::clone(&held));
        let mut jobs = unit_jobs(planned, move |unit| {
            let (inner, job) = (Rc::clone(&inner), Arc::clone(&of_units));
            let (apart, held) = (Rc::clone(&answers), Rc::clone(&seen));
            async move {
                let found = inner.run(move |querier| search_unit(querier, job, unit));
                let found = found.await?;
                apart.answered(found.apart);
                drop(held);
                Ok((found.traces, job_cost(found.cost)))
            }
            .boxed_local()
        });
        if has_apart {
            let (inner, job) = (Rc::clone(self), Arc::clone(&job));
            let held = Rc::clone(&held);
            jobs.push(Job {
                bytes: 0,
                newest: u64::MAX,
                run: Box::new(move || {
                    let (inner, job) = (Rc::clone(&inner), Arc::clone(&job));
                    let (apart, held) = (Rc::clone(&apart), Rc::clone(&held));
                    async move {
                        let ids = apart.all().await;
                        let (found, cost) = inner.search_apart(&held.view, job, ids).await?;
                        Ok((found, job_cost(cost)))
                    }
                    .boxed_local()
                }),
            });
        }
        Ok(Jobs {
            jobs,
            blocks: held.view.blocks.len() as u32,
            block_bytes: held.view.block_bytes(),
        })
    }

    /// Evaluates traces with all of their spans.
    async fn search_apart(
        &self,
        view: &View,
        job: Arc<SearchJob>,
        ids: Vec<TraceId>,
    ) -> Result<(Vec<TraceResult>, Cost), SourceError> {
        let mut cost = Cost::default();
        if ids.is_empty() {
            return Ok((Vec::new(), cost));
        }
        let gathered = self.querier.gather(view, ids, &mut cost).await;
        let gathered = gathered.map_err(|error| block_error(&error))?;
        let found = self.querier.search_whole(&job, gathered).await;
        Ok((found.map_err(|error| block_error(&error))?, cost))
    }

    async fn complete(
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
        let (whole, _) = self
            .search_apart(&held.view, Arc::new(job), several.clone())
            .await?;
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

    async fn metrics(
        self: &Rc<Self>,
        tenant: &str,
        spec: &MetricsSpec,
    ) -> Result<Jobs<Partials>, SourceError> {
        let plan = MetricsPlan::new(&spec.query, spec.request, spec.allow_unsafe_hints);
        let plan = plan.map_err(|error| SourceError::Failed(error.to_string()))?;
        if plan.is_trivially_false() {
            return Ok(no_jobs());
        }
        let (start, end) = (
            plan.request().start / 1_000_000_000,
            plan.request().end.div_ceil(1_000_000_000),
        );
        let target = plan.job_bytes().unwrap_or(self.target_bytes.metrics);
        let job = MetricsJob::new(tenant.into(), plan, &(self.dedicated)(tenant));
        let mut job = job.map_err(|error| block_error(&error))?;
        let held = self.view(tenant, start, end).await?;
        if job.needs_whole_traces() {
            job.overlap = Some(self.overlap(&held.view).await?.0);
        }
        let job = Arc::new(job);
        let planned = held.view.units(target);
        let apart = Apart::new(planned.len());
        let has_apart = job
            .overlap
            .as_ref()
            .is_some_and(|overlap| !overlap.is_empty());
        let (inner, of_units) = (Rc::clone(self), Arc::clone(&job));
        let (answers, seen) = (Rc::clone(&apart), Rc::clone(&held));
        let mut jobs = unit_jobs(planned, move |unit| {
            let (inner, job) = (Rc::clone(&inner), Arc::clone(&of_units));
            let (apart, held) = (Rc::clone(&answers), Rc::clone(&seen));
            async move {
                let counted = inner.run(move |querier| count_unit(querier, job, unit));
                let counted = counted.await?;
                apart.answered(counted.apart);
                drop(held);
                Ok((counted.partials, job_cost(counted.cost)))
            }
            .boxed_local()
        });
        if has_apart {
            let inner = Rc::clone(self);
            let held = Rc::clone(&held);
            jobs.push(Job {
                bytes: 0,
                newest: u64::MAX,
                run: Box::new(move || {
                    let (inner, job) = (Rc::clone(&inner), Arc::clone(&job));
                    let (apart, held) = (Rc::clone(&apart), Rc::clone(&held));
                    async move {
                        let ids = apart.all().await;
                        let mut cost = Cost::default();
                        let gathered = inner.querier.gather(&held.view, ids, &mut cost).await;
                        let gathered = gathered.map_err(|error| block_error(&error))?;
                        let counted = inner.querier.count_whole(&job, gathered).await;
                        let counted = counted.map_err(|error| block_error(&error))?;
                        Ok((counted, job_cost(cost)))
                    }
                    .boxed_local()
                }),
            });
        }
        Ok(Jobs {
            jobs,
            blocks: held.view.blocks.len() as u32,
            block_bytes: held.view.block_bytes(),
        })
    }

    async fn tags(
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
            held = Rc::new(Held {
                view: whole.await.map_err(|error| block_error(&error))?,
                _charges: Vec::new(),
            });
        }
        let planned = held.view.units(self.target_bytes.search);
        let (inner, seen) = (Rc::clone(self), Rc::clone(&held));
        let jobs = unit_jobs(planned, move |unit| {
            let (inner, job, held) = (Rc::clone(&inner), Arc::clone(&job), Rc::clone(&seen));
            async move {
                let found = inner.run(move |querier| tags_of_unit(querier, job, unit));
                let found = found.await?;
                drop(held);
                let names = found.found.names.into_iter();
                let tags = TagsFound {
                    names: names
                        .filter_map(|(level, name)| Some((scope_of(level)?, name)))
                        .collect(),
                    values: found.found.values.into_iter().collect(),
                };
                Ok((tags, job_cost(found.cost)))
            }
            .boxed_local()
        });
        Ok(Jobs {
            jobs,
            blocks: held.view.blocks.len() as u32,
            block_bytes: held.view.block_bytes(),
        })
    }
}

/// A job for each unit. `start` may be called again for one whose try has failed.
fn unit_jobs<T: 'static>(
    planned: Vec<Planned>,
    start: impl Fn(Unit) -> LocalBoxFuture<'static, Result<(T, JobCost), SourceError>> + 'static,
) -> Vec<Job<T>> {
    let start = Rc::new(start);
    let job = |one: Planned| {
        let (start, unit) = (Rc::clone(&start), one.unit);
        Job {
            bytes: one.bytes,
            newest: one.newest,
            run: Box::new(move || start(unit.clone())),
        }
    };
    planned.into_iter().map(job).collect()
}

fn no_jobs<T>() -> Jobs<T> {
    Jobs {
        jobs: Vec::new(),
        blocks: 0,
        block_bytes: 0,
    }
}

fn search_unit(
    querier: Querier,
    job: Arc<SearchJob>,
    unit: Unit,
) -> LocalBoxFuture<'static, Result<vivace_querier::Searched, QuerierError>> {
    async move { querier.search(&job, &unit).await }.boxed_local()
}

fn count_unit(
    querier: Querier,
    job: Arc<MetricsJob>,
    unit: Unit,
) -> LocalBoxFuture<'static, Result<vivace_querier::Counted, QuerierError>> {
    async move { querier.count(&job, &unit).await }.boxed_local()
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

impl QuerySource for Queries {
    fn search<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Vec<TraceResult>>, SourceError>> {
        async move { self.inner.search(tenant, &spec).await }.boxed_local()
    }

    fn complete<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
        found: Vec<TraceResult>,
    ) -> LocalBoxFuture<'a, Result<Vec<TraceResult>, SourceError>> {
        async move { self.inner.complete(tenant, &spec, found).await }.boxed_local()
    }

    fn metrics<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<MetricsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Partials>, SourceError>> {
        async move { self.inner.metrics(tenant, &spec).await }.boxed_local()
    }

    fn tags<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<TagsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<TagsFound>, SourceError>> {
        async move { self.inner.tags(tenant, &spec).await }.boxed_local()
    }

    fn matching_spans<'a>(
        &'a self,
        query: &'a Query,
        _: TraceId,
        fragments: &'a [Fragment],
    ) -> LocalBoxFuture<'a, Result<Vec<[u8; 8]>, SourceError>> {
        async move {
            let plan = plan_of(query, &Dedicated::default())?;
            let found = matching_spans(&plan, fragments).await;
            found.map_err(|error| block_error(&error))
        }
        .boxed_local()
    }
}

impl Owner {
    /// Answers a snapshot of this shard's live data.
    pub(super) fn snapshot(
        &self,
        tenant: Arc<str>,
        mut reply: vivace_shards::mailbox::Reply<Result<Snapshot, vivace_live_store::Error>>,
    ) {
        let store = self.store().clone();
        spawn(Class::Query, async move {
            if let Some(taken) = reply.work(store.snapshot(&tenant)).await {
                let _ = reply.send(taken);
            }
        })
        .detach();
    }
}
