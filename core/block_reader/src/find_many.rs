//! Several traces out of a block, each page of it looked at once.

use std::ops::Range;

use vivace_model::{SpanBatch, TraceId};

use crate::chunk::wanted;
use crate::error::{Corrupt, ReadError};
use crate::fetch::Fetched;
use crate::limits::{MAX_TRACES_READ_BYTES, MAX_WINDOW_BYTES};
use crate::open::{OpenBlock, RowGroup};
use crate::ranges::Ranges;
use crate::row::{Assembler, RowColumns};
use crate::values::Budget;

/// Traces, and what it took to read them.
#[derive(Debug, Default)]
pub struct FoundTraces {
    /// One a trace, in the order of ids.
    pub batches: Vec<SpanBatch>,
    pub bytes_read: u64,
    pub requests: u32,
}

/// `TraceID` is the first leaf in every format.
const TRACE_ID: usize = 0;

/// Bytes that are counted for a row's id: the id, its length and its level.
const ID_BYTES: usize = 32;

/// A row that is wanted.
#[derive(Clone, Copy)]
struct Row {
    number: u32,
    id: TraceId,
}

impl OpenBlock {
    /// The traces with these ids (ascending, each once) that the block has. For more than a few this costs far less than looking for
    /// one after the other: a page that holds several is decompressed once.
    pub async fn find_traces<R: Ranges>(
        &self,
        ids: &[TraceId],
        ranges: &R,
        pause: impl AsyncFn(),
    ) -> Result<FoundTraces, ReadError<R::Error>> {
        let mut found = FoundTraces::default();
        for group in &self.groups {
            if !ids.iter().any(|&id| group.may_have(id)) {
                continue;
            }
            let mut fetched = Fetched::default();
            let rows = self.rows_of(group, ids, ranges, &mut fetched).await?;
            let mut left = &rows[..];
            while let Some(first) = left.first() {
                let end = first.number.saturating_add(self.window(group));
                let most = left.partition_point(|row| row.number < end).max(1);
                let taken = self
                    .take(
                        group,
                        &left[..most],
                        ranges,
                        &mut fetched,
                        &mut found,
                        &pause,
                    )
                    .await?;
                left = &left[taken..];
            }
            let (bytes, requests) = fetched.cost();
            found.bytes_read += bytes;
            found.requests += requests;
        }
        Ok(found)
    }

    /// Where the wanted traces are in a row group.
    async fn rows_of<R: Ranges>(
        &self,
        group: &RowGroup,
        ids: &[TraceId],
        ranges: &R,
        fetched: &mut Fetched,
    ) -> Result<Vec<Row>, ReadError<R::Error>> {
        let mut of_ids = Vec::new();
        if let Some(chunk) = group.chunks.get(TRACE_ID) {
            wanted(group, chunk, &(0..group.rows), &mut of_ids);
        }
        fetched.fetch(&self.file, ranges, of_ids).await?;
        let mut budget = Budget::new((group.rows as usize + 1) * ID_BYTES);
        let column = self.row_column(group, TRACE_ID, 0..group.rows, fetched, &mut budget);
        let column = column.map_err(|corrupt| self.corrupt(corrupt))?;
        let mut wanted = ids.iter().peekable();
        let mut rows = Vec::new();
        for number in 0..group.rows {
            let bytes = column.bytes(number as usize).unwrap_or_default();
            let Ok(id) = bytes.try_into().map(TraceId) else {
                continue;
            };
            while wanted.next_if(|&&one| one < id).is_some() {}
            if wanted.peek() == Some(&&id) {
                rows.push(Row { number, id });
            }
        }
        Ok(rows)
    }

    /// Assembles the first of some rows, as many as fit memory; returns how many these were.
    async fn take<R: Ranges>(
        &self,
        group: &RowGroup,
        rows: &[Row],
        ranges: &R,
        fetched: &mut Fetched,
        found: &mut FoundTraces,
        pause: &impl AsyncFn(),
    ) -> Result<usize, ReadError<R::Error>> {
        let mut rows = rows;
        loop {
            let range = range_of(rows);
            let whole = group.range();
            let wanted = match whole.end - whole.start <= MAX_TRACES_READ_BYTES {
                true => Vec::from([whole]),
                false => self.wanted_of_rows(group, range.clone()),
            };
            fetched.fetch(&self.file, ranges, wanted).await?;
            let mut budget = match rows.len() {
                1 => Budget::of_trace(),
                _ => Budget::new(MAX_WINDOW_BYTES),
            };
            let read = self.read_rows(group, range.clone(), fetched, &mut budget, pause);
            match read.await {
                Err(_) if budget.is_exceeded() && rows.len() > 1 => {
                    rows = &rows[..rows.len() / 2];
                }
                read => {
                    let columns = read.map_err(|corrupt| self.corrupt(corrupt))?;
                    let assembled = self.assemble(&columns, range, rows, found, pause).await;
                    assembled.map_err(|corrupt| self.corrupt(corrupt))?;
                    return Ok(rows.len());
                }
            }
        }
    }

    async fn assemble(
        &self,
        columns: &RowColumns,
        range: Range<u32>,
        rows: &[Row],
        found: &mut FoundTraces,
        pause: &impl AsyncFn(),
    ) -> Result<(), Corrupt> {
        let mut assembler = Assembler::new(self, columns);
        let mut wanted = rows.iter().peekable();
        for number in range {
            match wanted.next_if(|row| row.number == number) {
                Some(row) => {
                    let batch = assembler.next_trace(Some(row.id), pause).await?;
                    found.batches.extend(batch);
                }
                None => assembler.skip_trace(),
            }
        }
        assembler.finish()
    }
}

fn range_of(rows: &[Row]) -> Range<u32> {
    let start = rows.first().map_or(0, |row| row.number);
    start..rows.last().map_or(start, |row| row.number + 1)
}
