//! Walks the levels and values of one leaf.

use super::RowColumn;
use crate::error::{Corrupt, Malformed};
use crate::open::Leaf;

/// A place in a leaf of a row.
pub(super) struct Cursor<'a> {
    leaf: &'a Leaf,
    column: &'a RowColumn,
    slot: usize,
    value: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(leaf: &'a Leaf, column: &'a RowColumn) -> Self {
        Self {
            leaf,
            column,
            slot: 0,
            value: 0,
        }
    }

    pub fn corrupt(&self, reason: &'static str) -> Corrupt {
        Malformed::new(reason).in_column(&self.leaf.path, self.column.offset)
    }

    /// The repetition level of the next slot, None at the end of the row.
    #[inline]
    pub fn rep(&self) -> Option<u8> {
        if self.slot >= self.column.page.slots {
            return None;
        }
        Some(
            self.column
                .page
                .rep_levels
                .get(self.slot)
                .copied()
                .unwrap_or(0),
        )
    }

    /// The definition level of the next slot.
    #[inline]
    pub fn def(&self) -> u8 {
        self.column
            .page
            .def_levels
            .get(self.slot)
            .copied()
            .unwrap_or(0)
    }

    /// Passes over the slots of the row that begins here.
    pub fn skip_row(&mut self) {
        let page = &self.column.page;
        let is_required = self.leaf.max_def == 0;
        loop {
            let has_value = is_required || self.def() == self.leaf.max_def;
            self.value += usize::from(has_value && self.slot < page.slots);
            self.slot = (self.slot + 1).min(page.slots);
            if self.rep().is_none_or(|rep| rep == 0) {
                break;
            }
        }
    }

    /// Takes a slot that must have this repetition level. Its value's index, when there is one.
    #[inline]
    pub fn slot(&mut self, rep: u8) -> Result<Option<usize>, Corrupt> {
        if self.column.is_absent {
            return Ok(None);
        }
        if self.rep() != Some(rep) {
            return Err(self.corrupt("its levels don't agree with those of the columns beside it"));
        }
        let has_value = self.def() == self.leaf.max_def || self.leaf.max_def == 0;
        self.slot += 1;
        if !has_value {
            return Ok(None);
        }
        self.value += 1;
        Ok(Some(self.value - 1))
    }

    /// Takes a slot that must have a value.
    #[inline]
    pub fn required(&mut self, rep: u8) -> Result<usize, Corrupt> {
        let value = self.slot(rep)?;
        value.ok_or_else(|| self.corrupt("a null where the format has none"))
    }

    /// The values of one owner, none, one or (when the leaf itself is repeated below `level`) several: first index and
    /// how many.
    #[inline]
    pub fn values(&mut self, rep: u8, level: u8) -> Result<(usize, usize), Corrupt> {
        let Some(first) = self.slot(rep)? else {
            return Ok((self.value, 0));
        };
        let mut count = 1;
        while self.leaf.max_rep > level && self.rep() == Some(self.leaf.max_rep) {
            self.required(self.leaf.max_rep)?;
            count += 1;
        }
        Ok((first, count))
    }

    pub fn physical(&self) -> vivace_block::schema::Physical {
        self.leaf.physical
    }

    pub fn is_at_end(&self) -> bool {
        self.slot >= self.column.page.slots
    }

    pub fn bytes(&self, index: usize) -> Result<&'a [u8], Corrupt> {
        let value = self.column.bytes(index);
        value.ok_or_else(|| self.corrupt("a code that is not in the dictionary"))
    }

    pub fn int(&self, index: usize) -> Result<i64, Corrupt> {
        let value = self.column.int(index);
        value.ok_or_else(|| self.corrupt("a code that is not in the dictionary"))
    }

    pub fn double(&self, index: usize) -> Result<f64, Corrupt> {
        let value = self.column.double(index);
        value.ok_or_else(|| self.corrupt("a code that is not in the dictionary"))
    }

    pub fn bool(&self, index: usize) -> Result<bool, Corrupt> {
        let value = self.column.bool(index);
        value.ok_or_else(|| self.corrupt("a code that is not in the dictionary"))
    }
}
