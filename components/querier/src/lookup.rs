//! Trace by id: bloom filters first, then the rows of the blocks that may have it (block-format.md §9.2).

use std::cell::{Cell, RefCell};
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use vivace_block::BlockMeta;
use vivace_block::bloom::{self, BloomShard};
use vivace_block::keys::{self, BlockObject};
use vivace_block_reader::{OpenBlock, Ranges, ReadError};
use vivace_limits::Throttle;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;
use vivace_shards::memory::{Charge, Kind, try_charge};
use vivace_shards::time::Instant;

use crate::cache::Caches;
use crate::error::Error;
use crate::limits::{BLOCK_LINES_PER_SECOND, BLOCKS_AT_ONCE, FILTER_BYTES, FILTERS_AT_ONCE};
use crate::metrics::Metrics;
use crate::query::Gate;
use crate::source::{Blocks, StoreError};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub trace_id: TraceId,
    /// Ids of blocks to look into, both ends included.
    pub blocks: RangeInclusive<u128>,
    /// Unix seconds; only blocks that reach beyond it. 0 = any.
    pub start_seconds: i64,
    /// Unix seconds; only blocks that begin before it. 0 = any.
    pub end_seconds: i64,
}

/// What was found, and what it cost.
#[derive(Debug, Default)]
pub struct Found {
    /// Not deduplicated: several blocks may have the same span.
    pub fragments: Vec<Fragment>,
    /// Reads of the store, and their bytes.
    pub reads: u64,
    pub read_bytes: u64,
}

/// The querier of one shard; cheap to clone.
#[derive(Clone)]
pub struct Querier {
    inner: Rc<Inner>,
}

struct Inner {
    blocks: Rc<dyn Blocks>,
    caches: Arc<Caches>,
    metrics: Metrics,
    lines: RefCell<Throttle>,
    gate: Rc<Gate>,
}

impl Querier {
    pub fn new(blocks: Rc<dyn Blocks>, caches: Arc<Caches>) -> Self {
        Self {
            inner: Rc::new(Inner {
                blocks,
                caches,
                metrics: Metrics::register(),
                lines: RefCell::new(Throttle::new(BLOCK_LINES_PER_SECOND)),
                gate: Rc::default(),
            }),
        }
    }

    /// Every span of a trace that blocks have. The blocks are those listed when this is called: what a live store gives up after
    /// its block is listed is found if the live store is asked first.
    pub async fn find_trace(&self, tenant: &str, lookup: &Lookup) -> Result<Found, Error> {
        let name: Arc<str> = tenant.into();
        let metas = self.listed(tenant)?;
        self.find_among(&name, &metas, lookup).await
    }

    /// The blocks of a tenant that are listed now.
    pub fn listed(&self, tenant: &str) -> Result<Arc<[Arc<BlockMeta>]>, Error> {
        let listed = self.inner.blocks.of_tenant(tenant);
        listed.map_err(|why| Error::NotListed { why })
    }

    /// Every span of a trace that some blocks have.
    pub(crate) async fn find_among(
        &self,
        name: &Arc<str>,
        metas: &[Arc<BlockMeta>],
        lookup: &Lookup,
    ) -> Result<Found, Error> {
        let inner = &*self.inner;
        let cost = Cost::default();
        let candidates = metas.iter().filter(|meta| lookup.admits(meta));
        let filters = stream::iter(candidates.map(|meta| {
            let block = Block {
                inner,
                tenant: name,
                meta,
                cost: &cost,
            };
            async move {
                let maybe = block.may_have(lookup.trace_id).await;
                block.unless_vanished(maybe).map(|maybe| (block, maybe))
            }
        }));
        let found = filters
            .buffer_unordered(FILTERS_AT_ONCE)
            .try_filter_map(
                |(block, maybe)| async move { Ok((maybe == Some(true)).then_some(block)) },
            )
            .map_ok(|block| async move {
                let found = block.find(lookup.trace_id).await;
                block.unless_vanished(found)
            })
            .try_buffer_unordered(BLOCKS_AT_ONCE);
        let fragments = found
            .try_filter_map(|fragment| async move { Ok(fragment.flatten()) })
            .try_collect()
            .await?;
        inner.metrics.cache_bytes.set(inner.caches.used() as i64);
        Ok(Found {
            fragments,
            reads: cost.reads.get(),
            read_bytes: cost.bytes.get(),
        })
    }
}

/// What queries over all spans need.
impl Querier {
    pub(crate) fn caches(&self) -> &Caches {
        &self.inner.caches
    }

    pub(crate) fn gate(&self) -> &Rc<Gate> {
        &self.inner.gate
    }

    pub(crate) fn shared_caches(&self) -> Arc<Caches> {
        Arc::clone(&self.inner.caches)
    }

    pub(crate) fn blocks(&self) -> &dyn Blocks {
        &*self.inner.blocks
    }

    pub(crate) fn count_cache(&self, role: &str, hit: bool) {
        self.inner.count(role, hit);
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        self.inner.metrics.reads.inc();
        self.inner.metrics.read_bytes.inc_by(bytes);
    }

    /// What a block's bloom filter says; false for one that has been deleted.
    pub(crate) async fn may_have(
        &self,
        tenant: &Arc<str>,
        meta: &Arc<BlockMeta>,
        trace_id: TraceId,
    ) -> Result<bool, Error> {
        let cost = Cost::default();
        let block = Block {
            inner: &self.inner,
            tenant,
            meta,
            cost: &cost,
        };
        let maybe = block.may_have(trace_id).await;
        Ok(block.unless_vanished(maybe)?.unwrap_or(false))
    }

    /// A block that has been deleted meanwhile has nothing.
    pub(crate) fn unless_vanished(
        &self,
        meta: &Arc<BlockMeta>,
        outcome: Result<(), Error>,
    ) -> Result<(), Error> {
        let tenant: Arc<str> = meta.tenant_id.as_str().into();
        let cost = Cost::default();
        let block = Block {
            inner: &self.inner,
            tenant: &tenant,
            meta,
            cost: &cost,
        };
        block.unless_vanished(outcome).map(|_| ())
    }
}

impl Inner {
    fn count(&self, role: &str, hit: bool) {
        let outcome = if hit { "hit" } else { "miss" };
        let labels = [role, outcome];
        self.metrics.cache.with_label_values(&labels).inc();
    }
}

impl Lookup {
    /// All blocks.
    pub fn of(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            blocks: 0..=u128::MAX,
            start_seconds: 0,
            end_seconds: 0,
        }
    }

    /// Whether the block's id and times are within what is asked for.
    fn admits(&self, meta: &BlockMeta) -> bool {
        let starts_before = self.end_seconds == 0 || meta.start_time.timestamp() < self.end_seconds;
        let ends_after = self.start_seconds == 0 || meta.end_time.timestamp() > self.start_seconds;
        self.blocks.contains(&meta.block_id.as_u128()) && starts_before && ends_after
    }
}

/// What a lookup has read so far.
#[derive(Default)]
struct Cost {
    reads: Cell<u64>,
    bytes: Cell<u64>,
}

/// One block of a lookup.
#[derive(Clone, Copy)]
struct Block<'l> {
    inner: &'l Inner,
    tenant: &'l Arc<str>,
    meta: &'l Arc<BlockMeta>,
    cost: &'l Cost,
}

impl Block<'_> {
    /// None instead of an error if the block has been deleted meanwhile: then its traces have expired, or are in the block that
    /// took its place.
    fn unless_vanished<T>(&self, outcome: Result<T, Error>) -> Result<Option<T>, Error> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Error::Read {
                source: StoreError::NotFound,
                ..
            }) if !self.inner.blocks.is_listed(self.meta) => {
                self.inner.metrics.vanished.inc();
                Ok(None)
            }
            Err(error) => {
                let pass = self
                    .inner
                    .lines
                    .borrow_mut()
                    .pass(Instant::now().as_nanos());
                if let Some(kept_back) = pass {
                    tracing::warn!(%error, kept_back, "a block could not be searched");
                }
                Err(error)
            }
        }
    }

    fn failed(&self, object: BlockObject, source: StoreError) -> Error {
        Error::Read {
            tenant: self.tenant.to_string(),
            block: self.meta.block_id,
            object: object.file_name().into_owned(),
            source,
        }
    }

    fn corrupt(&self, why: impl ToString) -> Error {
        Error::Corrupt {
            tenant: self.tenant.to_string(),
            block: self.meta.block_id,
            why: why.to_string(),
        }
    }

    fn charge(&self, bytes: u64) -> Result<Charge, Error> {
        try_charge(bytes, Kind::Query).map_err(|why| Error::Memory {
            block: self.meta.block_id,
            why: why.to_string(),
        })
    }

    async fn read(&self, object: BlockObject, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        let key = keys::block_object(self.tenant, self.meta.block_id, object);
        let bytes = self
            .inner
            .blocks
            .read(&key, range)
            .await
            .map_err(|source| self.failed(object, source))?;
        let (reads, total) = (&self.cost.reads, &self.cost.bytes);
        reads.set(reads.get() + 1);
        total.set(total.get() + bytes.len() as u64);
        self.inner.metrics.reads.inc();
        self.inner.metrics.read_bytes.inc_by(bytes.len() as u64);
        Ok(bytes)
    }

    /// What the block's bloom filter says.
    async fn may_have(&self, trace_id: TraceId) -> Result<bool, Error> {
        let number = bloom::shard_of(trace_id, self.meta.bloom_shard_count());
        let key = (Arc::clone(self.tenant), self.meta.block_id, number);
        let missed = Cell::new(false);
        let shard = self
            .inner
            .caches
            .filters
            .get_or_insert_async(&key, async {
                missed.set(true);
                self.filter(number).await.map(Arc::new)
            })
            .await?;
        self.inner.count("bloom", !missed.get());
        let maybe = shard.contains(trace_id);
        if !maybe {
            self.inner.metrics.filtered.inc();
        }
        Ok(maybe)
    }

    async fn filter(&self, number: u32) -> Result<BloomShard, Error> {
        let object = BlockObject::Bloom(number);
        let bytes = self.read(object, None).await?;
        let name = object.file_name();
        if bytes.len() as u64 > FILTER_BYTES {
            let text = format!("{name} has {} bytes, more than {FILTER_BYTES}", bytes.len());
            return Err(self.corrupt(text));
        }
        BloomShard::parse(bytes).map_err(|error| self.corrupt(format!("{name}: {error}")))
    }

    /// The trace's rows, if the block really has it.
    async fn find(&self, trace_id: TraceId) -> Result<Option<Fragment>, Error> {
        self.inner.metrics.blocks_inspected.inc();
        let rows = Rows {
            block: self,
            charges: RefCell::default(),
        };
        let key = (Arc::clone(self.tenant), self.meta.block_id);
        let missed = Cell::new(false);
        let open = self
            .inner
            .caches
            .blocks
            .get_or_insert_async(&key, async {
                missed.set(true);
                let open = OpenBlock::open(self.meta, &rows).await;
                open.map(Arc::new).map_err(|error| self.reading(error))
            })
            .await?;
        self.inner.count("parquet-footer", !missed.get());
        let found = open
            .find_trace(trace_id, &rows, vivace_shards::breathe)
            .await
            .map_err(|error| self.reading(error))?;
        Ok(found.map(|found| {
            let rows = 0..found.batch.view().span_count();
            Fragment {
                batch: found.batch,
                rows,
            }
        }))
    }

    fn reading(&self, error: ReadError<Error>) -> Error {
        match error {
            ReadError::Ranges { source, .. } => source,
            other => self.corrupt(other),
        }
    }
}

/// `data.parquet` of a block. What was read is charged until the lookup in the block is over.
struct Rows<'l, 'b> {
    block: &'b Block<'l>,
    charges: RefCell<Vec<Charge>>,
}

impl Ranges for Rows<'_, '_> {
    type Error = Error;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let charge = self.block.charge(range.end.saturating_sub(range.start))?;
        self.charges.borrow_mut().push(charge);
        self.block.read(BlockObject::Data, Some(range)).await
    }
}
