//! Writes the columns of a block again, with another writer and other settings.

use std::sync::Arc;

use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use vivace_block::BlockMeta;
use vivace_block_reader::{Budget, ColumnPage, Fetched, OpenBlock, Values};

use super::{Memory, now};

/// A column, codes replaced by values.
pub struct Column {
    pub levels: ColumnPage,
    pub values: Values,
}

/// All columns of a block of one row group.
pub fn columns(block: &OpenBlock, file: &Memory) -> Vec<Column> {
    let [group] = block.row_groups() else {
        panic!("one row group");
    };
    let leaves: Vec<usize> = (0..block.leaves().len()).collect();
    let mut fetched = Fetched::default();
    let rows = 0..group.rows;
    now(block.fetch(group, &leaves, rows.clone(), file, &mut fetched)).unwrap();
    leaves
        .into_iter()
        .map(|leaf| {
            let reader = block.column(group, leaf, &fetched).unwrap();
            let levels = reader
                .read(rows.clone(), &mut Budget::new(1 << 30))
                .unwrap();
            let values = match (&levels.values, reader.dictionary().unwrap().as_deref()) {
                (Values::Codes(codes), Some(dictionary)) => dictionary.resolve(codes).unwrap(),
                (values, _) => values.clone(),
            };
            Column { levels, values }
        })
        .collect()
}

/// The columns in a new file, with as many row groups as asked for, and its meta.
pub fn write(
    meta: &BlockMeta,
    original: &Bytes,
    columns: &[Column],
    properties: WriterProperties,
    row_groups: usize,
) -> (BlockMeta, Bytes) {
    let footer = original.len() - 8 - meta.footer_size as usize..original.len() - 8;
    let metadata = ParquetMetaDataReader::decode_metadata(&original[footer]).unwrap();
    let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let rows = meta.total_objects as usize;
    for group in 0..row_groups {
        let range = rows * group / row_groups..rows * (group + 1) / row_groups;
        let mut writer = file.next_row_group().unwrap();
        for column in columns {
            let mut leaf = writer.next_column().unwrap().unwrap();
            put(leaf.untyped(), column, range.clone());
            leaf.close().unwrap();
        }
        writer.close().unwrap();
    }
    let bytes = Bytes::from(file.into_inner().unwrap());
    let footer_size = u32::from_le_bytes(*bytes[..bytes.len() - 4].last_chunk().unwrap());
    let meta = BlockMeta {
        size: bytes.len() as u64,
        footer_size,
        ..meta.clone()
    };
    (meta, bytes)
}

/// Slots of rows.
fn slots(levels: &ColumnPage, rows: std::ops::Range<usize>) -> std::ops::Range<usize> {
    if levels.rep_levels.is_empty() {
        return rows;
    }
    let starts = levels
        .rep_levels
        .iter()
        .enumerate()
        .filter(|(_, rep)| **rep == 0);
    let mut starts: Vec<usize> = starts.map(|(slot, _)| slot).collect();
    starts.push(levels.slots);
    starts[rows.start]..starts[rows.end]
}

fn put(writer: &mut ColumnWriter<'_>, column: &Column, rows: std::ops::Range<usize>) {
    let slots = slots(&column.levels, rows);
    let wide = |levels: &[u8]| -> Option<Vec<i16>> {
        let levels = levels.get(slots.clone())?;
        (!levels.is_empty()).then(|| levels.iter().map(|&level| i16::from(level)).collect())
    };
    let (def, rep) = (
        wide(&column.levels.def_levels),
        wide(&column.levels.rep_levels),
    );
    let max = writer_max_def(writer);
    let present = |slot: &usize| match column.levels.def_levels.get(*slot) {
        Some(&def) => i16::from(def) == max,
        None => true,
    };
    let first = (0..slots.start).filter(present).count();
    let count = slots.clone().filter(present).count();
    let range = first..first + count;
    let (def, rep) = (def.as_deref(), rep.as_deref());
    match (writer, &column.values) {
        (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => {
            writer.write_batch(&values[range], def, rep).unwrap();
        }
        (ColumnWriter::Int32ColumnWriter(writer), Values::I32(values)) => {
            writer.write_batch(&values[range], def, rep).unwrap();
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::I64(values)) => {
            writer.write_batch(&values[range], def, rep).unwrap();
        }
        (ColumnWriter::DoubleColumnWriter(writer), Values::F64(values)) => {
            writer.write_batch(&values[range], def, rep).unwrap();
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(values)) => {
            let values: Vec<ByteArray> = range
                .map(|index| ByteArray::from(values.get(index).unwrap().to_vec()))
                .collect();
            writer.write_batch(&values, def, rep).unwrap();
        }
        _ => panic!("a column of another type"),
    }
}

fn writer_max_def(writer: &ColumnWriter<'_>) -> i16 {
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => writer.get_descriptor().max_def_level(),
        ColumnWriter::Int32ColumnWriter(writer) => writer.get_descriptor().max_def_level(),
        ColumnWriter::Int64ColumnWriter(writer) => writer.get_descriptor().max_def_level(),
        ColumnWriter::DoubleColumnWriter(writer) => writer.get_descriptor().max_def_level(),
        ColumnWriter::ByteArrayColumnWriter(writer) => writer.get_descriptor().max_def_level(),
        _ => panic!("a type that blocks don't have"),
    }
}
