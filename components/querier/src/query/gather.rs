//! All spans of some traces, out of everywhere.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use vivace_block::BlockMeta;
use vivace_columns::{BatchChunk, Chunk, Column, TraceCopy, known_kind};
use vivace_engine::{EngineError, Plan, Scope, find};
use vivace_model::{SpanBatch, SpanBatchBuilder, TraceId};
use vivace_protocol::trace::Fragment;

use super::found::FoundMemory;
use super::view::{Unit, View};
use super::walk::{Cost, VisitError, Visitor};
use crate::error::Error;
use crate::limits::{
    BLOCKS_AT_ONCE, COPIED_TRACES, FILTERS_AT_ONCE, GATHERED_ROWS_PER_BREATH, GATHERED_TRACES,
};
use crate::lookup::Querier;

/// Spans that were seen, so that one delivered twice counts once.
type Seen = HashSet<(TraceId, [u8; 8], i32), foldhash::fast::RandomState>;

/// Batches that have every span of some traces, each trace in one of them.
#[derive(Debug, Default)]
pub struct Gathered {
    pub batches: Vec<SpanBatch>,
    /// Of the batches.
    pub memory: FoundMemory,
}

impl Querier {
    /// Puts every span of these traces together, with what these columns say of them (None: with all that blocks have). Of spans with the
    /// same id and kind the first is taken.
    pub async fn gather(
        &self,
        view: &View,
        mut ids: Vec<TraceId>,
        columns: Option<&[Column]>,
        cost: &mut Cost,
    ) -> Result<Gathered, Error> {
        ids.sort_unstable();
        ids.dedup();
        let mut gathered = Gathered::default();
        for ids in ids.chunks(GATHERED_TRACES) {
            let mut building = Building::default();
            for batch in &view.live {
                building.append(batch, &rows_of(batch, ids)).await?;
            }
            if !view.blocks.is_empty() {
                let of_blocks = self.of_blocks(view, ids, columns, cost).await?;
                for batch in &of_blocks.batches {
                    building.append(batch, &rows_of(batch, ids)).await?;
                }
            }
            if let Some(batch) = building.builder.finish() {
                let bytes = batch.as_bytes().len();
                gathered.memory.grows(bytes)?;
                cost.inspected_bytes += bytes as u64;
                gathered.batches.push(batch);
            }
        }
        Ok(gathered)
    }

    /// The view with live data put together by trace, blocks included, so that each of its batches has whole traces. For what is told of
    /// traces and not of spans.
    pub async fn with_whole_live_traces(
        &self,
        view: &View,
        cost: &mut Cost,
    ) -> Result<(View, FoundMemory), Error> {
        let mut ids = Vec::new();
        for batch in &view.live {
            ids.extend(batch.view().trace_ids().iter().map(TraceId));
            vivace_shards::breathe().await;
        }
        let gathered = self.gather(view, ids, None, cost).await?;
        let whole = View {
            tenant: Arc::clone(&view.tenant),
            live: gathered.batches,
            blocks: view.blocks.clone(),
        };
        Ok((whole, gathered.memory))
    }

    /// What blocks have of traces, in the order of the blocks.
    async fn of_blocks(
        &self,
        view: &View,
        ids: &[TraceId],
        columns: Option<&[Column]>,
        cost: &mut Cost,
    ) -> Result<Gathered, Error> {
        let found = stream::iter(&view.blocks)
            .map(async |meta| {
                let mut maybe = Vec::new();
                for &id in ids {
                    if self.may_have(&view.tenant, meta, id).await? {
                        maybe.push(id);
                    }
                }
                Ok((meta, maybe))
            })
            .buffered(FILTERS_AT_ONCE)
            .try_filter(|(_, maybe)| std::future::ready(!maybe.is_empty()))
            .map_ok(async |(meta, maybe)| match columns {
                Some(columns) => self.columns_of_block(view, meta, &maybe, columns).await,
                None => self.of_block(view, meta, maybe).await,
            })
            .try_buffered(BLOCKS_AT_ONCE);
        let mut gathered = Gathered::default();
        let mut found = pin!(found);
        while let Some((of_block, its_cost)) = found.try_next().await? {
            let bytes = of_block.batches.iter().map(|batch| batch.as_bytes().len());
            let bytes = bytes.sum();
            drop(of_block.memory);
            gathered.memory.grows(bytes)?;
            gathered.batches.extend(of_block.batches);
            cost.add(its_cost);
        }
        Ok(gathered)
    }

    async fn of_block(
        &self,
        view: &View,
        meta: &Arc<BlockMeta>,
        ids: Vec<TraceId>,
    ) -> Result<(Gathered, Cost), Error> {
        let rows = self.rows(&view.tenant, meta);
        let mut gathered = Gathered::default();
        let found = async {
            let open = self.open_block(&view.tenant, meta, &rows).await?;
            let found = open.find_traces(&ids, &rows, vivace_shards::breathe).await;
            let found = found.map_err(|error| self.block_error(meta, error.into()))?;
            for batch in found.batches {
                gathered.push(batch)?;
            }
            Ok(())
        };
        let found = found.await;
        self.unless_vanished(meta, found)?;
        let (reads, read_bytes) = rows.cost();
        let cost = Cost {
            reads,
            read_bytes,
            ..Cost::default()
        };
        Ok((gathered, cost))
    }

    /// The same out of columns, which queries share.
    async fn columns_of_block(
        &self,
        view: &View,
        meta: &Arc<BlockMeta>,
        ids: &[TraceId],
        columns: &[Column],
    ) -> Result<(Gathered, Cost), Error> {
        let unit = Unit::Block {
            meta: Arc::clone(meta),
            part: 0,
            parts: 1,
        };
        let mut copying = Copying {
            ids,
            copy: TraceCopy::new(columns),
            builder: SpanBatchBuilder::new(),
            gathered: Gathered::default(),
        };
        let mut cost = Cost::default();
        self.walk(&view.tenant, &unit, &mut copying, &mut cost)
            .await?;
        // Those that looked for the traces have counted what they inspected.
        let cost = Cost {
            inspected_bytes: 0,
            inspected_spans: 0,
            ..cost
        };
        Ok((copying.gathered, cost))
    }

    /// Those of some traces that may have spans in more than one place of the view.
    pub async fn in_several_places(
        &self,
        view: &View,
        ids: &[TraceId],
    ) -> Result<Vec<TraceId>, Error> {
        let mut places = vec![0_u32; ids.len()];
        for batch in &view.live {
            for (&id, places) in ids.iter().zip(&mut places) {
                *places += u32::from(batch.view().find_trace(id).is_some());
            }
            vivace_shards::breathe().await;
        }
        let maybe = stream::iter(&view.blocks).map(async |meta| {
            let mut maybe = Vec::new();
            for (number, &id) in ids.iter().enumerate() {
                if self.may_have(&view.tenant, meta, id).await? {
                    maybe.push(number);
                }
            }
            Ok::<_, Error>(maybe)
        });
        let mut maybe = maybe.buffer_unordered(FILTERS_AT_ONCE);
        while let Some(numbers) = maybe.try_next().await? {
            for number in numbers {
                if let Some(places) = places.get_mut(number) {
                    *places += 1;
                }
            }
            vivace_shards::breathe().await;
        }
        let several = ids.iter().zip(places).filter(|(_, places)| *places > 1);
        Ok(several.map(|(id, _)| *id).collect())
    }
}

impl Gathered {
    fn push(&mut self, batch: SpanBatch) -> Result<(), Error> {
        self.memory.grows(batch.as_bytes().len())?;
        self.batches.push(batch);
        Ok(())
    }
}

/// Copies traces out of the chunks of a block.
struct Copying<'i> {
    /// Ascending.
    ids: &'i [TraceId],
    copy: TraceCopy,
    builder: SpanBatchBuilder,
    gathered: Gathered,
}

impl Visitor for Copying<'_> {
    async fn visit<C: Chunk>(
        &mut self,
        chunk: &mut C,
    ) -> Result<ControlFlow<()>, VisitError<C::Error>> {
        chunk.load_trace_ids().await.map_err(VisitError::load)?;
        let all = chunk.trace_ids().unwrap_or_default();
        let numbers: Vec<u32> = (0..)
            .zip(all)
            .filter(|(_, id)| self.ids.binary_search(id).is_ok())
            .map(|(number, _)| number)
            .collect();
        if numbers.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let loaded = self.copy.load(chunk, &numbers).await;
        loaded.map_err(VisitError::load)?;
        // Some at a time, so that what they take is known before much of it is taken.
        for some in numbers.chunks(COPIED_TRACES) {
            let (builder, pause) = (&mut self.builder, &vivace_shards::breathe);
            let copied = self.copy.copy(&*chunk, some, builder, pause).await;
            copied.map_err(|full| {
                VisitError::Other(Error::Gather {
                    why: full.to_string(),
                })
            })?;
            if let Some(batch) = self.builder.finish() {
                self.gathered.push(batch).map_err(VisitError::Other)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A batch in the making, charged by what it takes of the batches it is made of.
#[derive(Default)]
struct Building {
    builder: SpanBatchBuilder,
    seen: Seen,
    memory: FoundMemory,
}

impl Building {
    /// Copies rows of traces without spans that are there already.
    async fn append(
        &mut self,
        batch: &SpanBatch,
        rows: &[(TraceId, Range<usize>)],
    ) -> Result<(), Error> {
        let view = batch.view();
        let (ids, kinds) = (view.span_ids(), view.kinds());
        let row_bytes = batch.as_bytes().len() / view.span_count().max(1);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut waiting = 0;
        for (trace, range) in rows {
            for row in range.clone() {
                if !self
                    .seen
                    .insert((*trace, ids.get(row), known_kind(kinds.get(row))))
                {
                    continue;
                }
                match ranges.last_mut() {
                    Some(last) if last.end == row => last.end = row + 1,
                    _ => ranges.push(row..row + 1),
                }
                waiting += 1;
                if waiting >= GATHERED_ROWS_PER_BREATH {
                    self.copy(&view, &mut ranges, waiting * row_bytes)?;
                    waiting = 0;
                    vivace_shards::breathe().await;
                }
            }
        }
        self.copy(&view, &mut ranges, waiting * row_bytes)?;
        vivace_shards::breathe().await;
        Ok(())
    }

    fn copy(
        &mut self,
        view: &vivace_model::View<'_>,
        ranges: &mut Vec<Range<usize>>,
        bytes: usize,
    ) -> Result<(), Error> {
        if ranges.is_empty() {
            return Ok(());
        }
        self.memory.grows(bytes)?;
        let appended = self.builder.append_row_ranges(view, ranges.drain(..));
        appended.map_err(|full| Error::Gather {
            why: full.to_string(),
        })
    }
}

/// The rows of some traces; `ids` ascending.
fn rows_of(batch: &SpanBatch, ids: &[TraceId]) -> Vec<(TraceId, Range<usize>)> {
    let view = batch.view();
    // Few of many are searched for, many of few are met on the way.
    if ids.len() * 8 < view.trace_count() {
        let found = ids
            .iter()
            .filter_map(|&id| Some((id, view.find_trace(id)?)));
        return found.collect();
    }
    let mut wanted = ids.iter().peekable();
    let mut rows = Vec::new();
    for (id, range) in view.trace_runs() {
        while wanted.next_if(|&&one| one < id).is_some() {}
        if wanted.peek() == Some(&&id) {
            rows.push((id, range));
        }
    }
    rows
}

/// Ids of the spans of one trace's fragments that pass a plan, evaluated together.
pub async fn matching_spans(plan: &Plan, fragments: &[Fragment]) -> Result<Vec<[u8; 8]>, Error> {
    let mut building = Building::default();
    for fragment in fragments {
        let trace = fragment.batch.view().trace_id(fragment.rows.start);
        let rows = [(trace, fragment.rows.clone())];
        building.append(&fragment.batch, &rows).await?;
    }
    let Some(batch) = building.builder.finish() else {
        return Ok(Vec::new());
    };
    let mut chunk = BatchChunk::new(&batch, vivace_shards::breathe);
    let matches = find(plan, &mut chunk, &Scope::default(), &vivace_shards::breathe).await;
    let matches = matches.map_err(|error| match error {
        EngineError::Query(error) => Error::Query(error),
        EngineError::Load(never) => match never {},
    })?;
    let ids = batch.view().span_ids();
    let spans = matches.selection.spans.iter();
    Ok(spans.map(|span| ids.get(span as usize)).collect())
}
