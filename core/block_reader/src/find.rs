//! One trace out of a block.

use std::ops::Range;

use vivace_model::{SpanBatch, TraceId};

use crate::chunk::{ChunkReader, wanted};
use crate::error::{Corrupt, Malformed, ReadError};
use crate::fetch::Fetched;
use crate::limits::WHOLE_ROW_GROUP_BYTES;
use crate::open::{OpenBlock, RowGroup};
use crate::ranges::Ranges;
use crate::row::{self, RowColumns};
use crate::values::Budget;

/// A trace, and what it took to read it.
#[derive(Debug)]
pub struct Found {
    pub batch: SpanBatch,
    pub bytes_read: u64,
    pub requests: u32,
}

/// `TraceID` is the first leaf in every format.
pub(crate) const TRACE_ID: usize = 0;

impl OpenBlock {
    /// The trace with this id. Ask the bloom filter first: this one reads.
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
            let whole = group.range();
            let first = if whole.end - whole.start <= WHOLE_ROW_GROUP_BYTES {
                vec![whole]
            } else {
                let mut ids = Vec::new();
                for rows in &candidates {
                    if let Some(chunk) = group.chunks.get(TRACE_ID) {
                        wanted(group, chunk, rows, &mut ids);
                    }
                }
                ids
            };
            fetched.fetch(&self.file, ranges, first).await?;
            let row = self.find_row(group, id, &candidates, &fetched);
            let found = match row.map_err(|corrupt| self.corrupt(corrupt))? {
                Some(row) => {
                    fetched
                        .fetch(&self.file, ranges, self.wanted_of_row(group, row))
                        .await?;
                    let columns = self
                        .read_row(group, row, &fetched, &pause)
                        .await
                        .map_err(|corrupt| self.corrupt(corrupt))?;
                    let batch = row::assemble(self, &columns, Some(id), &pause).await;
                    Some(batch.map_err(|corrupt| self.corrupt(corrupt))?)
                }
                None => None,
            };
            bytes_read += fetched.bytes_read;
            requests += fetched.requests;
            if let Some(batch) = found.flatten() {
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

    fn find_row(
        &self,
        group: &RowGroup,
        id: TraceId,
        candidates: &[Range<u32>],
        fetched: &Fetched,
    ) -> Result<Option<u32>, Corrupt> {
        for rows in candidates {
            let ids = self.read_column(
                group,
                TRACE_ID,
                rows.clone(),
                fetched,
                &mut Budget::of_trace(),
            )?;
            let position = ids.position(&id.0);
            if let Some(position) = position {
                return Ok(Some(rows.start + position as u32));
            }
        }
        Ok(None)
    }

    fn wanted_of_row(&self, group: &RowGroup, row: u32) -> Vec<Range<u64>> {
        let mut out = Vec::new();
        for (&needed, chunk) in self.places.needed.iter().zip(&group.chunks) {
            if needed {
                wanted(group, chunk, &(row..row + 1), &mut out);
            }
        }
        out
    }

    pub(crate) fn read_column(
        &self,
        group: &RowGroup,
        leaf: usize,
        rows: Range<u32>,
        fetched: &Fetched,
        budget: &mut Budget,
    ) -> Result<row::RowColumn, Corrupt> {
        let (Some(leaf), Some(chunk)) = (self.leaves.get(leaf), group.chunks.get(leaf)) else {
            return Err(Malformed::new("no such column").at(0));
        };
        let reader = ChunkReader::new(leaf, group, chunk, fetched);
        let page = reader.read(rows, budget)?;
        let dictionary = match page.values {
            crate::Values::Codes(_) => reader.dictionary_if_any()?,
            _ => None,
        };
        Ok(row::RowColumn { page, dictionary })
    }

    pub(crate) async fn read_row(
        &self,
        group: &RowGroup,
        row: u32,
        fetched: &Fetched,
        pause: &impl AsyncFn(),
    ) -> Result<RowColumns, Corrupt> {
        let mut budget = Budget::of_trace();
        let mut columns = Vec::with_capacity(self.leaves.len());
        for (index, &needed) in self.places.needed.iter().enumerate() {
            columns.push(match needed {
                true => Some(self.read_column(group, index, row..row + 1, fetched, &mut budget)?),
                false => None,
            });
            pause().await;
        }
        Ok(columns)
    }
}

/// The rows among which the trace may be, by the pages of `TraceID`.
fn candidates(group: &RowGroup, id: TraceId) -> Vec<Range<u32>> {
    let pages = group
        .chunks
        .get(TRACE_ID)
        .map(|chunk| group.pages(chunk))
        .unwrap_or_default();
    if pages.is_empty() || group.page_ids.len() != pages.len() {
        return vec![0..group.rows];
    }
    let rows_of = |number: usize| {
        let end = pages
            .get(number + 1)
            .map_or(group.rows, |next| next.first_row);
        pages.get(number).map_or(0, |page| page.first_row)..end
    };
    let bounds = group.page_ids.iter().enumerate();
    bounds
        .filter(|(_, (first, last))| *first <= id && id <= *last)
        .map(|(number, _)| rows_of(number))
        .collect()
}
