//! Columns of row groups, for whoever reads some of them.

use std::ops::Range;

use vivace_block::dedicated::Scope;

use crate::chunk::{ColumnReader, wanted};
use crate::error::{Corrupt, Malformed, ReadError};
use crate::fetch::Fetched;
use crate::open::{OpenBlock, RowGroup};
use crate::page::ColumnPage;
use crate::ranges::Ranges;
use crate::row::{RowColumn, RowColumns};
use crate::values::{Budget, Values};

impl OpenBlock {
    /// Reads what is needed for rows of some leaves of a row group and is not in `fetched` yet, in as few requests as
    /// possible. Start with `Fetched::default()`, and use it for one row group only.
    pub async fn fetch<R: Ranges>(
        &self,
        group: &RowGroup,
        leaves: &[usize],
        rows: Range<u32>,
        ranges: &R,
        fetched: &mut Fetched,
    ) -> Result<(), ReadError<R::Error>> {
        let parts: Vec<_> = leaves.iter().map(|&leaf| (leaf, rows.clone())).collect();
        self.fetch_parts(group, &parts, ranges, fetched).await
    }

    /// The same with rows of their own for each leaf; no rows stand for the dictionary alone.
    pub async fn fetch_parts<R: Ranges>(
        &self,
        group: &RowGroup,
        parts: &[(usize, Range<u32>)],
        ranges: &R,
        fetched: &mut Fetched,
    ) -> Result<(), ReadError<R::Error>> {
        let mut out = Vec::new();
        for (leaf, rows) in parts {
            if let Some(chunk) = group.chunks.get(*leaf) {
                wanted(group, chunk, rows, &mut out);
            }
        }
        fetched.fetch(&self.file, ranges, out).await
    }

    /// A column of a row group; None when the block has no such leaf. What was not fetched can't be read.
    pub fn column<'a>(
        &'a self,
        group: &'a RowGroup,
        leaf: usize,
        fetched: &'a Fetched,
    ) -> Option<ColumnReader<'a>> {
        let chunk = group.chunks.get(leaf)?;
        Some(ColumnReader::new(
            self.leaves.get(leaf)?,
            group,
            chunk,
            fetched,
        ))
    }

    /// Attributes of a scope that have leaves of their own in this block, each with its leaf: dedicated columns in the
    /// order of the meta, then well-known ones. A name may come twice, with leaves of different types.
    pub fn named_attributes(&self, scope: Scope) -> impl Iterator<Item = (&str, usize)> {
        let named = self.places.named_of(scope).iter();
        named.map(|named| (named.attribute.as_str(), named.leaf))
    }

    /// What whole traces need of rows.
    pub(crate) fn wanted_of_rows(&self, group: &RowGroup, rows: Range<u32>) -> Vec<Range<u64>> {
        let mut out = Vec::new();
        for (&needed, chunk) in self.places.needed.iter().zip(&group.chunks) {
            if needed && !chunk.all_null {
                wanted(group, chunk, &rows, &mut out);
            }
        }
        out
    }

    /// All columns that whole traces need. Chunks without any value are not looked at.
    pub(crate) async fn read_rows(
        &self,
        group: &RowGroup,
        rows: Range<u32>,
        fetched: &Fetched,
        budget: &mut Budget,
        pause: &impl AsyncFn(),
    ) -> Result<RowColumns, Corrupt> {
        let mut columns = Vec::with_capacity(self.leaves.len());
        for (leaf, &needed) in self.places.needed.iter().enumerate() {
            let absent = group.chunks.get(leaf).filter(|chunk| chunk.all_null);
            columns.push(match (needed, absent, self.leaves.get(leaf)) {
                (true, Some(chunk), Some(leaf)) => Some(RowColumn {
                    page: ColumnPage::new(leaf.shape()),
                    dictionary: None,
                    offset: chunk.start,
                    is_absent: true,
                }),
                (true, ..) => Some(self.row_column(group, leaf, rows.clone(), fetched, budget)?),
                (false, ..) => None,
            });
            if absent.is_some() {
                continue;
            }
            pause().await;
        }
        Ok(columns)
    }

    pub(crate) fn row_column(
        &self,
        group: &RowGroup,
        leaf: usize,
        rows: Range<u32>,
        fetched: &Fetched,
        budget: &mut Budget,
    ) -> Result<RowColumn, Corrupt> {
        let reader = self
            .column(group, leaf, fetched)
            .ok_or_else(|| Malformed::new("a row group without a column").at(0))?;
        let page = reader.read(rows, budget)?;
        let dictionary = match &page.values {
            Values::Codes(codes) => reader.dictionary_of(codes)?,
            _ => None,
        };
        let offset = group.chunks.get(leaf).map_or(0, |chunk| chunk.start);
        Ok(RowColumn {
            page,
            dictionary,
            offset,
            is_absent: false,
        })
    }
}
