//! Bytes by column, from the footers of blocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::metadata::ParquetMetaDataReader;

use super::Error;

/// The column that has one value for each span, as its path ends.
const ONE_A_SPAN: &str = "Spans.SpanID";
/// What Parquet puts between a list and its elements.
const LIST: &str = ".list.element";

/// One column over all files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Column {
    /// In the files.
    pub bytes: u64,
    /// Before compression.
    pub unpacked: u64,
}

/// Columns of all files.
#[derive(Debug, Default)]
pub struct Columns {
    /// By path, without what Parquet needs for lists.
    pub of: BTreeMap<String, Column>,
    /// Spans, as far as there is a column of span ids.
    pub spans: u64,
    pub row_groups: u64,
}

impl Columns {
    /// Adds those of a file.
    pub fn add(&mut self, path: &Path) -> Result<(), Error> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(Error::io(&shown))?;
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file);
        let footer = footer.map_err(|error| Error::Failed(format!("{shown}: {error}")))?;
        for group in footer.row_groups() {
            self.row_groups += 1;
            for chunk in group.columns() {
                let name = chunk.column_path().string().replace(LIST, "");
                if name.ends_with(ONE_A_SPAN) {
                    self.spans += whole(chunk.num_values());
                }
                let column = self.of.entry(name).or_default();
                column.bytes += whole(chunk.compressed_size());
                column.unpacked += whole(chunk.uncompressed_size());
            }
        }
        Ok(())
    }

    /// The largest first.
    pub fn by_size(&self) -> Vec<(&str, Column)> {
        let all = self
            .of
            .iter()
            .map(|(name, column)| (name.as_str(), *column));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, column)| std::cmp::Reverse(column.bytes));
        all
    }
}

/// Sizes in footers have a sign, but no meaning below zero.
fn whole(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
