//! The footer.

use std::ops::Range;

use super::FileError;
use super::thrift::Thrift;

/// A node of the schema; children follow their parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub name: String,
    /// Parquet's number of the physical type, none for groups.
    pub physical: Option<i64>,
    /// 0 required, 1 optional, 2 repeated; none for the root.
    pub repetition: Option<i64>,
    pub children: i64,
    pub converted: Option<i64>,
    pub logical: Logical,
    pub has_field_id: bool,
}

/// The logical types that blocks use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logical {
    None,
    String,
    Map,
    List,
    Integer { bits: i64, signed: bool },
    Other,
}

/// Bounds of values, in PLAIN encoding without lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub min: Vec<u8>,
    pub max: Vec<u8>,
}

/// What statistics say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub nulls: Option<u64>,
    /// None unless both are there.
    pub bounds: Option<Bounds>,
}

/// A column of a row group.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub path: String,
    pub codec: i64,
    pub encodings: Vec<i64>,
    /// Level slots.
    pub slots: u64,
    pub uncompressed: u64,
    pub compressed: u64,
    pub data_offset: u64,
    pub dictionary_offset: Option<u64>,
    pub statistics: Statistics,
    pub offset_index: Option<Range<u64>>,
    pub column_index: Option<Range<u64>>,
    pub has_bloom_filter: bool,
}

impl Chunk {
    /// All its pages.
    pub fn range(&self) -> Result<Range<u64>, FileError> {
        let start = self
            .dictionary_offset
            .map_or(self.data_offset, |offset| offset.min(self.data_offset));
        match start.checked_add(self.compressed) {
            Some(end) => Ok(start..end),
            None => Err(FileError::malformed("a chunk beyond all files")),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct RowGroup {
    pub rows: u64,
    pub chunks: Vec<Chunk>,
    pub ordinal: Option<i64>,
    pub sorting_columns: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Footer {
    pub version: i64,
    /// The root first.
    pub schema: Vec<Node>,
    pub rows: u64,
    pub row_groups: Vec<RowGroup>,
    pub key_values: usize,
    pub created_by: Option<String>,
}

/// A leaf as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileLeaf {
    pub path: String,
    /// Parquet's number of the physical type.
    pub physical: i64,
    pub logical: Logical,
}

impl Footer {
    /// The leaves of the schema, in order.
    pub fn leaves(&self) -> Vec<FileLeaf> {
        let mut leaves = Vec::new();
        // Groups around the current node: their names, and how many children are still to come.
        let mut around: Vec<(&str, i64)> = Vec::new();
        for node in self.schema.iter().skip(1) {
            while around.last().is_some_and(|(_, children)| *children <= 0) {
                around.pop();
            }
            if let Some((_, children)) = around.last_mut() {
                *children -= 1;
            }
            match node.physical {
                None => around.push((&node.name, node.children)),
                Some(physical) => {
                    let names = around.iter().map(|(name, _)| *name);
                    let path: Vec<_> = names.chain([node.name.as_str()]).collect();
                    leaves.push(FileLeaf {
                        path: path.join("."),
                        physical,
                        logical: node.logical,
                    });
                }
            }
        }
        leaves
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let (footer, _) = Thrift::read(bytes)?;
        let groups = footer.list(4).unwrap_or_default();
        let group = |(number, group)| {
            row_group(group).map_err(|error| error.at(format!("row group {number}")))
        };
        Ok(Self {
            version: footer.int(1).unwrap_or_default(),
            schema: footer
                .list(2)
                .unwrap_or_default()
                .iter()
                .map(node)
                .collect(),
            rows: footer.count(3, "the number of rows")?,
            row_groups: groups
                .iter()
                .enumerate()
                .map(group)
                .collect::<Result<_, _>>()?,
            key_values: footer.list(5).map_or(0, <[_]>::len),
            created_by: footer.text(6),
        })
    }
}

fn node(node: &Thrift) -> Node {
    let logical = match node.get(10) {
        None => Logical::None,
        Some(logical) if logical.get(1).is_some() => Logical::String,
        Some(logical) if logical.get(2).is_some() => Logical::Map,
        Some(logical) if logical.get(3).is_some() => Logical::List,
        Some(logical) => match logical.get(10) {
            Some(integer) => Logical::Integer {
                bits: integer.int(1).unwrap_or_default(),
                signed: integer.bool(2).unwrap_or_default(),
            },
            None => Logical::Other,
        },
    };
    Node {
        name: node.text(4).unwrap_or_default(),
        physical: node.int(1),
        repetition: node.int(3),
        children: node.int(5).unwrap_or_default(),
        converted: node.int(6),
        logical,
        has_field_id: node.get(9).is_some(),
    }
}

fn row_group(group: &Thrift) -> Result<RowGroup, FileError> {
    let chunks = group.list(1).unwrap_or_default();
    let chunk = |(number, column): (usize, &Thrift)| {
        chunk(column).map_err(|error| error.at(format!("column {number}")))
    };
    Ok(RowGroup {
        rows: group.count(3, "the number of rows")?,
        chunks: chunks
            .iter()
            .enumerate()
            .map(chunk)
            .collect::<Result<_, _>>()?,
        ordinal: group.int(7),
        sorting_columns: group.list(4).map_or(0, <[_]>::len),
    })
}

fn chunk(column: &Thrift) -> Result<Chunk, FileError> {
    let meta = column
        .get(3)
        .ok_or_else(|| FileError::malformed("a column without metadata, or encrypted"))?;
    let path = meta
        .list(3)
        .unwrap_or_default()
        .iter()
        .map(|part| match part {
            Thrift::Bytes(name) => String::from_utf8_lossy(name).into_owned(),
            _ => String::new(),
        });
    let encodings = meta
        .list(2)
        .unwrap_or_default()
        .iter()
        .map(|one| match one {
            Thrift::Int(number) => *number,
            _ => -1,
        });
    let range = |offset, length| -> Result<Option<Range<u64>>, FileError> {
        let (Some(start), Some(length)) = (column.int(offset), column.int(length)) else {
            return Ok(None);
        };
        let end = start.checked_add(length);
        match (u64::try_from(start), end.map(u64::try_from)) {
            (Ok(start), Some(Ok(end))) if start <= end => Ok(Some(start..end)),
            _ => Err(FileError::malformed(format!(
                "a page index of {length} bytes at {start}"
            ))),
        }
    };
    let dictionary_offset = match meta.int(11) {
        // Some writers put 0 where there is none.
        None | Some(0) => None,
        Some(_) => Some(meta.count(11, "the offset of the dictionary")?),
    };
    Ok(Chunk {
        path: path.collect::<Vec<_>>().join("."),
        codec: meta.int(4).unwrap_or(-1),
        encodings: encodings.collect(),
        slots: meta.count(5, "the number of values")?,
        uncompressed: meta.count(6, "the uncompressed size")?,
        compressed: meta.count(7, "the compressed size")?,
        data_offset: meta.count(9, "the offset of the pages")?,
        dictionary_offset,
        statistics: meta.get(12).map(statistics).unwrap_or_default(),
        offset_index: range(4, 5)?,
        column_index: range(6, 7)?,
        has_bloom_filter: meta.get(14).is_some(),
    })
}

/// Statistics of a chunk or of a page header.
pub(super) fn statistics(statistics: &Thrift) -> Statistics {
    let bounds = match (statistics.bytes(6), statistics.bytes(5)) {
        (Some(min), Some(max)) => Some(Bounds {
            min: min.to_vec(),
            max: max.to_vec(),
        }),
        _ => None,
    };
    Statistics {
        nulls: statistics
            .int(3)
            .and_then(|nulls| u64::try_from(nulls).ok()),
        bounds,
    }
}
