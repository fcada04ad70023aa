//! One trace out of a block.

use std::ops::Range;

use vivace_model::{SpanBatch, TraceId};

use crate::chunk::wanted;
use crate::error::{Corrupt, ReadError};
use crate::fetch::{Fetched, cost};
use crate::limits::REQUEST_BYTES;
use crate::open::{OpenBlock, RowGroup};
use crate::ranges::Ranges;
use crate::row::Assembler;
use crate::values::Budget;

/// A trace, and what it took to read it.
#[derive(Debug)]
pub struct Found {
    pub batch: SpanBatch,
    pub bytes_read: u64,
    pub requests: u32,
}

/// `TraceID` is the first leaf in every format.
const TRACE_ID: usize = 0;

impl OpenBlock {
    /// The trace with this id. Ask the bloom filter first: this one reads.
    ///
    /// The page index says in which page the id must be. Where that leaves few rows, their ids and what else they have are
    /// read in one step; otherwise the ids first, then the pages that hold the row. Ranges that lie near each other are
    /// joined. A row without spans is no trace.
    pub async fn find_trace<R: Ranges>(
        &self,
        id: TraceId,
        ranges: &R,
        pause: impl AsyncFn(),
    ) -> Result<Option<Found>, ReadError<R::Error>> {
        let (mut bytes_read, mut requests) = (0, 0);
        for group in self.groups.iter().filter(|group| group.may_have(id)) {
            let candidates = candidates(group, id);
            if candidates.is_empty() {
                continue;
            }
            let mut fetched = Fetched::default();
            let first = self.first_ranges(group, &candidates);
            fetched.fetch(&self.file, ranges, first).await?;
            let row = self.find_row(group, id, &candidates, &fetched);
            let row = row.map_err(|corrupt| self.corrupt(corrupt))?;
            let mut batch = None;
            if let Some(row) = row {
                let rest = self.wanted_of_rows(group, row..row + 1);
                fetched.fetch(&self.file, ranges, rest).await?;
                batch = self
                    .trace(group, row, id, &fetched, &pause)
                    .await
                    .map_err(|corrupt| self.corrupt(corrupt))?;
            }
            let (bytes, count) = fetched.cost();
            bytes_read += bytes;
            requests += count;
            if let Some(batch) = batch {
                return Ok(Some(Found {
                    batch,
                    bytes_read,
                    requests,
                }));
            }
        }
        Ok(None)
    }

    pub(crate) fn corrupt<E: std::error::Error>(&self, corrupt: Corrupt) -> ReadError<E> {
        ReadError::Corrupt {
            file: self.file.clone(),
            corrupt,
        }
    }

    /// What is read before the row is known: all that the candidates have, or their ids only if that and waiting for
    /// a second step costs less.
    fn first_ranges(&self, group: &RowGroup, candidates: &[Range<u32>]) -> Vec<Range<u64>> {
        let (mut all, mut ids) = (Vec::new(), Vec::new());
        for rows in candidates {
            all.extend(self.wanted_of_rows(group, rows.clone()));
            if let Some(chunk) = group.chunks.get(TRACE_ID) {
                wanted(group, chunk, rows, &mut ids);
            }
        }
        // One row for another: where it will be is not known yet.
        let row = candidates.first().map_or(0, |rows| rows.start);
        let one = self.wanted_of_rows(group, row..row + 1);
        let in_two = cost(ids.clone()) + REQUEST_BYTES + cost(one);
        if cost(all.clone()) <= in_two {
            all
        } else {
            ids
        }
    }

    fn find_row(
        &self,
        group: &RowGroup,
        id: TraceId,
        candidates: &[Range<u32>],
        fetched: &Fetched,
    ) -> Result<Option<u32>, Corrupt> {
        for rows in candidates {
            let mut budget = Budget::of_trace();
            let ids = self.row_column(group, TRACE_ID, rows.clone(), fetched, &mut budget)?;
            if let Some(position) = ids.position(&id.0) {
                return Ok(Some(rows.start + position as u32));
            }
        }
        Ok(None)
    }

    async fn trace(
        &self,
        group: &RowGroup,
        row: u32,
        id: TraceId,
        fetched: &Fetched,
        pause: &impl AsyncFn(),
    ) -> Result<Option<SpanBatch>, Corrupt> {
        let mut budget = Budget::of_trace();
        let columns = self
            .read_rows(group, row..row + 1, fetched, &mut budget, pause)
            .await?;
        let mut assembler = Assembler::new(self, &columns);
        let batch = assembler.next_trace(Some(id), pause).await?;
        assembler.finish()?;
        Ok(batch)
    }
}

/// The rows among which the trace may be, by the pages of `TraceID`.
fn candidates(group: &RowGroup, id: TraceId) -> Vec<Range<u32>> {
    let Some(chunk) = group.chunks.get(TRACE_ID) else {
        return Vec::new();
    };
    let pages = group.pages(chunk);
    if pages.is_empty() || group.page_ids.len() != pages.len() {
        return std::iter::once(0..group.rows).collect();
    }
    let bounds = group.page_ids.iter().enumerate();
    bounds
        .filter(|(_, (first, last))| *first <= id && id <= *last)
        .map(|(number, _)| group.page_rows(chunk, number))
        .collect()
}
