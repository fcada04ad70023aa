//! The jobs of one query on their way: begun when there is a permit, tried again when that may help, dropped with the runner.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use vivace_shards::time::sleep;

use super::queue::{Permit, Place, Queue};
use crate::error::QueryError;
use crate::jobs::{Job, JobCost, Jobs, Start};
use crate::limits::{FIRST_SEARCH_JOBS, RETRY_AFTER, RETRY_AFTER_MAX};
use crate::metrics::QueueMetrics;
use crate::source::SourceError;

/// What a query has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub total_jobs: u32,
    pub completed_jobs: u32,
    pub blocks: u32,
    pub block_bytes: u64,
    /// Of completed jobs.
    pub cost: JobCost,
}

/// How jobs are run.
#[derive(Clone)]
pub struct Rules {
    /// Jobs of the query that wait or run at once.
    pub concurrent: usize,
    /// Tries of a job after the first.
    pub retries: u32,
    /// The first jobs may be enough: few are begun at first, those of live data before all others.
    pub is_cautious: bool,
    pub metrics: QueueMetrics,
}

struct Waiting<T> {
    tenant: usize,
    newest: u64,
    /// Of this job and of all that begin later.
    newest_left: u64,
    start: Start<T>,
}

struct Done<T> {
    tenant: usize,
    newest: u64,
    result: Result<(T, JobCost), SourceError>,
}

/// The jobs of a query over one or several tenants, newest data first.
pub struct Runner<T> {
    rules: Rules,
    place: Place,
    /// The next one is the last.
    waiting: Vec<Waiting<T>>,
    running: FuturesUnordered<LocalBoxFuture<'static, Done<T>>>,
    /// Of the jobs that run; each as often as it is there.
    running_newest: Vec<u64>,
    /// Jobs that ended while something else was waited for.
    ended: VecDeque<Done<T>>,
    progress: Progress,
}

impl<T: 'static> Runner<T> {
    /// Jobs of each tenant, in the order of the tenants. `name` is that under which they queue.
    pub fn new(
        queue: &Queue,
        name: &str,
        of_tenants: Vec<Jobs<T>>,
        rules: Rules,
    ) -> Result<Self, QueryError> {
        let mut progress = Progress::default();
        let mut lists = Vec::new();
        for Jobs {
            jobs,
            blocks,
            block_bytes,
        } in of_tenants
        {
            progress.blocks = progress.blocks.saturating_add(blocks);
            progress.block_bytes = progress.block_bytes.saturating_add(block_bytes);
            lists.push(jobs);
        }
        let waiting = in_order(lists);
        progress.total_jobs = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let place = queue
            .enter(name, waiting.len().min(rules.concurrent))
            .map_err(|_| QueryError::QueueFull)?;
        Ok(Self {
            rules,
            place,
            waiting,
            running: FuturesUnordered::new(),
            running_newest: Vec::new(),
            ended: VecDeque::new(),
            progress,
        })
    }

    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// No job that is left has spans that start later; None when none is left.
    pub fn newest_left(&self) -> Option<u64> {
        let waiting = self.waiting.last().map(|job| job.newest_left);
        self.running_newest.iter().copied().chain(waiting).max()
    }

    /// What the next job found, with the number of its tenant, or None after the last one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<(usize, T), QueryError>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Waits for something else. Jobs that run go on meanwhile and give back their permits, but none is begun: whoever is slow must
    /// not keep others from running theirs.
    pub async fn during<F: Future>(&mut self, other: F) -> F::Output {
        self.place.withdraw();
        let mut other = pin!(other);
        poll_fn(|context| {
            if let Poll::Ready(output) = other.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            while let Poll::Ready(Some(done)) = self.running.poll_next_unpin(context) {
                self.ended.push_back(done);
            }
            Poll::Pending
        })
        .await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(usize, T), QueryError>>> {
        if let Some(done) = self.ended.pop_front() {
            return Poll::Ready(Some(self.end(done)));
        }
        while self.may_begin() {
            let Poll::Ready(permit) = self.place.poll_permit(context) else {
                break;
            };
            if let Some(job) = self.waiting.pop() {
                self.begin(job, permit);
            }
        }
        let done = match self.running.poll_next_unpin(context) {
            Poll::Ready(Some(done)) => done,
            Poll::Ready(None) if self.waiting.is_empty() => return Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(self.end(done)))
    }

    /// Whether there is a job that should begin as soon as there is a permit.
    fn may_begin(&self) -> bool {
        let (Some(next), running) = (self.waiting.last(), self.running.len()) else {
            return false;
        };
        if running >= self.rules.concurrent {
            return false;
        }
        if !self.rules.is_cautious {
            return true;
        }
        let is_live = |newest| newest == u64::MAX;
        let live_runs = self.running_newest.iter().any(|newest| is_live(*newest));
        if live_runs && !is_live(next.newest) {
            return false;
        }
        let ended = usize::try_from(self.progress.completed_jobs).unwrap_or(usize::MAX);
        is_live(next.newest) || running < FIRST_SEARCH_JOBS.saturating_add(ended.saturating_mul(2))
    }

    fn end(&mut self, done: Done<T>) -> Result<(usize, T), QueryError> {
        let mut ages = self.running_newest.iter();
        if let Some(at) = ages.position(|newest| *newest == done.newest) {
            self.running_newest.swap_remove(at);
        }
        let (found, cost) = done.result?;
        self.count(cost);
        Ok((done.tenant, found))
    }

    fn count(&mut self, cost: JobCost) {
        self.progress.completed_jobs += 1;
        let sum = &mut self.progress.cost;
        sum.inspected_bytes = sum.inspected_bytes.saturating_add(cost.inspected_bytes);
        sum.inspected_spans = sum.inspected_spans.saturating_add(cost.inspected_spans);
        sum.backend_reads = sum.backend_reads.saturating_add(cost.backend_reads);
        sum.backend_bytes = sum.backend_bytes.saturating_add(cost.backend_bytes);
    }

    /// The one place where a job begins. A cache of what jobs found would be asked here, before the work is started, and would be
    /// given the result in `tries`; it needs a key in `Job` that names the data and the query.
    fn begin(&mut self, job: Waiting<T>, permit: Permit) {
        let left = self.waiting.len().min(self.rules.concurrent);
        self.place.outstanding(left);
        self.running_newest.push(job.newest);
        let rules = self.rules.clone();
        self.running.push(Box::pin(async move {
            let _permit = permit;
            Done {
                tenant: job.tenant,
                newest: job.newest,
                result: tries(&job.start, &rules).await,
            }
        }));
    }
}

/// The jobs of all tenants, the last one first. A tenant's jobs keep their order; of several tenants the newest data comes first.
fn in_order<T>(lists: Vec<Vec<Job<T>>>) -> Vec<Waiting<T>> {
    let mut lists: Vec<_> = lists
        .into_iter()
        .map(|jobs| jobs.into_iter().peekable())
        .collect();
    let mut waiting = Vec::new();
    loop {
        let heads = lists.iter_mut().enumerate();
        let heads = heads.filter_map(|(tenant, jobs)| Some((jobs.peek()?.newest, tenant)));
        let Some((_, tenant)) = heads.max_by_key(|(newest, tenant)| (*newest, usize::MAX - tenant))
        else {
            break;
        };
        let Some(Job { newest, run, .. }) = lists.get_mut(tenant).and_then(Iterator::next) else {
            break;
        };
        waiting.push(Waiting {
            tenant,
            newest,
            newest_left: newest,
            start: run,
        });
    }
    waiting.reverse();
    let mut newest_left = 0;
    for job in &mut waiting {
        newest_left = job.newest.max(newest_left);
        job.newest_left = newest_left;
    }
    waiting
}

/// Runs a job, again if it failed in a way that may pass.
async fn tries<T>(start: &Start<T>, rules: &Rules) -> Result<(T, JobCost), SourceError> {
    let mut wait = RETRY_AFTER;
    let mut retries = 0;
    loop {
        let result = start().await;
        match &result {
            Err(error) if error.is_retryable() && retries < rules.retries => {}
            _ => {
                rules.metrics.retried(retries);
                return result;
            }
        }
        retries += 1;
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_AFTER_MAX);
    }
}
