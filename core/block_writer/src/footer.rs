//! What stands behind the row groups: column indexes, offset indexes and the metadata of the file.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{BoundaryOrder, Compression, Encoding, Type, ZstdLevel};
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::page_index::PageIndexBuilder;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, FileMetaData, OffsetIndexBuilder,
    ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr, SchemaDescriptor};
use vivace_block::schema::Schema;

use crate::column::{Bound, Finished};
use crate::types;

const FILE_VERSION: i32 = 2;
const CREATED_BY: &str = "vivace";
/// Length and magic at the end of the file.
const FRAME_BYTES: usize = 8;

/// Facts of all row groups written so far.
pub(crate) struct Footer {
    schema: SchemaDescPtr,
    /// Leaves whose values ascend through the file.
    ascending: Vec<bool>,
    row_groups: Vec<RowGroupMetaData>,
    column_indexes: Vec<Vec<ColumnIndexMetaData>>,
    offset_indexes: Vec<Vec<OffsetIndexMetaData>>,
    rows: i64,
}

/// A row group whose chunks are being written.
pub(crate) struct RowGroup {
    rows: u64,
    offset: u64,
    chunks: Vec<ColumnChunkMetaData>,
    column_indexes: Vec<ColumnIndexMetaData>,
    offset_indexes: Vec<OffsetIndexMetaData>,
}

impl Footer {
    pub(crate) fn new(schema: &Schema) -> Result<Self> {
        let ascending = |leaf: &vivace_block::schema::Leaf| {
            leaf.column == vivace_block::schema::Column::TraceId
        };
        Ok(Self {
            schema: Arc::new(SchemaDescriptor::new(Arc::new(types::root(schema)?))),
            ascending: schema.leaves.iter().map(ascending).collect(),
            row_groups: Vec::new(),
            column_indexes: Vec::new(),
            offset_indexes: Vec::new(),
            rows: 0,
        })
    }

    pub(crate) fn row_groups(&self) -> usize {
        self.row_groups.len()
    }

    /// Begins a row group at an offset of the file.
    pub(crate) fn begin(&self, rows: u64, offset: u64) -> RowGroup {
        RowGroup {
            rows,
            offset,
            chunks: Vec::new(),
            column_indexes: Vec::new(),
            offset_indexes: Vec::new(),
        }
    }

    /// Adds the next chunk, which stands at an offset of the file.
    pub(crate) fn chunk(
        &self,
        row_group: &mut RowGroup,
        chunk: &Finished,
        offset: u64,
    ) -> Result<()> {
        let descriptor = self.schema.column(chunk.leaf);
        let dictionary = chunk
            .dictionary
            .as_ref()
            .map_or(0, |page| page.len() as u64);
        let nulls: u64 = (chunk.facts.iter())
            .map(|page| u64::from(page.slots - page.values))
            .sum();
        let slots: u64 = chunk.facts.iter().map(|page| u64::from(page.slots)).sum();
        let mut encodings = vec![Encoding::RLE, chunk.encoding];
        if chunk.dictionary.is_some() {
            encodings.push(Encoding::PLAIN);
        }
        let metadata = ColumnChunkMetaData::builder(Arc::clone(&descriptor))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_encodings(encodings)
            .set_num_values(slots as i64)
            .set_total_compressed_size((dictionary + chunk.pages_len()) as i64)
            .set_total_uncompressed_size(chunk.uncompressed as i64)
            .set_data_page_offset((offset + dictionary) as i64)
            .set_dictionary_page_offset(chunk.dictionary.as_ref().map(|_| offset as i64))
            .set_statistics(statistics(chunk, &descriptor, nulls))
            .build()?;
        row_group.chunks.push(metadata);
        let index = column_index(chunk, &descriptor, self.ascending[chunk.leaf])?;
        row_group.column_indexes.push(index);
        let mut offsets = OffsetIndexBuilder::new();
        let mut at = offset + dictionary;
        for page in &chunk.facts {
            offsets.append_row_count(page.rows.into());
            offsets.append_offset_and_size(at as i64, page.bytes.cast_signed());
            at += u64::from(page.bytes);
        }
        row_group.offset_indexes.push(offsets.build());
        Ok(())
    }

    pub(crate) fn end(&mut self, row_group: RowGroup) -> Result<()> {
        let sizes = row_group.chunks.iter();
        let uncompressed: i64 = sizes.map(ColumnChunkMetaData::uncompressed_size).sum();
        let ordinal = self.row_groups.len() as i32;
        let metadata = RowGroupMetaData::builder(Arc::clone(&self.schema))
            .set_num_rows(row_group.rows as i64)
            .set_total_byte_size(uncompressed)
            .set_column_metadata(row_group.chunks)
            .set_ordinal(ordinal)
            .set_file_offset(row_group.offset as i64)
            .build()?;
        self.row_groups.push(metadata);
        self.column_indexes.push(row_group.column_indexes);
        self.offset_indexes.push(row_group.offset_indexes);
        self.rows += row_group.rows as i64;
        Ok(())
    }

    /// What ends the file when it has `offset` bytes, and the length of the metadata in it.
    pub(crate) fn finish(self, offset: u64) -> Result<(Vec<u8>, u32)> {
        let file = FileMetaData::new(
            FILE_VERSION,
            self.rows,
            Some(CREATED_BY.to_owned()),
            None,
            Arc::clone(&self.schema),
            None,
        );
        let mut index = PageIndexBuilder::new(self.row_groups.len(), self.schema.num_columns());
        for (row_group, columns) in self.column_indexes.into_iter().enumerate() {
            for (column, one) in columns.into_iter().enumerate() {
                index.put_column_index(one, row_group, column);
            }
        }
        for (row_group, columns) in self.offset_indexes.into_iter().enumerate() {
            for (column, one) in columns.into_iter().enumerate() {
                index.put_offset_index(one, row_group, column);
            }
        }
        let metadata = ParquetMetaDataBuilder::new(file)
            .set_row_groups(self.row_groups)
            .set_page_index(Some(Arc::new(index.build())))
            .build();
        let mut bytes = Vec::new();
        let mut out = TrackedWrite::new(Behind {
            before: offset,
            bytes: &mut bytes,
        });
        pass_over(offset, &mut out)?;
        ParquetMetaDataWriter::new_with_tracked(out, &metadata).finish()?;
        let length = bytes.len().checked_sub(FRAME_BYTES);
        let length = length.and_then(|at| bytes[at..].first_chunk()).copied();
        let length = u32::from_le_bytes(length.unwrap_or_default());
        Ok((bytes, length))
    }
}

/// Keeps what comes behind the first `before` bytes: the indexes say where in the file they stand, and find that out by
/// counting what was written.
struct Behind<'o> {
    before: u64,
    bytes: &'o mut Vec<u8>,
}

impl Write for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let skip = self.before.min(bytes.len() as u64);
        self.before -= skip;
        self.bytes.extend_from_slice(&bytes[skip as usize..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Counts bytes that were written elsewhere.
fn pass_over(mut count: u64, out: &mut impl Write) -> std::io::Result<()> {
    static NOTHING: [u8; 1 << 16] = [0; 1 << 16];
    while count > 0 {
        let part = count.min(NOTHING.len() as u64);
        out.write_all(&NOTHING[..part as usize])?;
        count -= part;
    }
    Ok(())
}

fn column_index(
    chunk: &Finished,
    descriptor: &ColumnDescPtr,
    ascending: bool,
) -> Result<ColumnIndexMetaData> {
    let mut index = ColumnIndexBuilder::new(descriptor.physical_type());
    for page in &chunk.facts {
        let nulls = i64::from(page.slots - page.values);
        let (least, greatest) = match &page.bounds {
            Some((least, greatest)) => (least.bytes.clone(), greatest.bytes.clone()),
            None => (Vec::new(), Vec::new()),
        };
        index.append(page.values == 0, least, greatest, nulls, page.nan_count);
    }
    if ascending {
        index.set_boundary_order(BoundaryOrder::ASCENDING);
    }
    index.build()
}

fn statistics(chunk: &Finished, descriptor: &ColumnDescPtr, nulls: u64) -> Statistics {
    let bounds = chunk.facts.iter().filter_map(|page| page.bounds.as_ref());
    let order = |a: &&Bound, b: &&Bound| chunk.order.compare(&a.bytes, &b.bytes);
    let least = bounds.clone().map(|(least, _)| least).min_by(order);
    let greatest = bounds.map(|(_, greatest)| greatest).max_by(order);
    let nulls = Some(nulls);
    let four = |bound: &Bound| bound.bytes.first_chunk().copied().unwrap_or_default();
    let eight = |bound: &Bound| bound.bytes.first_chunk().copied().unwrap_or_default();
    match descriptor.physical_type() {
        Type::BOOLEAN => {
            let value = |bound: &Bound| bound.bytes.first() == Some(&1);
            Statistics::boolean(least.map(value), greatest.map(value), None, nulls, false)
        }
        Type::INT32 => {
            let value = |bound: &Bound| i32::from_le_bytes(four(bound));
            Statistics::int32(least.map(value), greatest.map(value), None, nulls, false)
        }
        Type::INT64 => {
            let value = |bound: &Bound| i64::from_le_bytes(eight(bound));
            Statistics::int64(least.map(value), greatest.map(value), None, nulls, false)
        }
        Type::DOUBLE => {
            let value = |bound: &Bound| f64::from_le_bytes(eight(bound));
            let nan_count = chunk.facts.iter().filter_map(|page| page.nan_count);
            let nan_count = nan_count.sum::<i64>().cast_unsigned();
            let of =
                ValueStatistics::new(least.map(value), greatest.map(value), None, nulls, false);
            Statistics::Double(of.with_nan_count(Some(nan_count)))
        }
        _ => {
            let exact = |bound: Option<&Bound>| bound.is_some_and(|bound| bound.exact);
            let value = |bound: &Bound| ByteArray::from(bound.bytes.clone());
            let of =
                ValueStatistics::new(least.map(value), greatest.map(value), None, nulls, false);
            let of = of.with_min_is_exact(exact(least));
            Statistics::ByteArray(of.with_max_is_exact(exact(greatest)))
        }
    }
}
