//! The live-store of one shard.

use crate::admit::tracker_millis;
use crate::config::Config;
use crate::error::BoxError;
use crate::limits::WORK_PER_BREATH;
use crate::shared::Shared;
use crate::state::State;
use crate::tracker::TraceLimits;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use vivace_model::{SpanBatch, TraceId};
use vivace_shards::memory::{Pressure, pressure};
use vivace_shards::metrics::Busy;
use vivace_shards::time::{Instant, sleep};

/// How often [`Store::maintain`] looks at ages and memory.
const MAINTENANCE_PERIOD: Duration = Duration::from_secs(1);

/// Reads a record back that was appended to the log earlier.
pub trait RecordReader {
    /// The record's payload; None when the log no longer has it.
    fn read(
        &self,
        partition: u32,
        offset: u64,
    ) -> LocalBoxFuture<'_, Result<Option<Bytes>, BoxError>>;
}

/// A record that was taken in.
#[derive(Debug)]
pub struct Held {
    pub offset: u64,
    pub tenant: Box<str>,
    /// None: its bytes are in the log only.
    pub batch: Option<SpanBatch>,
}

/// The live-store of one shard; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Rc<Inner>,
}

pub(crate) struct Inner {
    pub config: Config,
    pub shared: Arc<Shared>,
    pub limits: Box<dyn Fn(&str) -> TraceLimits>,
    pub reader: Rc<dyn RecordReader>,
    pub state: RefCell<State>,
    hasher: foldhash::quality::FixedState,
    /// What this shard last added to the process's gauges: entries, traces, index bytes, resident bytes, batches.
    reported: RefCell<[i64; 5]>,
    /// Judging batches and taking them in.
    pub busy: Busy,
}

impl Inner {
    /// The name of a trace in the index and the trackers.
    pub fn hash(&self, tenant: u32, trace: TraceId) -> u64 {
        self.hasher.hash_one((tenant, trace.0))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.report([0; 5]);
        for tenant in self.state.get_mut().tenants.iter_mut().flatten() {
            tenant.track(|tracker| *tracker = Default::default());
        }
    }
}

impl Store {
    /// `limits` gives a tenant's limits now; it is asked for each batch. Call on a shard: the hash seed comes from its randomness.
    pub fn new(
        config: Config,
        shared: Arc<Shared>,
        limits: impl Fn(&str) -> TraceLimits + 'static,
        reader: Rc<dyn RecordReader>,
    ) -> Self {
        let seed = vivace_shards::rand::u64();
        Self {
            inner: Rc::new(Inner {
                config,
                shared,
                limits: Box::new(limits),
                reader,
                state: RefCell::new(State::new(seed)),
                hasher: foldhash::quality::FixedState::with_seed(seed),
                reported: RefCell::default(),
                busy: Busy::new("index"),
            }),
        }
    }

    /// Announces a partition that this shard owns.
    pub fn own(&self, partition: u32) {
        let Inner {
            state,
            shared,
            config,
            ..
        } = &*self.inner;
        state.borrow_mut().partitions.entry(partition).or_default();
        // Seen from outside, one process owns one partition of the ring, however many its log has.
        let labels = ["0".to_owned(), config.zone.clone()];
        shared
            .metrics
            .partition_owned
            .with_label_values(&labels)
            .set(1);
    }

    /// Takes a durable batch in. It is seen by every lookup from now on. A second delivery of an offset is ignored.
    ///
    /// Never refuses: the batch is acknowledged, or about to be. Room was promised by [`Store::admit`].
    pub fn insert(&self, partition: u32, offset: u64, tenant: &str, batch: SpanBatch) {
        let busy = &self.inner.busy;
        busy.call(|| self.take_in(partition, offset, tenant, batch));
    }

    /// Returns how many of its traces are new, None for a second delivery.
    pub(crate) fn take_in(
        &self,
        partition: u32,
        offset: u64,
        tenant: &str,
        batch: SpanBatch,
    ) -> Option<u64> {
        let inner = &*self.inner;
        let mut state = inner.state.borrow_mut();
        if state
            .partitions
            .get(&partition)
            .is_some_and(|p| offset < p.next_offset)
        {
            return None;
        }
        // Invariant: with `must` it does not fail.
        let number = state.tenant(tenant, &inner.shared, true).ok()?;
        let whole = batch.clone();
        let view = whole.view();
        let hashes = view
            .trace_runs()
            .map(|(trace, _)| inner.hash(number, trace));
        let limit = state.live_limit(inner.config.max_live_bytes);
        let new = state.insert(partition, offset, number, batch, hashes, limit);
        if let Some(Some(tenant)) = state.tenants.get(number as usize) {
            tenant.shared.records_processed.fetch_add(1, Relaxed);
        }
        Some(new)
    }

    /// The records of a partition with offsets in `from..to`, in their order. What is missing was never taken in.
    pub fn held(&self, partition: u32, offsets: Range<u64>) -> Vec<Held> {
        let state = self.inner.state.borrow();
        let Some(of_partition) = state.partitions.get(&partition) else {
            return Vec::new();
        };
        let tenant = |number: u32| {
            let tenant = state.tenants.get(number as usize)?.as_ref()?;
            Some(&*tenant.name)
        };
        of_partition
            .numbers(offsets)
            .filter_map(|number| {
                let batch = of_partition.batches.get(number)?;
                Some(Held {
                    offset: batch.offset,
                    tenant: tenant(batch.tenant)?.into(),
                    batch: of_partition.resident(number).cloned(),
                })
            })
            .collect()
    }

    /// Whether more than half of the trace index is used: then blocks should be made sooner, before ingest has to be refused.
    pub fn is_crowded(&self) -> bool {
        let state = self.inner.state.borrow();
        state.index_bytes() > self.inner.config.max_index_bytes / 2
    }

    /// Forgets what is in blocks that every lookup sees, or what the log no longer has: all batches of a partition with offsets below `offset`.
    pub async fn forget_before(&self, partition: u32, offset: u64) {
        let mut work = 0;
        loop {
            let entries = self
                .inner
                .state
                .borrow_mut()
                .forget_oldest(partition, offset);
            let Some(entries) = entries else { break };
            work += entries as usize + 1;
            if work > WORK_PER_BREATH {
                work = 0;
                vivace_shards::breathe().await;
            }
        }
        if let Some(partition) = self.inner.state.borrow_mut().partitions.get_mut(&partition) {
            partition.next_offset = partition.next_offset.max(offset);
        }
    }

    /// Whether the live-store answers; `tempo_live_store_ready`.
    pub fn set_ready(&self, ready: bool) {
        self.inner.shared.metrics.ready.set(ready.into());
    }

    /// How long the start took until everything was replayed; `tempo_live_store_catch_up_duration_seconds`.
    pub fn caught_up_after(&self, duration: Duration) {
        self.inner
            .shared
            .metrics
            .catch_up
            .set(duration.as_secs_f64());
    }

    /// Runs for as long as the store: ends traces that are no longer live, gives memory back under pressure, keeps the gauges right.
    pub async fn maintain(self) {
        loop {
            sleep(MAINTENANCE_PERIOD).await;
            self.sweep(Instant::now()).await;
            self.relieve();
            self.report();
        }
    }

    /// Ends traces that are no longer live and drops tenants without anything.
    pub async fn sweep(&self, now: Instant) {
        let now = tracker_millis(now);
        let (mut number, mut work) = (0, 0);
        loop {
            {
                let mut state = self.inner.state.borrow_mut();
                let state = &mut *state;
                let Some(slot) = state.tenants.get_mut(number as usize) else {
                    return;
                };
                work += 1;
                if let Some(tenant) = slot {
                    let before = tenant.tracker.len();
                    work += before;
                    tenant.swept_at = now;
                    tenant.track(|tracker| tracker.sweep(now, &self.inner.config.ages));
                    state.tracked -= before - tenant.tracker.len();
                    state.drop_if_unused(number);
                }
                number += 1;
            }
            if work > WORK_PER_BREATH {
                work = 0;
                vivace_shards::breathe().await;
            }
        }
    }

    /// Under memory pressure the bytes of the older half go: they can be read back, and requests need the memory more.
    fn relieve(&self) {
        if matches!(pressure(), Pressure::Normal) {
            return;
        }
        let mut state = self.inner.state.borrow_mut();
        let target = state.live_bytes / 2;
        while state.live_bytes > target && state.evict_oldest() {}
    }

    fn report(&self) {
        let state = self.inner.state.borrow();
        let sum = |of: fn(&crate::partition::Partition) -> u64| {
            state.partitions.values().map(of).sum::<u64>() as i64
        };
        let now = [
            sum(|p| p.index.entries()),
            sum(|p| p.index.traces() as u64),
            state.index_bytes() as i64,
            state.live_bytes as i64,
            sum(|p| p.batches.len()),
        ];
        drop(state);
        self.inner.report(now);
    }
}

impl Inner {
    /// The gauges are for the process: each shard adds what changed on it.
    fn report(&self, now: [i64; 5]) {
        let metrics = &self.shared.metrics;
        let gauges = [
            &metrics.index_entries,
            &metrics.index_traces,
            &metrics.index_bytes,
            &metrics.resident_bytes,
            &metrics.batches,
        ];
        let before = self.reported.replace(now);
        for ((gauge, now), before) in gauges.into_iter().zip(now).zip(before) {
            gauge.add(now - before);
        }
    }
}
