//! Goes through the chunks of a unit.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use vivace_block::BlockMeta;
use vivace_block::keys::{self, BlockObject};
use vivace_block_reader::{OpenBlock, Ranges, ReadError};
use vivace_columns::{BatchChunk, Chunk, ChunkMemory, GroupChunk, LoadError, plan_rows, spans_in};
use vivace_engine::EngineError;
use vivace_shards::memory::{Charge, Kind, try_charge};

use super::room::{ChunkRoom, chunk_spans};
use super::view::Unit;
use crate::cache::ChunkParts;
use crate::error::Error;
use crate::limits::CHUNK_BYTES;
use crate::lookup::Querier;
use crate::source::StoreError;

/// What work has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of batches and blocks that were looked at.
    pub inspected_bytes: u64,
    pub inspected_spans: u64,
    /// Reads of the store, and their bytes.
    pub reads: u64,
    pub read_bytes: u64,
}

impl Cost {
    pub fn add(&mut self, other: Self) {
        self.inspected_bytes += other.inspected_bytes;
        self.inspected_spans += other.inspected_spans;
        self.reads += other.reads;
        self.read_bytes += other.read_bytes;
    }
}

/// Why a chunk could not be visited.
pub(crate) enum VisitError<E: std::error::Error + 'static> {
    Engine(EngineError<E>),
    Other(Error),
}

impl<E: std::error::Error + 'static> From<EngineError<E>> for VisitError<E> {
    fn from(error: EngineError<E>) -> Self {
        Self::Engine(error)
    }
}

impl<E: std::error::Error + 'static> VisitError<E> {
    /// The chunk could not be read.
    pub(crate) fn load(error: E) -> Self {
        Self::Engine(EngineError::Load(error))
    }
}

/// Looks at chunks.
pub(crate) trait Visitor {
    /// `Break`: it has enough.
    async fn visit<C: Chunk>(
        &mut self,
        chunk: &mut C,
    ) -> Result<ControlFlow<()>, VisitError<C::Error>>;
}

impl Querier {
    /// Shows a visitor the chunks of a unit until it has enough.
    pub(crate) async fn walk<V: Visitor>(
        &self,
        tenant: &Arc<str>,
        unit: &Unit,
        visitor: &mut V,
        cost: &mut Cost,
    ) -> Result<(), Error> {
        match unit {
            Unit::Live(batches) => {
                for batch in batches {
                    let mut chunk = BatchChunk::new(batch, vivace_shards::breathe);
                    let room = self.gate().enter(u64::from(chunk.shape().spans())).await;
                    cost.inspected_bytes += batch.as_bytes().len() as u64;
                    cost.inspected_spans += u64::from(chunk.shape().spans());
                    let flow = visitor.visit(&mut chunk).await;
                    // It is there already; the next ones know by it what to ask for.
                    room.note(chunk.memory_bytes() as u64);
                    if flow.map_err(live_error)?.is_break() {
                        break;
                    }
                    vivace_shards::breathe().await;
                }
                Ok(())
            }
            Unit::Block { meta, part, parts } => {
                let part = (*part, *parts);
                let walked = self.walk_block(tenant, meta, part, visitor, cost).await;
                self.unless_vanished(meta, walked)
            }
        }
    }

    async fn walk_block<V: Visitor>(
        &self,
        tenant: &Arc<str>,
        meta: &Arc<BlockMeta>,
        (part, parts): (u32, u32),
        visitor: &mut V,
        cost: &mut Cost,
    ) -> Result<(), Error> {
        let rows = self.rows(tenant, meta);
        let outcome = self
            .walk_rows(tenant, meta, (part, parts), &rows, visitor, cost)
            .await;
        let (reads, bytes) = rows.cost();
        cost.reads += reads;
        cost.read_bytes += bytes;
        outcome
    }

    async fn walk_rows<V: Visitor>(
        &self,
        tenant: &Arc<str>,
        meta: &Arc<BlockMeta>,
        (part, parts): (u32, u32),
        rows: &DataRanges<'_>,
        visitor: &mut V,
        cost: &mut Cost,
    ) -> Result<(), Error> {
        let open = self.open_block(tenant, meta, rows).await?;
        let groups = open.row_groups().len();
        let border = |part: u32| groups * part as usize / parts.max(1) as usize;
        for group in border(part)..border(part + 1) {
            for range in plan_rows(&open, group, chunk_spans()) {
                let parts = ChunkParts {
                    caches: self.shared_caches(),
                    tenant: Arc::clone(tenant),
                    block: meta.block_id,
                    group: group as u32,
                    first_row: range.start,
                };
                let room = self.gate().enter(spans_in(&open, group, &range)).await;
                rows.read_into(Some(Rc::clone(&room)));
                let memory = ChunkMemory {
                    limit: CHUNK_BYTES,
                    room,
                    parts: Box::new(parts),
                };
                let (open, pause) = (Arc::clone(&open), vivace_shards::breathe);
                let chunk = GroupChunk::open(open, group, range, rows, memory, pause);
                let mut chunk = chunk.await.map_err(|error| self.block_error(meta, error))?;
                cost.inspected_spans += u64::from(chunk.shape().spans());
                let flow = visitor.visit(&mut chunk).await;
                cost.inspected_bytes += chunk.bytes_read();
                let flow = flow.map_err(|error| match error {
                    VisitError::Engine(EngineError::Query(error)) => Error::Query(error),
                    VisitError::Engine(EngineError::Load(error)) => self.block_error(meta, error),
                    VisitError::Other(error) => error,
                })?;
                drop(chunk);
                rows.read_into(None);
                if flow.is_break() {
                    return Ok(());
                }
                vivace_shards::breathe().await;
            }
        }
        Ok(())
    }

    pub(crate) fn block_error(&self, meta: &BlockMeta, error: LoadError<Error>) -> Error {
        match error {
            LoadError::Read(ReadError::Ranges { source, .. }) => source,
            LoadError::NoRoom { .. } => Error::Memory {
                block: meta.block_id,
                why: error.to_string(),
            },
            other => Error::Corrupt {
                tenant: meta.tenant_id.clone(),
                block: meta.block_id,
                why: other.to_string(),
            },
        }
    }

    /// `data.parquet` of a block.
    pub(crate) fn rows<'q>(
        &'q self,
        tenant: &Arc<str>,
        meta: &'q Arc<BlockMeta>,
    ) -> DataRanges<'q> {
        DataRanges {
            querier: self,
            meta,
            key: keys::block_object(tenant, meta.block_id, BlockObject::Data),
            state: RefCell::default(),
        }
    }

    /// The block's footer and indexes, from the cache or the store.
    pub(crate) async fn open_block(
        &self,
        tenant: &Arc<str>,
        meta: &Arc<BlockMeta>,
        rows: &DataRanges<'_>,
    ) -> Result<Arc<OpenBlock>, Error> {
        let key = (Arc::clone(tenant), meta.block_id);
        let mut missed = false;
        let open = self
            .caches()
            .blocks
            .get_or_insert_async(&key, async {
                missed = true;
                let open = OpenBlock::open(meta, rows).await;
                open.map(Arc::new)
                    .map_err(|error| self.block_error(meta, error.into()))
            })
            .await?;
        self.count_cache("parquet-footer", !missed);
        Ok(open)
    }
}

fn live_error(error: VisitError<Infallible>) -> Error {
    match error {
        VisitError::Engine(EngineError::Query(error)) => Error::Query(error),
        VisitError::Engine(EngineError::Load(never)) => match never {},
        VisitError::Other(error) => error,
    }
}

/// Reads of `data.parquet`. What was read for a chunk is part of its room; anything else is charged until the next chunk begins.
pub(crate) struct DataRanges<'q> {
    querier: &'q Querier,
    meta: &'q Arc<BlockMeta>,
    key: String,
    state: RefCell<RangesState>,
}

#[derive(Default)]
struct RangesState {
    room: Option<Rc<ChunkRoom>>,
    charges: Vec<Charge>,
    reads: u64,
    bytes: u64,
}

impl DataRanges<'_> {
    pub(crate) fn cost(&self) -> (u64, u64) {
        let state = self.state.borrow();
        (state.reads, state.bytes)
    }

    /// What is read from now on is for this chunk. Gives back what was read for the one before.
    pub(crate) fn read_into(&self, room: Option<Rc<ChunkRoom>>) {
        let mut state = self.state.borrow_mut();
        state.charges.clear();
        state.room = room;
    }

    fn charge(&self, bytes: u64) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        let no_room = |why: String| Error::Memory {
            block: self.meta.block_id,
            why,
        };
        match &state.room {
            Some(room) if room.grow(bytes) => Ok(()),
            Some(_) => Err(no_room(format!("no memory for {bytes} bytes to be read"))),
            None => {
                let charge = try_charge(bytes, Kind::Query);
                let charge = charge.map_err(|why| no_room(why.to_string()))?;
                state.charges.push(charge);
                Ok(())
            }
        }
    }
}

impl Ranges for DataRanges<'_> {
    type Error = Error;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let wanted = range.end.saturating_sub(range.start);
        self.charge(wanted)?;
        let read = self.querier.blocks().read(&self.key, Some(range)).await;
        let bytes = read.map_err(|source: StoreError| Error::Read {
            tenant: self.meta.tenant_id.clone(),
            block: self.meta.block_id,
            object: BlockObject::Data.file_name().into_owned(),
            source,
        })?;
        let mut state = self.state.borrow_mut();
        state.reads += 1;
        state.bytes += bytes.len() as u64;
        self.querier.count_read(bytes.len() as u64);
        Ok(bytes)
    }
}
