//! Every rule of block-format.md that a block can be seen to keep or break.

mod attributes;
mod chunk;
mod extremes;
mod file;
mod nested;
mod objects;
mod report;
mod rows;
#[cfg(test)]
mod tests;
mod trace;
mod tree;

use std::fmt::Write as _;
use std::io::Write;

use vivace_block::keys::BlockObject;
use vivace_block::schema::{Column, Schema};
use vivace_block::{BlockMeta, Format, dedicated};
use vivace_model::TraceId;

use self::attributes::Owned;
use self::chunk::ChunkReader;
pub(crate) use self::extremes::{Order, widen};
use self::objects::{Blooms, Times};
use self::report::Check;
pub(crate) use self::report::Report;
use self::rows::Buffer;
use self::trace::Row;
use self::tree::Tree;
use crate::block::{self, BlockError, Found, Place};
use crate::limits::ROWS_AT_A_TIME;
use crate::parquet::{DataFile, FileError};
use crate::source::Source;

/// Looks at everything of a block. `check_tenant`: whether the tenant of the place is known, and not only that of the
/// meta. Progress goes to `progress`, a line for each row group. An error: the block cannot be read.
pub(crate) fn verify(
    source: &dyn Source,
    place: &Place,
    check_tenant: bool,
    progress: &mut dyn Write,
) -> Result<Report, BlockError> {
    let Found { meta, .. } = block::read_meta(source, place)?;
    let (format, schema) = block::schema(place, &meta)?;
    let key = place.key(BlockObject::Data);
    let size = source
        .size(&key)?
        .ok_or_else(|| BlockError::Missing(key.clone()))?;
    let file = DataFile::open(source, key, size)?;
    let mut report = Report::new();
    objects::check_meta(place, &meta, format, check_tenant, &mut report);
    objects::check_sizes(&meta, size, file.footer_size, &file.footer, &mut report);
    file::check(&file.footer, &schema, &mut report);
    let blooms = Blooms::read(source, place, &meta, &mut report)?;
    let created_by = file.footer.created_by.as_deref();
    let mut walk = Walk {
        schema: &schema,
        owned: owned(format, &meta),
        blooms,
        times: Times::default(),
        tree: Tree::default(),
        last_id: None,
        stale_counts: created_by.is_some_and(|by| by.contains("parquet-go")),
        row: 0,
        report: &mut report,
    };
    let groups = file.footer.row_groups.len();
    let mut last_ids = Vec::with_capacity(groups);
    for number in 0..groups {
        // Who has closed standard error does not want to know.
        let _ = writeln!(progress, "row group {} of {groups}", number + 1);
        last_ids.push(walk.row_group(&file, number)?);
    }
    walk.times.check(&meta, walk.report);
    objects::check_index(source, place, &last_ids, &mut report)?;
    Ok(report)
}

fn owned(format: Format, meta: &BlockMeta) -> Owned {
    let assigned = dedicated::assign(format, &meta.dedicated_columns);
    Owned::new(format, &assigned)
}

/// A walk over all rows.
struct Walk<'a> {
    schema: &'a Schema,
    owned: Owned,
    blooms: Blooms,
    times: Times,
    tree: Tree,
    last_id: Option<TraceId>,
    stale_counts: bool,
    /// Rows so far.
    row: u64,
    report: &'a mut Report,
}

/// A column while its row group is read.
struct Reading<'a> {
    chunk: ChunkReader<'a>,
    buffer: Buffer,
    ended: bool,
}

impl Walk<'_> {
    /// The last id of the row group; none if it could not be read. An error: the bytes did not come.
    fn row_group(
        &mut self,
        file: &DataFile<'_>,
        number: usize,
    ) -> Result<Option<TraceId>, FileError> {
        let group = &file.footer.row_groups[number];
        if group.chunks.len() != self.schema.leaves.len() {
            self.report.fail(Check::Pages, || {
                format!("row group {number} is not read: its columns are not those of the format")
            });
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(group.chunks.len());
        let mut whole = true;
        for (leaf, chunk) in self.schema.leaves.iter().zip(&group.chunks) {
            match ChunkReader::new(file, number, leaf, chunk) {
                Ok(chunk) => columns.push(Reading {
                    buffer: Buffer::new(leaf),
                    chunk,
                    ended: false,
                }),
                Err(error) => whole &= self.broken(number, &leaf.path, error)?,
            }
        }
        let first_row = self.row;
        let before = self.last_id;
        while whole {
            for column in &mut columns {
                while !column.ended && column.buffer.rows() < ROWS_AT_A_TIME {
                    let path = &column.chunk.leaf.path;
                    match column.chunk.next(self.report) {
                        Ok(Some(page)) => column.buffer.push(column.chunk.leaf, page),
                        Ok(None) => column.ended = true,
                        Err(error) => {
                            whole &= self.broken(number, path, error)?;
                            column.ended = true;
                        }
                    }
                }
            }
            let rows = columns.iter().map(|column| column.buffer.rows());
            let rows = rows.min().unwrap_or(0).min(ROWS_AT_A_TIME);
            if rows == 0 || !whole {
                break;
            }
            self.rows(&mut columns, rows);
        }
        self.row = first_row + group.rows;
        for mut column in columns {
            // After damage in another column, the rest is still looked at page by page.
            let drained = loop {
                match column.chunk.next(self.report) {
                    Ok(Some(_)) => {}
                    Ok(None) => break !column.ended || whole,
                    Err(error) => {
                        self.broken(number, &column.chunk.leaf.path, error)?;
                        break false;
                    }
                }
            };
            if drained || whole {
                column.chunk.finish(file, group.rows, self.report);
            }
        }
        let last = self.last_id.filter(|_| whole);
        if !whole {
            self.last_id = before;
        }
        Ok(last)
    }

    /// Notes that a column cannot be read; an error that is not its own is passed on.
    fn broken(&mut self, group: usize, path: &str, error: FileError) -> Result<bool, FileError> {
        match error {
            FileError::Source(_) => Err(error),
            FileError::Malformed(what) => {
                self.report.fail(Check::Pages, || {
                    format!("row group {group}, column {path}: {what}; its rows are not looked at")
                });
                Ok(false)
            }
        }
    }

    /// Looks at rows that are there in all columns.
    fn rows(&mut self, columns: &mut [Reading<'_>], rows: usize) {
        let by_column: Vec<_> = columns
            .iter()
            .map(|column| column.buffer.cells(column.chunk.leaf, rows))
            .collect();
        let mut row = Vec::with_capacity(by_column.len());
        for number in 0..rows {
            row.clear();
            row.extend(
                by_column
                    .iter()
                    .filter_map(|cells| cells.get(number).copied()),
            );
            self.one(&row);
            self.row += 1;
        }
        let values: Vec<usize> = by_column
            .iter()
            .map(|cells| cells.iter().map(|cells| cells.count).sum())
            .collect();
        for (column, values) in columns.iter_mut().zip(values) {
            column.buffer.forget(rows, values);
        }
    }

    fn one(&mut self, cells: &[rows::Cells<'_>]) {
        let Some((at, _)) = self.schema.find(Column::TraceId) else {
            return;
        };
        let bytes = cells.get(at).map_or(&[][..], |cells| cells.bytes(0));
        let mut place = format!("row {}", self.row);
        let id = <[u8; 16]>::try_from(bytes).map(TraceId).ok();
        self.report.expect(Check::TraceIds, id.is_some(), || {
            format!("{place}: an id of {} bytes", bytes.len())
        });
        if let Some(id) = id {
            // Writing to a text cannot fail.
            let _ = write!(place, " (trace {id})");
            let ascends = self.last_id.is_none_or(|last| last < id);
            self.report.expect(Check::TraceIds, ascends, || {
                format!("{place}: it does not come after the id before it")
            });
            self.last_id = Some(id);
            self.blooms.check(id, &place, self.report);
        }
        let levels = self.tree.read(cells);
        self.report.look(Check::Levels);
        if let Err(what) = levels {
            self.report
                .fail(Check::Levels, || format!("{place}: {what}"));
            return;
        }
        let row = Row {
            schema: self.schema,
            cells,
            tree: &self.tree,
            place: &place,
            stale_counts: self.stale_counts,
        };
        if let Some(id) = id {
            check_text(&row, id, self.report);
        }
        if let Some((start, end)) = trace::check(&row, self.report) {
            self.times.add(start, end);
        }
        attributes::check(&row, &self.owned, self.report);
    }
}

/// `TraceIDText`: hex of the id as it came, which may have been shorter; zeros before it are not written.
fn check_text(row: &Row<'_>, id: TraceId, report: &mut Report) {
    let hex = id.to_string();
    let expected = hex.trim_start_matches('0');
    let text = row
        .column(Column::TraceIdText)
        .map_or(&[][..], |cells| cells.bytes(0));
    report.expect(Check::TraceIdText, text == expected.as_bytes(), || {
        let text = String::from_utf8_lossy(text);
        format!("{}: {text:?} instead of {expected:?}", row.place)
    });
}
