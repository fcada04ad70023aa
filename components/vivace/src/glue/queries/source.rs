//! Jobs, and the shards that run them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_engine::{Dedicated, TraceResult};
use vivace_live_store::Snapshot;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;
use vivace_querier::{Cost, Error as QuerierError, Querier, matching_spans};
use vivace_query_frontend::{
    JobCost, Jobs, MetricsSpec, QuerySource, SearchSpec, SourceError, TagsFound, TagsSpec,
};
use vivace_query_metrics::Partials;
use vivace_shards::mailbox::{TrySendError, oneshot};
use vivace_shards::{Class, shard_id, spawn};
use vivace_traceql::Query;

use super::search::plan_of;
use crate::glue::traces::block_error;
use crate::glue::{Inboxes, Message, Owner, SectionBook};

/// Work for the querier of some shard.
pub type Task = Box<dyn FnOnce(Querier) -> LocalBoxFuture<'static, ()> + Send>;

/// The attributes that blocks of a tenant have columns for.
pub type DedicatedOf = Box<dyn Fn(&str) -> Dedicated>;

/// Queries of one shard; cheap to clone.
#[derive(Clone)]
pub struct Queries {
    inner: Rc<Inner>,
}

pub(super) struct Inner {
    /// Mailboxes of all shards.
    pub(super) inboxes: Arc<Inboxes>,
    /// The partitions of this shard.
    pub(super) own: Owner,
    pub(super) querier: Querier,
    pub(super) sections: Arc<SectionBook>,
    /// The log's own number.
    pub(super) log_id: u64,
    /// Attributes that a tenant's blocks have columns for.
    pub(super) dedicated: DedicatedOf,
    /// Bytes of a job.
    pub(super) target_bytes: TargetBytes,
    /// Jobs go to the shards in turn.
    next_shard: Cell<usize>,
}

/// `target_bytes_per_job` of searches and of metrics queries.
#[derive(Clone, Copy)]
pub struct TargetBytes {
    pub search: u64,
    pub metrics: u64,
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
    pub(super) fn send(&self, shard: usize, message: Message) -> Result<(), SourceError> {
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
    pub(super) async fn run<T: Send + 'static>(
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
}

pub(super) fn job_cost(cost: Cost) -> JobCost {
    JobCost {
        inspected_bytes: cost.inspected_bytes,
        inspected_spans: cost.inspected_spans,
        backend_reads: cost.reads,
        backend_bytes: cost.read_bytes,
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
    pub(in crate::glue) fn snapshot(
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
