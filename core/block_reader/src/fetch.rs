//! Bytes that were read, and how they are read: few requests, joined where ranges lie near.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Malformed, ReadError};
use crate::limits::{MAX_JOINED_BYTES, REQUEST_BYTES};
use crate::ranges::Ranges;
use crate::thrift::Decoded;

/// Parts of a file in memory.
#[derive(Default)]
pub struct Fetched {
    /// Ascending by start.
    parts: Vec<(u64, Bytes)>,
    pub(crate) bytes_read: u64,
    pub(crate) requests: u32,
}

/// What reading ranges costs, in bytes: those that come, and [`REQUEST_BYTES`] for each request.
pub(crate) fn cost(ranges: Vec<Range<u64>>) -> u64 {
    let joined = join(ranges);
    let bytes = joined.iter().map(|range| range.end - range.start);
    bytes.fold(0, |cost, bytes| cost + bytes + REQUEST_BYTES)
}

/// Ranges that cover the given ones, joined when a request would cost more than what lies between. Empty ones are left
/// out.
fn join(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last)
                if range.start <= last.end.saturating_add(REQUEST_BYTES)
                    && (range.end <= last.end || range.end - last.start <= MAX_JOINED_BYTES) =>
            {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}

impl Fetched {
    /// What is there of a range; all of it or an error.
    pub(crate) fn get(&self, range: Range<u64>) -> Decoded<Bytes> {
        self.find(&range)
            .ok_or_else(|| Malformed::new("bytes beyond what was read for the row group"))
    }

    /// Bytes and requests so far.
    pub fn cost(&self) -> (u64, u32) {
        (self.bytes_read, self.requests)
    }

    /// Forgets what has nothing of these ranges.
    pub(crate) fn keep(&mut self, wanted: &[Range<u64>]) {
        self.parts.retain(|(start, bytes)| {
            let end = start + bytes.len() as u64;
            wanted
                .iter()
                .any(|range| range.start < end && *start < range.end)
        });
    }

    fn find(&self, range: &Range<u64>) -> Option<Bytes> {
        let after = self
            .parts
            .partition_point(|(start, _)| *start <= range.start);
        // Parts may overlap; the last that begins early enough is nearly always the one.
        self.parts[..after].iter().rev().find_map(|(start, bytes)| {
            let from = usize::try_from(range.start - start).ok()?;
            let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
            (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }

    /// Reads what of the ranges is not there yet, in as few requests as possible, all at the same time.
    pub(crate) async fn fetch<R: Ranges>(
        &mut self,
        file: &Arc<str>,
        ranges: &R,
        mut wanted: Vec<Range<u64>>,
    ) -> Result<(), ReadError<R::Error>> {
        wanted.retain(|range| self.find(range).is_none());
        let joined = join(wanted);
        let (Some(first), Some(last)) = (joined.first(), joined.last()) else {
            return Ok(());
        };
        let (start, end) = (first.start, last.end);
        let parts = match &joined[..] {
            [range] => ranges.read(range.clone()).await.map(|bytes| vec![bytes]),
            joined => ranges.read_many(joined).await,
        };
        let parts = parts.map_err(|source| ReadError::Ranges {
            file: file.clone(),
            start,
            end,
            source,
        })?;
        for (number, range) in joined.into_iter().enumerate() {
            let bytes = parts.get(number).cloned().unwrap_or_default();
            let expected = range.end - range.start;
            if bytes.len() as u64 != expected {
                let reason = format!("{} bytes came of {expected} asked for", bytes.len());
                return Err(ReadError::Corrupt {
                    file: file.clone(),
                    corrupt: Malformed::new(reason).at(range.start),
                });
            }
            self.requests += 1;
            self.bytes_read += expected;
            self.parts.push((range.start, bytes));
        }
        self.parts.sort_by_key(|(start, _)| *start);
        Ok(())
    }
}
