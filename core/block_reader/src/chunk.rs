//! Reads rows of a column out of bytes that are there.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Corrupt, Malformed};
use crate::fetch::Fetched;
use crate::open::{Chunk, Leaf, PageAt, RowGroup};
use crate::page::{ColumnPage, Header, PageKind, RawPage, RowRange, dictionary};
use crate::thrift::Decoded;
use crate::values::{Budget, Dictionary};

/// One column of a row group.
pub(crate) struct ChunkReader<'a> {
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
fn pages_of<'g>(pages: &'g [PageAt], rows: &Range<u32>) -> &'g [PageAt] {
    let from = pages.partition_point(|page| page.first_row <= rows.start);
    let to = pages.partition_point(|page| page.first_row < rows.end);
    pages.get(from.saturating_sub(1)..to).unwrap_or_default()
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
    let range = |page: &PageAt| page.offset..page.offset + u64::from(page.bytes);
    out.extend(pages_of(pages, rows).iter().map(range));
}

impl<'a> ChunkReader<'a> {
    pub fn new(
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

    /// Slots and values of rows.
    pub fn read(&self, rows: Range<u32>, budget: &mut Budget) -> Result<ColumnPage, Corrupt> {
        let mut out = ColumnPage::new(self.leaf.shape());
        let pages = self.group.pages(self.chunk);
        if pages.is_empty() {
            self.walk(rows, &mut out, budget)?;
            return Ok(out);
        }
        let last = pages.last().map_or(0, |page| page.offset);
        let range = RowRange {
            start: rows.start.into(),
            end: rows.end.into(),
        };
        for (number, page) in pages_of(pages, &rows).iter().enumerate() {
            let next = pages_of(pages, &rows).get(number + 1);
            let end_row = match next {
                Some(next) => next.first_row,
                None if page.offset == last => self.group.rows,
                None => {
                    let after = pages.partition_point(|other| other.offset <= page.offset);
                    pages
                        .get(after)
                        .map_or(self.group.rows, |next| next.first_row)
                }
            };
            let rows = self
                .page(page.offset..page.offset + u64::from(page.bytes))
                .and_then(|page| {
                    Ok((
                        RawPage::new(
                            page.0,
                            &page.1,
                            self.chunk.codec,
                            self.leaf.max_rep,
                            self.leaf.max_def,
                        )?,
                        page.0,
                    ))
                })
                .and_then(|(raw, _)| {
                    out.append(
                        &raw,
                        self.leaf.shape(),
                        page.first_row.into(),
                        range,
                        || self.dictionary(),
                        budget,
                    )
                })
                .map_err(|error| error.in_column(&self.leaf.path, page.offset))?;
            if rows != u64::from(end_row - page.first_row) {
                let reason = format!(
                    "a page of {rows} rows, where the offset index says {}",
                    end_row - page.first_row
                );
                return Err(Malformed::new(reason).in_column(&self.leaf.path, page.offset));
            }
        }
        Ok(out)
    }

    /// The chunk's dictionary, None if it has none.
    pub fn dictionary_if_any(&self) -> Result<Option<Arc<Dictionary>>, Corrupt> {
        if self.dictionary.get().is_none() && dictionary_range(self.group, self.chunk).is_none() {
            return Ok(None);
        }
        self.dictionary()
            .map(Some)
            .map_err(|error| error.in_column(&self.leaf.path, self.chunk.start))
    }

    fn dictionary(&self) -> Decoded<Arc<Dictionary>> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary.clone());
        }
        let range = dictionary_range(self.group, self.chunk)
            .ok_or_else(|| Malformed::new("codes without a dictionary"))?;
        let (header, bytes) = self.page(range)?;
        let parsed = Arc::new(dictionary(
            header,
            &bytes,
            self.chunk.codec,
            self.leaf.physical,
        )?);
        Ok(self.dictionary.get_or_init(|| parsed).clone())
    }

    fn page(&self, range: Range<u64>) -> Decoded<(Header, Bytes)> {
        let bytes = self.fetched.get(range)?;
        Ok((Header::parse(&bytes)?, bytes))
    }

    /// Without an offset index: page by page from the start of the chunk, by their headers.
    fn walk(
        &self,
        rows: Range<u32>,
        out: &mut ColumnPage,
        budget: &mut Budget,
    ) -> Result<(), Corrupt> {
        let range = RowRange {
            start: rows.start.into(),
            end: rows.end.into(),
        };
        let end = self.chunk.range().end;
        let mut at = self.chunk.start;
        let mut before = 0_u64;
        // A row goes on until the next begins, perhaps in a later page.
        while at < end && before <= range.end {
            let step = || -> Decoded<(u64, u64)> {
                let (header, bytes) = self.page(at..end)?;
                let len = (header.bytes + header.compressed) as u64;
                if header.kind == PageKind::Dictionary {
                    let parsed = dictionary(header, &bytes, self.chunk.codec, self.leaf.physical)?;
                    self.dictionary
                        .set(Arc::new(parsed))
                        .map_err(|_| Malformed::new("a second dictionary"))?;
                    return Ok((len, 0));
                }
                let page = RawPage::new(
                    header,
                    &bytes,
                    self.chunk.codec,
                    self.leaf.max_rep,
                    self.leaf.max_def,
                )?;
                let rows = out.append(
                    &page,
                    self.leaf.shape(),
                    before,
                    range,
                    || self.dictionary(),
                    budget,
                )?;
                Ok((len, rows))
            };
            let mut step = step;
            let (len, rows) = step().map_err(|error| error.in_column(&self.leaf.path, at))?;
            at += len;
            before += rows;
        }
        if before < range.end {
            let reason = format!("{before} rows where there should be {}", self.group.rows);
            return Err(Malformed::new(reason).in_column(&self.leaf.path, self.chunk.start));
        }
        Ok(())
    }
}
