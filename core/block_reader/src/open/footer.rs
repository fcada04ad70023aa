//! The Parquet footer.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::catch_unwind;

use parquet::basic::{Compression, Type};
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use vivace_block::schema::Physical;
use vivace_model::TraceId;

use super::leaves::Leaf;
use super::nulls::{self, NullChunks};
use crate::error::{Corrupt, Malformed};
use crate::limits::{MAX_CHUNKS, MAX_FOOTER_KEYS, MAX_ROW_GROUPS, MAX_SCHEMA_NODES};
use crate::page::Codec;
use crate::thrift::{Decoded, Thrift, kind};

/// A chunk as the footer has it.
pub(super) struct ChunkAt {
    pub codec: Codec,
    pub start: u64,
    pub bytes: u64,
    pub slots: u64,
    pub all_null: bool,
    pub offset_index: Option<Range<u64>>,
    pub column_index: Option<Range<u64>>,
}

/// A row group as the footer has it; chunks in the order of the expected leaves.
pub(super) struct GroupAt {
    pub rows: u32,
    pub chunks: Vec<ChunkAt>,
    /// Smallest and largest trace id by the chunk's statistics.
    pub ids: Option<(TraceId, TraceId)>,
}

pub(super) struct Footer {
    pub groups: Vec<GroupAt>,
    /// Where it lies in the file: nothing of a row group may lie behind that.
    pub offset: u64,
}

impl Footer {
    /// All page indexes that are read when the block is opened: offset indexes, and the column index of `TraceID`, which
    /// is the first leaf.
    pub fn index_ranges(&self) -> Vec<Range<u64>> {
        let of_group = |group: &GroupAt| {
            let ids = group
                .chunks
                .first()
                .and_then(|chunk| chunk.column_index.clone());
            let pages = group
                .chunks
                .iter()
                .filter_map(|chunk| chunk.offset_index.clone());
            pages.chain(ids).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group).collect()
    }
}

/// Counts what the parser would reserve memory for, or recurse into, and finds lengths and types that can't be. Returns
/// which chunks have no value.
fn screen(bytes: &[u8]) -> Decoded<NullChunks> {
    let mut thrift = Thrift::new(bytes);
    let mut null_chunks = Vec::new();
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        let most = match field.of(kind::LIST) {
            2 => MAX_SCHEMA_NODES,
            4 => MAX_ROW_GROUPS,
            5 => MAX_FOOTER_KEYS,
            7 => MAX_SCHEMA_NODES,
            _ => usize::MAX,
        };
        let mut list = thrift;
        if most < usize::MAX && list.list()?.1 > most {
            return Err(Malformed::new(format!(
                "list {} of more than {most}",
                field.id
            )));
        }
        match field.of(kind::LIST) {
            4 => null_chunks = nulls::of_groups(&mut thrift)?,
            _ => thrift.skip(field.kind)?,
        }
    }
    Ok(null_chunks)
}

/// The footer's metadata by the `parquet` crate. Screen the bytes first.
fn metadata(bytes: &[u8]) -> Decoded<ParquetMetaData> {
    let mut options = ParquetMetaDataOptions::new();
    // Statistics of the first leaf, `TraceID`, help to find row groups. Of the others there may be megabytes.
    options.set_column_stats_policy(ParquetStatisticsPolicy::skip_except(&[0]));
    options.set_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    // The crate unwraps what it expects of valid statistics and schemas. Nothing outlives a panic here: the only thing
    // that it shares with us is the slice.
    let parsed =
        catch_unwind(|| ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options)));
    match parsed {
        Ok(Ok(metadata)) => Ok(metadata),
        Ok(Err(error)) => Err(Malformed::new(format!("a broken footer: {error}"))),
        Err(_) => Err(Malformed::new("a footer that can't be parsed")),
    }
}

/// `expected` are the leaves of the format. When they are not `is_exact` (version 3, of which there were variants), the
/// file may have others, and some may be optional: then their levels are set to what the file says.
pub(super) fn parse(
    bytes: &[u8],
    expected: &mut [Leaf],
    is_exact: bool,
    offset: u64,
) -> Result<Footer, Corrupt> {
    let null_chunks = screen(bytes).map_err(|error| error.at(offset))?;
    let metadata = metadata(bytes).map_err(|error| error.at(offset))?;
    let positions = positions(&metadata, expected, is_exact).map_err(|error| error.at(offset))?;
    let groups = metadata.row_groups();
    if groups.len().saturating_mul(expected.len()) > MAX_CHUNKS {
        let reason = format!("{} row groups are too many", groups.len());
        return Err(Malformed::new(reason).at(offset));
    }
    let mut out = Vec::with_capacity(groups.len());
    for (number, group) in groups.iter().enumerate() {
        let all_null = |position: usize| {
            let chunks = null_chunks.get(number);
            chunks.and_then(|chunks| chunks.get(position)).copied() == Some(true)
        };
        let rows = u32::try_from(group.num_rows()).map_err(|_| {
            Malformed::new(format!("a row group of {} rows", group.num_rows())).at(offset)
        })?;
        let mut chunks = Vec::with_capacity(expected.len());
        for (leaf, &position) in expected.iter().zip(&positions) {
            let chunk = group
                .columns()
                .get(position)
                .ok_or_else(|| Malformed::new("a row group without it"))
                .and_then(|chunk| chunk_at(chunk, all_null(position), offset))
                .map_err(|error| error.in_column(&leaf.path, offset))?;
            chunks.push(chunk);
        }
        let statistics = positions
            .first()
            .and_then(|&at| group.columns().get(at)?.statistics());
        let ids = statistics.and_then(|statistics| {
            let id = |bytes: Option<&[u8]>| bytes?.try_into().ok().map(TraceId);
            Some((
                id(statistics.min_bytes_opt())?,
                id(statistics.max_bytes_opt())?,
            ))
        });
        out.push(GroupAt { rows, chunks, ids });
    }
    Ok(Footer {
        groups: out,
        offset,
    })
}

/// For each expected leaf its position in the file. Both have the same leaves, in whatever order.
fn positions(
    metadata: &ParquetMetaData,
    expected: &mut [Leaf],
    is_exact: bool,
) -> Decoded<Vec<usize>> {
    let schema = metadata.file_metadata().schema_descr();
    let mut found: HashMap<String, usize> = HashMap::with_capacity(expected.len());
    for (position, column) in schema.columns().iter().enumerate() {
        found.insert(column.path().string(), position);
    }
    let mut positions = Vec::with_capacity(expected.len());
    for leaf in &mut *expected {
        let path = &leaf.path;
        let position = found
            .remove(path)
            .ok_or_else(|| Malformed::new(format!("the file has no column {path}")))?;
        let column = schema.column(position);
        let levels = (column.max_rep_level(), column.max_def_level());
        let optional = (i16::from(leaf.max_rep), i16::from(leaf.max_def) + 1);
        if !is_exact && levels == optional {
            leaf.max_def += 1;
        }
        if physical(column.physical_type()) != Some(leaf.physical)
            || levels != (i16::from(leaf.max_rep), i16::from(leaf.max_def))
        {
            return Err(Malformed::new(format!(
                "column {path} is {:?} with levels {levels:?}, not {:?} with levels {:?}",
                column.physical_type(),
                leaf.physical,
                (leaf.max_rep, leaf.max_def),
            )));
        }
        positions.push(position);
    }
    match found.into_keys().min() {
        Some(path) if is_exact => Err(Malformed::new(format!(
            "the file has a column {path}, which format and dedicated columns of the meta don't have"
        ))),
        _ => Ok(positions),
    }
}

fn physical(kind: Type) -> Option<Physical> {
    Some(match kind {
        Type::BOOLEAN => Physical::Boolean,
        Type::INT32 => Physical::Int32,
        Type::INT64 => Physical::Int64,
        Type::DOUBLE => Physical::Double,
        Type::BYTE_ARRAY => Physical::ByteArray,
        _ => return None,
    })
}

/// `end` is where the footer begins.
fn chunk_at(chunk: &ColumnChunkMetaData, all_null: bool, end: u64) -> Decoded<ChunkAt> {
    let codec = match chunk.compression() {
        Compression::UNCOMPRESSED => Codec::None,
        Compression::SNAPPY => Codec::Snappy,
        Compression::ZSTD(_) => Codec::Zstd,
        other => {
            return Err(Malformed::new(format!(
                "codec {other}, which is not supported"
            )));
        }
    };
    let number =
        |value: i64| u64::try_from(value).map_err(|_| Malformed::new("a negative size or offset"));
    // Some writers say 0 where there is no dictionary.
    let dictionary = chunk.dictionary_page_offset().filter(|&offset| offset > 0);
    let data = number(chunk.data_page_offset())?;
    let start = match dictionary {
        Some(offset) => number(offset)?.min(data),
        None => data,
    };
    let bytes = number(chunk.compressed_size())?;
    let within = |range: &Range<u64>| range.start <= range.end && range.end <= end;
    if !within(&(start..start.saturating_add(bytes))) {
        return Err(Malformed::new("a chunk beyond the footer"));
    }
    let index = |offset: Option<i64>, length: Option<i32>| -> Decoded<Option<Range<u64>>> {
        let (Some(offset), Some(length)) = (offset, length) else {
            return Ok(None);
        };
        let start = number(offset)?;
        let range = start..start.saturating_add(number(length.into())?);
        if !within(&range) {
            return Err(Malformed::new("a page index beyond the footer"));
        }
        Ok((range.start < range.end).then_some(range))
    };
    Ok(ChunkAt {
        codec,
        start,
        bytes,
        slots: number(chunk.num_values())?,
        all_null,
        offset_index: index(chunk.offset_index_offset(), chunk.offset_index_length())?,
        column_index: index(chunk.column_index_offset(), chunk.column_index_length())?,
    })
}
