//! One column of a row group: page by page, against headers, statistics and indexes.

use vivace_block::schema::{Encoding, Leaf};

use super::extremes::{self, Order};
use super::report::{Check, Report};
use crate::parquet::{
    self, Bounds, Chunk, ColumnIndex, DataFile, Decoded, Decoder, FileError, Kind, OffsetIndex,
    Page, Pages, encoding_name,
};

/// A page that was decoded.
struct Seen {
    /// In the file.
    offset: u64,
    bytes: u64,
    first_row: u64,
    slots: u64,
    nulls: u64,
    bounds: Option<Bounds>,
}

/// A chunk that is being decoded.
pub(super) struct ChunkReader<'a> {
    pub leaf: &'a Leaf,
    chunk: &'a Chunk,
    row_group: usize,
    /// Where it begins in the file.
    start: u64,
    order: Order,
    pages: Pages,
    decoder: Decoder,
    seen: Vec<Seen>,
    rows: u64,
    uncompressed: u64,
    dictionary: Option<u64>,
}

impl<'a> ChunkReader<'a> {
    pub fn new(
        file: &DataFile<'_>,
        row_group: usize,
        leaf: &'a Leaf,
        chunk: &'a Chunk,
    ) -> Result<Self, FileError> {
        Ok(Self {
            leaf,
            chunk,
            row_group,
            start: chunk.range()?.start,
            order: Order::of(leaf),
            pages: Pages::new(file.chunk(chunk)?),
            decoder: Decoder::new(leaf, chunk.codec)?,
            seen: Vec::new(),
            rows: 0,
            uncompressed: 0,
            dictionary: None,
        })
    }

    fn place(&self) -> String {
        format!("row group {}, column {}", self.row_group, self.leaf.path)
    }

    fn page_place(&self, offset: u64) -> String {
        format!("{}, page at {offset}", self.place())
    }

    /// The next data page, decoded and checked; none after the last.
    pub fn next(&mut self, report: &mut Report) -> Result<Option<Decoded>, FileError> {
        while let Some(page) = self.pages.next()? {
            let offset = self.start + page.offset;
            self.uncompressed += (page.header_bytes + page.header.uncompressed) as u64;
            self.check_crc(&page, offset, report);
            let decoded = self
                .decoder
                .decode(&page)
                .map_err(|error| error.at(format!("page at {offset}")))?;
            match decoded {
                None => {
                    report.expect(Check::Dictionaries, self.is_first_page(offset), || {
                        format!("{}: a second dictionary", self.page_place(offset))
                    });
                    self.dictionary = Some(offset);
                }
                Some(decoded) => {
                    self.check_page(&page, offset, &decoded, report);
                    return Ok(Some(decoded));
                }
            }
        }
        Ok(None)
    }

    fn is_first_page(&self, offset: u64) -> bool {
        self.dictionary.is_none() && self.seen.is_empty() && offset == self.start
    }

    fn check_crc(&self, page: &Page, offset: u64, report: &mut Report) {
        let actual = crc32fast::hash(&page.body);
        report.expect(Check::PageCrc, page.header.crc == Some(actual), || {
            let place = self.page_place(offset);
            match page.header.crc {
                None => format!("{place}: no CRC"),
                Some(crc) => format!("{place}: CRC {crc:08x} instead of {actual:08x}"),
            }
        });
    }

    fn check_page(&mut self, page: &Page, offset: u64, decoded: &Decoded, report: &mut Report) {
        let header = &page.header;
        let slots = header.slots as u64;
        let nulls = slots - (decoded.values.len() as u64).min(slots);
        let begins = match self.leaf.max_rep {
            0 => slots,
            _ => decoded.rep.iter().filter(|rep| **rep == 0).count() as u64,
        };
        let starts = self.leaf.max_rep == 0 || decoded.rep.first().is_none_or(|rep| *rep == 0);
        report.expect(Check::PageRows, starts, || {
            let place = self.page_place(offset);
            format!("{place}: begins in the middle of row {}", self.rows)
        });
        report.look(Check::Pages);
        // Pages of version 1 say neither how many rows nor, outside of statistics, how many nulls they have.
        let said = match header.kind {
            Kind::DataV2 { nulls, rows, .. } => {
                report.expect(Check::PageRows, rows == begins, || {
                    let place = self.page_place(offset);
                    format!("{place}: {rows} rows in the header, {begins} in the page")
                });
                Some(nulls)
            }
            _ => header.statistics.nulls,
        };
        if let Some(said) = said {
            report.expect(Check::NullCounts, said == nulls, || {
                let place = self.page_place(offset);
                format!("{place}: {said} nulls in the header, {nulls} in the page")
            });
        }
        let bounds = extremes::of(&decoded.values, self.order);
        if let (Some(said), Some(actual)) = (&header.statistics.bounds, &bounds) {
            report.expect(
                Check::Bounds,
                extremes::hold(said, actual, self.order) || self.are_unknown(said),
                || format!("{}: bounds of the header", self.page_place(offset)),
            );
        }
        let is_coded = matches!(
            header.encoding,
            parquet::encoding::RLE_DICTIONARY | parquet::encoding::PLAIN_DICTIONARY
        );
        if !is_coded && self.leaf.encoding == Encoding::Dictionary {
            let encoding = header.encoding;
            report.fail(Check::Dictionaries, || {
                let place = self.page_place(offset);
                format!("{place}: {} instead of codes", encoding_name(encoding))
            });
        }
        self.seen.push(Seen {
            offset,
            bytes: (page.header_bytes + header.compressed) as u64,
            first_row: self.rows,
            slots,
            nulls,
            bounds,
        });
        self.rows += begins;
    }

    /// Empty bounds of a column that must have none.
    fn are_unknown(&self, bounds: &Bounds) -> bool {
        self.leaf.unbounded && bounds.min.is_empty() && bounds.max.is_empty()
    }

    /// What holds for the chunk as a whole, after its last page. `rows`: those of the row group.
    pub fn finish(self, file: &DataFile<'_>, rows: u64, report: &mut Report) {
        let place = self.place();
        report.expect(Check::RowGroups, self.rows == rows, || {
            format!("{place}: {} rows of {rows}", self.rows)
        });
        if self.leaf.encoding == Encoding::Dictionary {
            report.expect(Check::Dictionaries, self.dictionary.is_some(), || {
                format!("{place}: no dictionary")
            });
        }
        self.check_sizes(&place, report);
        self.check_statistics(&place, report);
        match file.offset_index(self.chunk) {
            Ok(Some(index)) => self.check_offset_index(&index, &place, report),
            Ok(None) => report.fail(Check::OffsetIndex, || format!("{place}: none")),
            Err(error) => report.fail(Check::OffsetIndex, || format!("{place}: {error}")),
        }
        match file.column_index(self.chunk) {
            Ok(Some(index)) => self.check_column_index(&index, &place, report),
            Ok(None) => report.fail(Check::ColumnIndex, || format!("{place}: none")),
            Err(error) => report.fail(Check::ColumnIndex, || format!("{place}: {error}")),
        }
    }

    fn check_sizes(&self, place: &str, report: &mut Report) {
        let chunk = self.chunk;
        let slots: u64 = self.seen.iter().map(|page| page.slots).sum();
        report.expect(Check::RowGroups, chunk.slots == slots, || {
            format!("{place}: {} values said, {slots} there", chunk.slots)
        });
        report.expect(
            Check::Pages,
            self.pages.taken() == chunk.compressed && self.uncompressed == chunk.uncompressed,
            || {
                format!(
                    "{place}: sizes {} and uncompressed {} said, {} and {} there",
                    chunk.compressed,
                    chunk.uncompressed,
                    self.pages.taken(),
                    self.uncompressed
                )
            },
        );
        let first = self.seen.first().map(|page| page.offset);
        report.expect(
            Check::Pages,
            first.is_none_or(|first| first == chunk.data_offset)
                && self.dictionary == chunk.dictionary_offset,
            || {
                format!(
                    "{place}: offsets {} and {:?} of the dictionary said, {first:?} and {:?} there",
                    chunk.data_offset, chunk.dictionary_offset, self.dictionary
                )
            },
        );
    }

    fn check_statistics(&self, place: &str, report: &mut Report) {
        let nulls: u64 = self.seen.iter().map(|page| page.nulls).sum();
        let said = self.chunk.statistics.nulls;
        report.expect(Check::NullCounts, said == Some(nulls), || match said {
            None => format!("{place}: the chunk does not count nulls"),
            Some(said) => format!("{place}: {said} nulls of the chunk, {nulls} in its pages"),
        });
        let mut actual = None;
        for page in &self.seen {
            extremes::widen(&mut actual, page.bounds.as_ref(), self.order);
        }
        match (&self.chunk.statistics.bounds, &actual) {
            (Some(said), Some(actual)) => {
                let holds = extremes::hold(said, actual, self.order) || self.are_unknown(said);
                report.expect(Check::Bounds, holds, || {
                    format!("{place}: bounds of the chunk")
                });
            }
            (None, Some(_)) => report.expect(Check::Bounds, self.leaf.unbounded, || {
                format!("{place}: the chunk has no bounds")
            }),
            // Without a value there is nothing to hold.
            (_, None) => {}
        }
    }

    fn check_offset_index(&self, index: &OffsetIndex, place: &str, report: &mut Report) {
        let OffsetIndex(pages) = index;
        report.expect(Check::OffsetIndex, pages.len() == self.seen.len(), || {
            format!("{place}: {} pages of {}", pages.len(), self.seen.len())
        });
        for (said, page) in pages.iter().zip(&self.seen) {
            let actual = (page.offset, page.bytes, page.first_row);
            let said = (said.offset, said.bytes, said.first_row);
            report.expect(Check::OffsetIndex, said == actual, || {
                format!("{place}: offset, bytes and first row {said:?} instead of {actual:?}")
            });
        }
    }

    fn check_column_index(&self, index: &ColumnIndex, place: &str, report: &mut Report) {
        let pages = self.seen.len();
        let complete = index.null_pages.len() == pages && index.bounds.len() == pages;
        report.expect(Check::ColumnIndex, complete, || {
            let entries = (index.null_pages.len(), index.bounds.len());
            format!("{place}: {entries:?} entries for {pages} pages")
        });
        match &index.nulls {
            Some(nulls) => {
                let actual = self.seen.iter().map(|page| page.nulls);
                report.expect(Check::NullCounts, actual.eq(nulls.iter().copied()), || {
                    format!("{place}: nulls of the column index")
                });
            }
            None => report.fail(Check::NullCounts, || {
                format!("{place}: the column index does not count nulls")
            }),
        }
        let entries = index.null_pages.iter().zip(&index.bounds);
        for ((is_null, said), page) in entries.zip(&self.seen) {
            report.expect(
                Check::ColumnIndex,
                *is_null == (page.nulls == page.slots),
                || {
                    format!(
                        "{place}: the page at {} is no null page, or is one",
                        page.offset
                    )
                },
            );
            if let (false, Some(actual)) = (is_null, &page.bounds) {
                let holds = extremes::hold(said, actual, self.order) || self.are_unknown(said);
                report.expect(Check::Bounds, holds, || {
                    let page = page.offset;
                    format!("{place}: bounds of the column index for the page at {page}")
                });
            }
        }
        self.check_order(index, place, report);
    }

    /// The order that a column index says its bounds have.
    fn check_order(&self, index: &ColumnIndex, place: &str, report: &mut Report) {
        let entries = index.null_pages.iter().zip(&index.bounds);
        let bounds: Vec<_> = entries
            .filter(|(is_null, _)| !**is_null)
            .map(|(_, bounds)| bounds)
            .collect();
        let descends = |a: &[u8], b: &[u8]| self.order.compare(a, b).is_some_and(|o| o.is_gt());
        let breaks = bounds.windows(2).any(|pair| match (index.order, pair) {
            (1, [a, b]) => descends(&a.min, &b.min) || descends(&a.max, &b.max),
            (2, [a, b]) => descends(&b.min, &a.min) || descends(&b.max, &a.max),
            _ => false,
        });
        report.expect(Check::ColumnIndex, !breaks, || {
            format!("{place}: bounds are not in the order that the index says")
        });
    }
}
