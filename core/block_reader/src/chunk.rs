//! Reads rows of a column out of bytes that are there.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Corrupt, Malformed};
use crate::fetch::Fetched;
use crate::open::{Chunk, Leaf, PageAt, RowGroup};
use crate::page::{ColumnPage, Header, PageKind, RawPage, RowRange, Wanted, dictionary};
use crate::thrift::Decoded;
use crate::values::{Budget, Dictionary};

/// How much is decoded between two pauses, cut at pages.
pub const SLOTS_PER_PAUSE: usize = 50_000;

/// One column of a row group whose bytes were fetched.
///
/// Rows are counted from the start of the row group. Asking for the rows of one page after the other decompresses each
/// page once; values of pages that were not asked for are never looked at.
pub struct ColumnReader<'a> {
    leaf: &'a Leaf,
    group: &'a RowGroup,
    chunk: &'a Chunk,
    fetched: &'a Fetched,
    dictionary: OnceCell<Arc<Dictionary>>,
}

/// The dictionary's bytes, when the offset index tells where they end.
fn dictionary_range(group: &RowGroup, chunk: &Chunk) -> Option<Range<u64>> {
    let first = group.pages(chunk).first()?;
    (chunk.start < first.offset).then_some(chunk.start..first.offset)
}

/// The pages with any of the rows, by the offset index.
fn pages_of(pages: &[PageAt], rows: &Range<u32>) -> Range<usize> {
    let from = pages.partition_point(|page| page.first_row <= rows.start);
    let to = pages.partition_point(|page| page.first_row < rows.end);
    from.saturating_sub(1)..to
}

/// What has to be there to read rows of a chunk.
pub(crate) fn wanted(
    group: &RowGroup,
    chunk: &Chunk,
    rows: &Range<u32>,
    out: &mut Vec<Range<u64>>,
) {
    let pages = group.pages(chunk);
    if pages.is_empty() {
        out.push(chunk.range());
        return;
    }
    out.extend(dictionary_range(group, chunk));
    let pages = pages.get(pages_of(pages, rows)).unwrap_or_default();
    out.extend(pages.iter().map(PageAt::range));
}

impl<'a> ColumnReader<'a> {
    pub(crate) fn new(
        leaf: &'a Leaf,
        group: &'a RowGroup,
        chunk: &'a Chunk,
        fetched: &'a Fetched,
    ) -> Self {
        Self {
            leaf,
            group,
            chunk,
            fetched,
            dictionary: OnceCell::new(),
        }
    }

    /// The rows of each page that has any of these rows; one range when the file has no offset index for the column.
    pub fn page_rows(&self, rows: Range<u32>) -> Vec<Range<u32>> {
        let pages = self.group.pages(self.chunk);
        if pages.is_empty() {
            return std::iter::once(0..self.group.rows).collect();
        }
        let numbers = pages_of(pages, &rows);
        numbers
            .map(|number| self.group.page_rows(self.chunk, number))
            .collect()
    }

    /// Slots and values of rows. Values are codes when all pages in question have codes.
    pub fn read(&self, rows: Range<u32>, budget: &mut Budget) -> Result<ColumnPage, Corrupt> {
        let mut reading = Reading::new(self, rows, Wanted::ALL);
        while reading.next_page(budget)? {}
        Ok(reading.out)
    }

    /// Like `read`, but only what is wanted; calls `pause` every [`SLOTS_PER_PAUSE`] slots or so.
    pub async fn read_wanted(
        &self,
        rows: Range<u32>,
        wanted: Wanted,
        budget: &mut Budget,
        pause: &impl AsyncFn(),
    ) -> Result<ColumnPage, Corrupt> {
        let mut reading = Reading::new(self, rows, wanted);
        let mut paused_at = 0;
        while reading.next_page(budget)? {
            if reading.out.slots - paused_at >= SLOTS_PER_PAUSE {
                paused_at = reading.out.slots;
                pause().await;
            }
        }
        Ok(reading.out)
    }

    /// The chunk's dictionary, None if it has none or (without an offset index) none was met yet.
    pub fn dictionary(&self) -> Result<Option<Arc<Dictionary>>, Corrupt> {
        if self.dictionary.get().is_none() && dictionary_range(self.group, self.chunk).is_none() {
            return Ok(None);
        }
        self.known_dictionary()
            .map(Some)
            .map_err(|error| error.in_column(&self.leaf.path, self.chunk.start))
    }

    /// The dictionary for some codes: the beginning of a large one is enough, as codes are mostly given in the order in
    /// which values come.
    pub(crate) fn dictionary_of(&self, codes: &[u32]) -> Result<Option<Arc<Dictionary>>, Corrupt> {
        let most = codes.iter().max().map_or(0, |&code| code as usize + 1);
        match (
            self.dictionary.get(),
            dictionary_range(self.group, self.chunk),
        ) {
            (None, Some(range)) => self
                .page(range)
                .and_then(|(header, bytes)| self.parse_dictionary(header, &bytes, most))
                .map(|parsed| Some(Arc::new(parsed)))
                .map_err(|error| error.in_column(&self.leaf.path, self.chunk.start)),
            _ => self.dictionary(),
        }
    }

    fn parse_dictionary(&self, header: Header, bytes: &Bytes, most: usize) -> Decoded<Dictionary> {
        dictionary(header, bytes, self.chunk.codec, self.leaf.physical, most)
    }

    fn known_dictionary(&self) -> Decoded<Arc<Dictionary>> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary.clone());
        }
        let range = dictionary_range(self.group, self.chunk)
            .ok_or_else(|| Malformed::new("codes without a dictionary"))?;
        let (header, bytes) = self.page(range)?;
        let parsed = self.parse_dictionary(header, &bytes, usize::MAX)?;
        Ok(self.dictionary.get_or_init(|| Arc::new(parsed)).clone())
    }

    fn page(&self, range: Range<u64>) -> Decoded<(Header, Bytes)> {
        let bytes = self.fetched.get(range)?;
        Ok((Header::parse(&bytes)?, bytes))
    }

    fn raw(&self, header: Header, bytes: &Bytes) -> Decoded<RawPage> {
        RawPage::new(header, bytes, self.chunk.codec, self.leaf.shape())
    }
}

/// Goes through the pages of a column that have any of some rows.
struct Reading<'r, 'a> {
    column: &'r ColumnReader<'a>,
    rows: Range<u32>,
    wanted: Wanted,
    out: ColumnPage,
    /// By the offset index: pages that are left.
    pages: Range<usize>,
    /// Without one: where the next page begins, and how many rows began before.
    at: u64,
    before: u64,
}

impl<'r, 'a> Reading<'r, 'a> {
    fn new(column: &'r ColumnReader<'a>, rows: Range<u32>, wanted: Wanted) -> Self {
        let pages = column.group.pages(column.chunk);
        Self {
            out: ColumnPage::new(column.leaf.shape()),
            pages: pages_of(pages, &rows),
            at: column.chunk.start,
            before: 0,
            column,
            rows,
            wanted,
        }
    }

    /// False: there are no more.
    fn next_page(&mut self, budget: &mut Budget) -> Result<bool, Corrupt> {
        let column = self.column;
        let pages = column.group.pages(column.chunk);
        if pages.is_empty() {
            return self.walk(budget);
        }
        let Some((number, page)) = self.pages.next().and_then(|at| Some((at, pages.get(at)?)))
        else {
            return Ok(false);
        };
        let expected = column.group.page_rows(column.chunk, number);
        self.read_page(page, expected, budget)
            .map_err(|error| error.in_column(&column.leaf.path, page.offset))?;
        Ok(true)
    }

    /// `expected`: the rows of the page by the offset index.
    fn read_page(
        &mut self,
        page: &PageAt,
        expected: Range<u32>,
        budget: &mut Budget,
    ) -> Decoded<()> {
        let (header, bytes) = self.column.page(page.range())?;
        let raw = self.column.raw(header, &bytes)?;
        let begun = self.append(&raw, page.first_row.into(), budget)?;
        if begun != u64::from(expected.end - expected.start) {
            return Err(Malformed::new(format!(
                "a page of {begun} rows, where the offset index says {}",
                expected.end - expected.start
            )));
        }
        Ok(())
    }

    fn append(&mut self, page: &RawPage, before: u64, budget: &mut Budget) -> Decoded<u64> {
        let range = RowRange {
            start: self.rows.start.into(),
            end: self.rows.end.into(),
            wanted: self.wanted,
        };
        let column = self.column;
        let dictionary = || column.known_dictionary();
        let shape = column.leaf.shape();
        self.out
            .append(page, shape, before, range, dictionary, budget)
    }

    /// Without an offset index: page by page from the start of the chunk, by their headers.
    fn walk(&mut self, budget: &mut Budget) -> Result<bool, Corrupt> {
        let column = self.column;
        let end = column.chunk.range().end;
        // A row goes on until the next begins, perhaps in a later page.
        if self.at < end && self.before <= u64::from(self.rows.end) {
            let (len, begun) = self
                .walk_page(self.at..end, budget)
                .map_err(|error| error.in_column(&column.leaf.path, self.at))?;
            self.at += len;
            self.before += begun;
            return Ok(true);
        }
        if self.before < u64::from(self.rows.end) {
            let (before, rows) = (self.before, column.group.rows);
            let reason = format!("{before} rows where there should be {rows}");
            return Err(Malformed::new(reason).in_column(&column.leaf.path, column.chunk.start));
        }
        Ok(false)
    }

    /// The bytes of the page that the range begins with, and how many rows begin in it.
    fn walk_page(&mut self, range: Range<u64>, budget: &mut Budget) -> Decoded<(u64, u64)> {
        let column = self.column;
        let (header, bytes) = column.page(range)?;
        let len = (header.bytes + header.compressed) as u64;
        if header.kind == PageKind::Dictionary {
            if self.before > 0 {
                return Err(Malformed::new("a dictionary behind values"));
            }
            let parsed = column.parse_dictionary(header, &bytes, usize::MAX)?;
            column.dictionary.get_or_init(|| Arc::new(parsed));
            return Ok((len, 0));
        }
        let raw = column.raw(header, &bytes)?;
        Ok((len, self.append(&raw, self.before, budget)?))
    }
}
