//! From the columns of a row to a trace (block-format.md §3.5, reading back).

mod assemble;
mod attributes;
mod cursor;
mod json;
mod places;
mod protobuf;

use std::sync::Arc;

use crate::page::ColumnPage;
use crate::values::{Dictionary, Values};

pub(crate) use assemble::Assembler;
pub(crate) use places::Places;

/// What one leaf has of a row.
#[derive(Debug)]
pub(crate) struct RowColumn {
    pub page: ColumnPage,
    /// When the values are codes.
    pub dictionary: Option<Arc<Dictionary>>,
    /// Where the chunk begins, for messages.
    pub offset: u64,
    /// The chunk has no value at all: each slot is null, and none was read.
    pub is_absent: bool,
}

/// By leaf; None where the leaf is not needed for a trace.
pub(crate) type RowColumns = Vec<Option<RowColumn>>;

impl RowColumn {
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        match (&self.page.values, self.dictionary.as_deref()) {
            (Values::Bytes(bytes), _) => bytes.get(index),
            (Values::Codes(codes), Some(Dictionary::Bytes(dictionary))) => {
                dictionary.get(*codes.get(index)?)
            }
            _ => None,
        }
    }

    /// The first value that is equal to these bytes.
    pub fn position(&self, wanted: &[u8]) -> Option<usize> {
        (0..self.page.values.len()).find(|&index| self.bytes(index) == Some(wanted))
    }

    pub fn int(&self, index: usize) -> Option<i64> {
        match (&self.page.values, self.dictionary.as_deref()) {
            (Values::Codes(codes), Some(Dictionary::Numbers(numbers))) => {
                numbers.int(*codes.get(index)? as usize)
            }
            (values, _) => values.int(index),
        }
    }

    pub fn double(&self, index: usize) -> Option<f64> {
        match (&self.page.values, self.dictionary.as_deref()) {
            (Values::F64(values), _) => values.get(index).copied(),
            (Values::Codes(codes), Some(Dictionary::Numbers(Values::F64(values)))) => {
                values.get(*codes.get(index)? as usize).copied()
            }
            _ => None,
        }
    }

    pub fn bool(&self, index: usize) -> Option<bool> {
        match (&self.page.values, self.dictionary.as_deref()) {
            (Values::Bool(values), _) => values.get(index).copied(),
            (Values::Codes(codes), Some(Dictionary::Numbers(Values::Bool(values)))) => {
                values.get(*codes.get(index)? as usize).copied()
            }
            _ => None,
        }
    }
}
