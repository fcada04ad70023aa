//! `inspect`: what a block is made of, and what takes its space.

mod print;

use std::collections::{BTreeSet, HashMap};

use vivace_block::BlockMeta;
use vivace_block::bloom::BloomShard;
use vivace_block::dedicated;
use vivace_block::index::RowGroupIndex;
use vivace_block::keys::BlockObject;
use vivace_block::schema::{Column, Leaf};
use vivace_model::TraceId;

use crate::block::{self, BlockError, Found, Place};
use crate::limits::{DICTIONARY_HEADER_BYTES, MAX_BLOOM_SHARDS};
use crate::parquet::{
    Bounds, Chunk, DataFile, FileLeaf, Header, Logical, RowGroup, codec_name, encoding_name,
    physical,
};
use crate::source::Source;
use crate::verify::{Order, widen};

/// A column, over all row groups.
#[derive(Clone, Debug, Default)]
struct ColumnFacts {
    path: String,
    /// The attribute that a dedicated column holds.
    attribute: Option<String>,
    kind: String,
    encodings: BTreeSet<String>,
    codecs: BTreeSet<String>,
    pages: u64,
    /// Without nulls.
    values: u64,
    nulls: u64,
    compressed: u64,
    uncompressed: u64,
    /// Entries of the dictionaries of all row groups; none where they were not read.
    dictionary_entries: Option<u64>,
    dictionary_bytes: u64,
    min: Option<String>,
    max: Option<String>,
}

#[derive(Clone, Debug)]
struct RowGroupFacts {
    rows: u64,
    compressed: u64,
    uncompressed: u64,
    last_id: Option<TraceId>,
}

#[derive(Clone, Debug)]
enum BloomFacts {
    Shard {
        bytes: usize,
        bits: u64,
        hashes: u64,
        bits_set: u64,
        false_positive: f64,
    },
    Broken(String),
}

/// Everything that is printed.
pub(crate) struct Facts {
    place: Place,
    meta: BlockMeta,
    compacted: bool,
    size: u64,
    footer_size: u64,
    created_by: Option<String>,
    /// The largest first.
    columns: Vec<ColumnFacts>,
    row_groups: Vec<RowGroupFacts>,
    blooms: Vec<BloomFacts>,
    /// Its entries, or what is wrong with it; none: there is none.
    index: Option<Result<usize, String>>,
}

/// Reads footers and indexes; of pages only the headers of dictionaries, and those only if asked for.
pub(crate) fn inspect(
    source: &dyn Source,
    place: &Place,
    dictionaries: bool,
) -> Result<Facts, BlockError> {
    let Found { meta, compacted } = block::read_meta(source, place)?;
    let key = place.key(BlockObject::Data);
    let size = source
        .size(&key)?
        .ok_or_else(|| BlockError::Missing(key.clone()))?;
    let file = DataFile::open(source, key, size)?;
    let index = read_index(source, place)?;
    let attributes = attributes(place, &meta);
    let mut columns = Vec::new();
    for leaf in file.footer.leaves() {
        let attribute = attributes.get(&leaf.path).cloned();
        columns.push(column(&file, &leaf, attribute, dictionaries)?);
    }
    columns.sort_by_key(|column| std::cmp::Reverse(column.compressed));
    let last_ids = match &index {
        Some(Ok(index)) => index.last_ids(),
        _ => &[],
    };
    let group = |(number, group): (usize, &RowGroup)| RowGroupFacts {
        rows: group.rows,
        compressed: group.chunks.iter().map(|chunk| chunk.compressed).sum(),
        uncompressed: group.chunks.iter().map(|chunk| chunk.uncompressed).sum(),
        last_id: last_ids.get(number).copied(),
    };
    let row_groups = file.footer.row_groups.iter().enumerate().map(group);
    Ok(Facts {
        size,
        footer_size: file.footer_size,
        created_by: file.footer.created_by.clone(),
        columns,
        row_groups: row_groups.collect(),
        blooms: read_blooms(source, place, &meta)?,
        index: index.map(|index| index.map(|index| index.last_ids().len())),
        place: place.clone(),
        meta,
        compacted,
    })
}

fn read_index(
    source: &dyn Source,
    place: &Place,
) -> Result<Option<Result<RowGroupIndex, String>>, BlockError> {
    let bytes = source.read(&place.key(BlockObject::Index))?;
    Ok(bytes.map(|bytes| RowGroupIndex::parse(&bytes).map_err(|error| error.to_string())))
}

fn read_blooms(
    source: &dyn Source,
    place: &Place,
    meta: &BlockMeta,
) -> Result<Vec<BloomFacts>, BlockError> {
    let mut blooms = Vec::new();
    for number in 0..meta.bloom_shard_count().min(MAX_BLOOM_SHARDS) {
        let key = place.key(BlockObject::Bloom(number));
        blooms.push(match source.read(&key)? {
            None => BloomFacts::Broken("missing".to_owned()),
            Some(bytes) => {
                let length = bytes.len();
                match BloomShard::parse(bytes) {
                    Err(error) => BloomFacts::Broken(error.to_string()),
                    Ok(shard) => BloomFacts::Shard {
                        bytes: length,
                        bits: shard.bits(),
                        hashes: shard.hashes(),
                        bits_set: shard.bits_set(),
                        false_positive: shard.false_positive(),
                    },
                }
            }
        });
    }
    Ok(blooms)
}

/// The attributes that leaves hold, by path. Of formats whose leaves are not known here, none are.
fn attributes(place: &Place, meta: &BlockMeta) -> HashMap<String, String> {
    let Ok((format, schema)) = block::schema(place, meta) else {
        return HashMap::new();
    };
    let assigned = dedicated::assign(format, &meta.dedicated_columns);
    let attribute = |leaf: Leaf| {
        let name = match leaf.column {
            Column::Dedicated(slot) => &assigned.iter().find(|one| one.slot == slot)?.name,
            Column::WellKnown(known) => known.attribute(),
            _ => return None,
        };
        Some((leaf.path, name.to_owned()))
    };
    schema.leaves.into_iter().filter_map(attribute).collect()
}

fn column(
    file: &DataFile<'_>,
    leaf: &FileLeaf,
    attribute: Option<String>,
    dictionaries: bool,
) -> Result<ColumnFacts, BlockError> {
    let mut facts = ColumnFacts {
        path: leaf.path.clone(),
        attribute,
        kind: kind(leaf),
        dictionary_entries: dictionaries.then_some(0),
        ..ColumnFacts::default()
    };
    let mut bounds: Option<Bounds> = None;
    for group in &file.footer.row_groups {
        let Some(chunk) = group.chunks.iter().find(|chunk| chunk.path == leaf.path) else {
            continue;
        };
        let nulls = chunk.statistics.nulls.unwrap_or_default();
        facts.nulls += nulls;
        facts.values += chunk.slots.saturating_sub(nulls);
        facts.compressed += chunk.compressed;
        facts.uncompressed += chunk.uncompressed;
        facts.codecs.insert(codec_name(chunk.codec));
        // RLE is what levels have, in every column.
        let encodings = chunk.encodings.iter().filter(|encoding| **encoding != 3);
        facts
            .encodings
            .extend(encodings.map(|encoding| encoding_name(*encoding)));
        facts.pages += match file.offset_index(chunk)? {
            Some(index) => index.0.len() as u64,
            None => 0,
        };
        if let Some(offset) = chunk.dictionary_offset {
            facts.dictionary_bytes += chunk.data_offset.saturating_sub(offset);
            if dictionaries {
                let entries = facts.dictionary_entries.get_or_insert_default();
                *entries += dictionary_entries(file, chunk, offset)?;
            }
        }
        if let Some(order) = Order::of_file(leaf) {
            widen(&mut bounds, chunk.statistics.bounds.as_ref(), order);
        }
    }
    if let Some(bounds) = bounds {
        facts.min = Some(print::value(leaf, &bounds.min));
        facts.max = Some(print::value(leaf, &bounds.max));
    }
    Ok(facts)
}

fn dictionary_entries(file: &DataFile<'_>, chunk: &Chunk, offset: u64) -> Result<u64, BlockError> {
    let most = offset.saturating_add(DICTIONARY_HEADER_BYTES);
    let end = chunk.range()?.end.min(most).max(offset);
    let bytes = file.read(offset..end, DICTIONARY_HEADER_BYTES)?;
    let (header, _) = Header::read(&bytes)?;
    Ok(header.slots as u64)
}

fn kind(leaf: &FileLeaf) -> String {
    match (leaf.physical, leaf.logical) {
        (_, Logical::String) => "text".to_owned(),
        (_, Logical::Integer { bits, signed: true }) => format!("int {bits}"),
        (_, Logical::Integer { bits, .. }) => format!("uint {bits}"),
        (physical::BOOLEAN, _) => "bool".to_owned(),
        (physical::INT32, _) => "int 32".to_owned(),
        (physical::INT64, _) => "int 64".to_owned(),
        (physical::DOUBLE, _) => "double".to_owned(),
        (physical::BYTE_ARRAY, _) => "bytes".to_owned(),
        (other, _) => format!("type {other}"),
    }
}
