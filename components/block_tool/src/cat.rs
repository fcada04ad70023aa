//! `cat`: traces as OTLP JSON.

use std::io::Write;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use vivace_block::keys::BlockObject;
use vivace_block_reader::{OpenBlock, Ranges, ReadError};
use vivace_model::{SpanBatch, TraceId};
use vivace_protocol::trace::{CombineOptions, Fragment, combine, to_json_v1};

use crate::block::{self, BlockError, Found, Place};
use crate::source::{Source, SourceError};

/// What a command that writes much can come to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatError {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// `data.parquet`, as the reader of queries wants it.
struct Data<'s> {
    source: &'s dyn Source,
    key: String,
}

impl Ranges for Data<'_> {
    type Error = SourceError;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        self.source.read_range(&self.key, range)
    }
}

/// Runs work that waits for nothing: sources block.
fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// Writes one trace, or all in the order of their ids, each on a line. False: there is no such trace.
pub(crate) fn cat(
    source: &dyn Source,
    place: &Place,
    id: Option<TraceId>,
    out: &mut dyn Write,
) -> Result<bool, CatError> {
    let Found { mut meta, .. } = block::read_meta(source, place)?;
    let key = place.key(BlockObject::Data);
    let size = source
        .size(&key)
        .map_err(BlockError::from)?
        .ok_or_else(|| BlockError::Missing(key.clone()))?;
    // What is there counts, and not what the meta says.
    meta.size = size;
    let data = Data { source, key };
    let open = finish(OpenBlock::open(&meta, &data))
        .map_err(|error| BlockError::Read(error.to_string()))?;
    let failed = |error: ReadError<SourceError>| BlockError::Read(error.to_string());
    if let Some(id) = id {
        let found = finish(open.find_trace(id, &data, async || {})).map_err(failed)?;
        let Some(found) = found else {
            return Ok(false);
        };
        writeln!(out, "{}", otlp_json(found.batch))?;
        return Ok(true);
    }
    let mut traces = open.traces(&data);
    while let Some(batch) = finish(traces.next(async || {})).map_err(failed)? {
        writeln!(out, "{}", otlp_json(batch))?;
    }
    Ok(true)
}

/// A trace as OTLP's JSON has it: ids in hex.
fn otlp_json(batch: SpanBatch) -> String {
    let rows = 0..batch.view().span_count();
    let combined = combine(&[Fragment { batch, rows }], CombineOptions::default());
    let json = to_json_v1(&combined.trace);
    let json = match json.strip_prefix(r#"{"batches":"#) {
        Some(rest) => format!(r#"{{"resourceSpans":{rest}"#),
        None => json,
    };
    ids_to_hex(&json)
}

/// Replaces the base64 of ids, which only members of these names have: quotes in texts are escaped.
fn ids_to_hex(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find("Id\":\"") {
        let (before, value) = rest.split_at(at + "Id\":\"".len());
        out.push_str(before);
        rest = value;
        let is_id = ["\"traceId\":\"", "\"spanId\":\"", "\"parentSpanId\":\""]
            .iter()
            .any(|name| before.ends_with(name));
        let end = value.find('"').unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        if let (true, Ok(id)) = (is_id, STANDARD.decode(value)) {
            id.iter()
                .for_each(|byte| out.push_str(&format!("{byte:02x}")));
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_become_hex() {
        let json = r#"{"traceId":"AQI=","x":"\"traceId\":\"AQI=","parentSpanId":"","otherId":"AQI=","spanId":"/w=="}"#;
        let expected = r#"{"traceId":"0102","x":"\"traceId\":\"AQI=","parentSpanId":"","otherId":"AQI=","spanId":"ff"}"#;
        assert_eq!(ids_to_hex(json), expected);
    }
}
