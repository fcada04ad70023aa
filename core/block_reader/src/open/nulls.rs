//! Chunks without any value, by the statistics of the footer. Other statistics are not kept, so these are looked for
//! where they stand.

use crate::thrift::{Decoded, Thrift, kind};

/// By row group, then by column in the order of the file: whether no slot has a value.
pub(super) type NullChunks = Vec<Vec<bool>>;

/// `thrift` stands before the list of row groups.
pub(super) fn of_groups(thrift: &mut Thrift<'_>) -> Decoded<NullChunks> {
    let groups = thrift.list_of(kind::STRUCT)?;
    (0..groups).map(|_| of_group(thrift)).collect()
}

/// `RowGroup`
fn of_group(thrift: &mut Thrift<'_>) -> Decoded<Vec<bool>> {
    let mut nulls = Vec::new();
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match field.of(kind::LIST) {
            1 => {
                let columns = thrift.list_of(kind::STRUCT)?;
                nulls.reserve(columns);
                for _ in 0..columns {
                    nulls.push(of_chunk(thrift)?);
                }
            }
            _ => thrift.skip(field.kind)?,
        }
    }
    Ok(nulls)
}

/// `ColumnChunk`
fn of_chunk(thrift: &mut Thrift<'_>) -> Decoded<bool> {
    let mut is_null = false;
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match field.of(kind::STRUCT) {
            3 => is_null = of_metadata(thrift)?,
            _ => thrift.skip(field.kind)?,
        }
    }
    Ok(is_null)
}

/// `ColumnMetaData`: its level slots, and how many of them the statistics call null.
fn of_metadata(thrift: &mut Thrift<'_>) -> Decoded<bool> {
    let (mut slots, mut nulls) = (None, None);
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match (field.id, field.kind) {
            (5, kind::I64) => slots = Some(thrift.int()?),
            (12, kind::STRUCT) => nulls = null_count(thrift)?,
            _ => thrift.skip(field.kind)?,
        }
    }
    Ok(slots.is_some() && slots == nulls)
}

/// `Statistics`
fn null_count(thrift: &mut Thrift<'_>) -> Decoded<Option<i64>> {
    let mut nulls = None;
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match (field.id, field.kind) {
            (3, kind::I64) => nulls = Some(thrift.int()?),
            _ => thrift.skip(field.kind)?,
        }
    }
    Ok(nulls)
}
