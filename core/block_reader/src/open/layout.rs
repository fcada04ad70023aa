//! Row groups, chunks and pages: where they lie.

use std::ops::Range;

use vivace_model::TraceId;

use crate::page::Codec;

/// A page and the first of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAt {
    pub offset: u64,
    /// Header included.
    pub bytes: u32,
    /// Counted from the start of the row group.
    pub first_row: u32,
}

/// A column of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub codec: Codec,
    /// Where its pages begin, the dictionary first.
    pub start: u64,
    pub bytes: u64,
    /// Level slots.
    pub slots: u64,
    /// None of them has a value, by the statistics of the footer: it can be done without reading the chunk.
    pub all_null: bool,
    /// Data pages in `RowGroup::pages`; empty when the file has no offset index for it.
    pub(crate) pages: Range<u32>,
    /// Where the column index is, for those who want the bounds of pages.
    pub column_index: Option<Range<u64>>,
}

/// A row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroup {
    pub rows: u32,
    /// By leaf.
    pub chunks: Vec<Chunk>,
    pub(crate) pages: Vec<PageAt>,
    /// A lower bound of its trace ids, if known.
    pub(crate) first_id: Option<TraceId>,
    /// An upper bound of its trace ids, if known.
    pub(crate) last_id: Option<TraceId>,
    /// Bounds of the trace ids of each page of `TraceID`; empty when not known.
    pub(crate) page_ids: Vec<(TraceId, TraceId)>,
}

impl PageAt {
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.bytes)
    }
}

impl Chunk {
    pub fn range(&self) -> Range<u64> {
        self.start..self.start + self.bytes
    }
}

impl RowGroup {
    /// Data pages of a chunk; none when the file has no offset index for it.
    pub fn pages(&self, chunk: &Chunk) -> &[PageAt] {
        let range = chunk.pages.start as usize..chunk.pages.end as usize;
        self.pages.get(range).unwrap_or_default()
    }

    /// The rows of data page `number` of a chunk.
    pub(crate) fn page_rows(&self, chunk: &Chunk, number: usize) -> Range<u32> {
        let pages = self.pages(chunk);
        let start = pages.get(number).map_or(self.rows, |page| page.first_row);
        let end = pages
            .get(number + 1)
            .map_or(self.rows, |next| next.first_row);
        start..end
    }

    /// From the first chunk to the last.
    pub fn range(&self) -> Range<u64> {
        let start = self.chunks.iter().map(|chunk| chunk.start).min();
        let end = self.chunks.iter().map(|chunk| chunk.range().end).max();
        start.unwrap_or(0)..end.unwrap_or(0)
    }

    /// Whether it can have the trace.
    pub(crate) fn may_have(&self, id: TraceId) -> bool {
        self.first_id.is_none_or(|first| first <= id) && self.last_id.is_none_or(|last| id <= last)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.pages.capacity() * size_of::<PageAt>()
            + self.page_ids.capacity() * size_of::<(TraceId, TraceId)>()
    }
}
