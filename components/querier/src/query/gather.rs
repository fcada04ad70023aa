//! All spans of some traces, out of everywhere.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use vivace_columns::BatchChunk;
use vivace_engine::{EngineError, Plan, Scope, find};
use vivace_model::{SpanBatch, SpanBatchBuilder, TraceId};
use vivace_protocol::trace::Fragment;
use vivace_shards::memory::{Kind, try_charge};

use super::view::View;
use super::walk::Cost;
use crate::error::Error;
use crate::limits::GATHERED_TRACES;
use crate::lookup::Querier;

/// Spans that were seen, so that one delivered twice counts once.
type Seen = HashSet<(TraceId, [u8; 8], i32), foldhash::fast::RandomState>;

impl Querier {
    /// Batches that have every span of these traces; each trace is in one of them. Of spans with the same id and kind the first is
    /// taken.
    pub async fn gather(
        &self,
        view: &View,
        mut ids: Vec<TraceId>,
        cost: &mut Cost,
    ) -> Result<Vec<SpanBatch>, Error> {
        ids.sort_unstable();
        ids.dedup();
        let mut gathered = Vec::new();
        let mut charges = Vec::new();
        for ids in ids.chunks(GATHERED_TRACES) {
            let mut builder = SpanBatchBuilder::new();
            let mut seen = Seen::default();
            for batch in &view.live {
                append(&mut builder, batch, &rows_of(batch, ids), &mut seen)?;
                vivace_shards::breathe().await;
            }
            if !view.blocks.is_empty() {
                for fragment in self.of_blocks(view, ids, cost).await? {
                    append(&mut builder, &fragment, &rows_of(&fragment, ids), &mut seen)?;
                    vivace_shards::breathe().await;
                }
            }
            if let Some(batch) = builder.finish() {
                let bytes = batch.as_bytes().len() as u64;
                let charge = try_charge(bytes, Kind::Query).map_err(|why| Error::Gather {
                    why: why.to_string(),
                })?;
                charges.push(charge);
                cost.inspected_bytes += bytes;
                gathered.push(batch);
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
    ) -> Result<View, Error> {
        let mut ids = Vec::new();
        for batch in &view.live {
            ids.extend(batch.view().trace_ids().iter().map(TraceId));
            vivace_shards::breathe().await;
        }
        Ok(View {
            tenant: Arc::clone(&view.tenant),
            live: self.gather(view, ids, cost).await?,
            blocks: view.blocks.clone(),
        })
    }

    /// What blocks have of traces.
    async fn of_blocks(
        &self,
        view: &View,
        ids: &[TraceId],
        cost: &mut Cost,
    ) -> Result<Vec<SpanBatch>, Error> {
        let mut batches = Vec::new();
        for meta in &view.blocks {
            let mut maybe = Vec::new();
            for &id in ids {
                if self.may_have(&view.tenant, meta, id).await? {
                    maybe.push(id);
                }
            }
            if maybe.is_empty() {
                continue;
            }
            let rows = self.rows(&view.tenant, meta);
            let found = async {
                let open = self.open_block(&view.tenant, meta, &rows).await?;
                let found = open
                    .find_traces(&maybe, &rows, vivace_shards::breathe)
                    .await;
                let found = found.map_err(|error| self.block_error(meta, error.into()))?;
                batches.extend(found.batches);
                Ok(())
            };
            let found = found.await;
            let (reads, bytes) = rows.cost();
            cost.reads += reads;
            cost.read_bytes += bytes;
            self.unless_vanished(meta, found)?;
        }
        Ok(batches)
    }

    /// Those of some traces that may have spans in more than one place of the view.
    pub async fn in_several_places(
        &self,
        view: &View,
        ids: &[TraceId],
    ) -> Result<Vec<TraceId>, Error> {
        let mut several = Vec::new();
        for &id in ids {
            let mut places = 0;
            for batch in &view.live {
                places += usize::from(batch.view().find_trace(id).is_some());
                if places > 1 {
                    break;
                }
            }
            for meta in &view.blocks {
                if places > 1 {
                    break;
                }
                let maybe = self.may_have(&view.tenant, meta, id).await?;
                places += usize::from(maybe);
            }
            if places > 1 {
                several.push(id);
            }
            vivace_shards::breathe().await;
        }
        Ok(several)
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

fn append(
    builder: &mut SpanBatchBuilder,
    batch: &SpanBatch,
    rows: &[(TraceId, Range<usize>)],
    seen: &mut Seen,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let view = batch.view();
    let (ids, kinds) = (view.span_ids(), view.kinds());
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(rows.len());
    for (trace, range) in rows {
        for row in range.clone() {
            if !seen.insert((*trace, ids.get(row), kinds.get(row))) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == row => last.end = row + 1,
                _ => ranges.push(row..row + 1),
            }
        }
    }
    let appended = builder.append_row_ranges(&view, ranges);
    appended.map_err(|full| Error::Gather {
        why: full.to_string(),
    })
}

/// Ids of the spans of one trace's fragments that pass a plan, evaluated together.
pub async fn matching_spans(plan: &Plan, fragments: &[Fragment]) -> Result<Vec<[u8; 8]>, Error> {
    let mut builder = SpanBatchBuilder::new();
    let mut seen = Seen::default();
    for fragment in fragments {
        let trace = fragment.batch.view().trace_id(fragment.rows.start);
        let rows = [(trace, fragment.rows.clone())];
        append(&mut builder, &fragment.batch, &rows, &mut seen)?;
        vivace_shards::breathe().await;
    }
    let Some(batch) = builder.finish() else {
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
