//! All traces of a block, one after the other.

use std::collections::VecDeque;
use std::ops::Range;

use vivace_model::SpanBatch;

use crate::error::{Corrupt, ReadError};
use crate::fetch::Fetched;
use crate::limits::{MAX_TRACES_READ_BYTES, MAX_WINDOW_BYTES, WINDOW_SLOTS};
use crate::open::{OpenBlock, RowGroup};
use crate::ranges::Ranges;
use crate::row::Assembler;
use crate::values::Budget;

/// Goes through a block, row group by row group, some rows at a time: what is in memory is bounded by the larger of one
/// trace and `limits::MAX_WINDOW_BYTES`, and the pages that hold these rows.
pub struct Traces<'a, R> {
    block: &'a OpenBlock,
    ranges: &'a R,
    group: usize,
    row: u32,
    fetched: Fetched,
    ready: VecDeque<SpanBatch>,
    bytes_read: u64,
    requests: u32,
}

impl OpenBlock {
    /// All traces in the order of the file, which is that of their ids.
    pub fn traces<'a, R: Ranges>(&'a self, ranges: &'a R) -> Traces<'a, R> {
        Traces {
            block: self,
            ranges,
            group: 0,
            row: 0,
            fetched: Fetched::default(),
            ready: VecDeque::new(),
            bytes_read: 0,
            requests: 0,
        }
    }

    /// How many rows have about as many slots as one wants to decode at once.
    pub(crate) fn window(&self, group: &RowGroup) -> u32 {
        let needed = group.chunks.iter().zip(&self.places.needed);
        let slots: u64 = needed
            .filter(|(_, needed)| **needed)
            .fold(0, |sum, (chunk, _)| sum.saturating_add(chunk.slots));
        let per_row = slots / u64::from(group.rows.max(1)) + 1;
        u32::try_from(WINDOW_SLOTS / per_row)
            .unwrap_or(u32::MAX)
            .max(1)
    }
}

impl<R: Ranges> Traces<'_, R> {
    /// The next trace; None at the end. Rows without spans are passed over.
    pub async fn next(
        &mut self,
        pause: impl AsyncFn(),
    ) -> Result<Option<SpanBatch>, ReadError<R::Error>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let Some(group) = self.block.groups.get(self.group) else {
                return Ok(None);
            };
            if self.row >= group.rows {
                self.group += 1;
                self.row = 0;
                self.drop_fetched();
                continue;
            }
            let mut rows = self.row..self.row.saturating_add(self.block.window(group));
            rows.end = rows.end.min(group.rows);
            self.fetch(group, &rows).await?;
            self.row = self
                .window(group, rows, &pause)
                .await
                .map_err(|corrupt| self.block.corrupt(corrupt))?;
        }
    }

    /// Bytes and requests so far.
    pub fn cost(&self) -> (u64, u32) {
        (
            self.bytes_read + self.fetched.bytes_read,
            self.requests + self.fetched.requests,
        )
    }

    fn drop_fetched(&mut self) {
        self.bytes_read += self.fetched.bytes_read;
        self.requests += self.fetched.requests;
        self.fetched = Fetched::default();
    }

    async fn fetch(
        &mut self,
        group: &RowGroup,
        rows: &Range<u32>,
    ) -> Result<(), ReadError<R::Error>> {
        let whole = group.range();
        let wanted = match whole.end - whole.start <= MAX_TRACES_READ_BYTES {
            true => Vec::from([whole]),
            false => self.block.wanted_of_rows(group, rows.clone()),
        };
        self.fetched.keep(&wanted);
        self.fetched
            .fetch(&self.block.file, self.ranges, wanted)
            .await
    }

    /// Makes the traces of rows ready, as many as fit memory; returns the row after them.
    async fn window(
        &mut self,
        group: &RowGroup,
        mut rows: Range<u32>,
        pause: &impl AsyncFn(),
    ) -> Result<u32, Corrupt> {
        let columns = loop {
            let most = match rows.end - rows.start {
                1 => Budget::of_trace(),
                _ => Budget::new(MAX_WINDOW_BYTES),
            };
            let mut budget = most;
            let read = self
                .block
                .read_rows(group, rows.clone(), &self.fetched, &mut budget, pause)
                .await;
            match read {
                Err(_) if budget.is_exceeded() && rows.end - rows.start > 1 => {
                    rows.end = rows.start + (rows.end - rows.start) / 2;
                }
                read => break read?,
            }
        };
        let mut assembler = Assembler::new(self.block, &columns);
        for _ in rows.clone() {
            self.ready.extend(assembler.next_trace(None, pause).await?);
        }
        assembler.finish()?;
        Ok(rows.end)
    }
}
