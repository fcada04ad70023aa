//! Blocks: written, looked into by trace id, read by column.

use std::hint::black_box;
use std::sync::Arc;

use vivace_columns::{Chunk as _, Column, Level};
use vivace_model::TraceId;
use vivace_traceql::Intrinsic;

use super::query::{Query, open_chunk};
use super::{Failure, Ready, check};
use crate::data::{File, batches, block, now, options, spans};

/// Looked up in one round.
const TRACES: usize = 100;

/// Batches to a block of version 5.
pub fn write() -> Result<Ready, Failure> {
    let batches = batches()?;
    let units = spans(&batches);
    let options = options();
    let round = move || {
        let mut file = File::default();
        let work = vivace_block_writer::write_block(&batches, &options, &mut file, async || {});
        let built = now(work)?;
        black_box(file);
        check("spans", built.spans, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// Traces by id in an open block.
pub fn find_trace() -> Result<Ready, Failure> {
    let block = block()?;
    let mut chunk = open_chunk(&block)?;
    now(chunk.load_trace_ids())?;
    let all = chunk.trace_ids().unwrap_or_default();
    let ids: Vec<TraceId> = (all.iter().copied())
        .step_by((all.len() / TRACES).max(1))
        .collect();
    drop(chunk);
    let units = ids.len() as u64;
    let round = move || {
        let mut found = 0;
        for &id in &ids {
            let trace = now(block.open.find_trace(id, &block.file, async || {}))?;
            found += u64::from(trace.is_some());
            black_box(trace);
        }
        check("traces", found, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// Columns of a block as queries read them: decompressed and decoded.
pub fn load_columns() -> Result<Ready, Failure> {
    let block = block()?;
    let attribute = |level, key: &str| Column::Attribute(level, Arc::from(key));
    let columns = [
        Column::Intrinsic(Intrinsic::Duration),
        Column::Intrinsic(Intrinsic::Name),
        attribute(Level::Resource, "service.name"),
        attribute(Level::Span, "http.response.status_code"),
        attribute(Level::Span, "url.path"),
        attribute(Level::Span, "db.system.name"),
        attribute(Level::Span, "http.response.body.size"),
    ];
    let units = Query::spans_of(&block)?;
    let round = move || {
        let mut chunk = open_chunk(&block)?;
        now(chunk.load(black_box(&columns), None))?;
        check("spans", u64::from(chunk.shape().spans()), units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}
