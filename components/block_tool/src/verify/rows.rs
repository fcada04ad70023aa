//! Rows out of the pages of all columns of a row group.

use parquet::data_type::ByteArray;
use vivace_block::schema::Leaf;

use crate::parquet::{Decoded, Values};

/// Slots and values of a column that are decoded and not used yet.
pub(super) struct Buffer {
    rep: Vec<i16>,
    def: Vec<i16>,
    values: Values,
    /// The slot that each row begins with.
    starts: Vec<usize>,
    slots: usize,
}

/// What a column has of one row.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub leaf: &'a Leaf,
    /// Empty for a column that is not repeated.
    pub rep: &'a [i16],
    /// Empty for a column that is required all the way.
    pub def: &'a [i16],
    pub slots: usize,
    values: &'a Values,
    /// The first value of the row, in `values`.
    first: usize,
    /// Values of the row.
    pub count: usize,
}

impl Buffer {
    pub fn new(leaf: &Leaf) -> Self {
        Self {
            rep: Vec::new(),
            def: Vec::new(),
            values: Values::none_of(leaf.physical),
            starts: Vec::new(),
            slots: 0,
        }
    }

    /// Rows that begin in it.
    pub fn rows(&self) -> usize {
        self.starts.len()
    }

    /// Appends a page.
    pub fn push(&mut self, leaf: &Leaf, page: Decoded) {
        let slots = if leaf.max_def > 0 {
            page.def.len()
        } else {
            page.values.len()
        };
        let begins = |slot: usize| leaf.max_rep == 0 || page.rep.get(slot) == Some(&0);
        let starts = (0..slots).filter(|slot| begins(*slot));
        self.starts.extend(starts.map(|slot| self.slots + slot));
        self.slots += slots;
        self.rep.extend(page.rep);
        self.def.extend(page.def);
        match (&mut self.values, page.values) {
            (Values::Bool(values), Values::Bool(more)) => values.extend(more),
            (Values::I32(values), Values::I32(more)) => values.extend(more),
            (Values::I64(values), Values::I64(more)) => values.extend(more),
            (Values::F64(values), Values::F64(more)) => values.extend(more),
            (Values::Bytes(values), Values::Bytes(more)) => values.extend(more),
            // The decoder makes what the leaf is.
            (values, more) => *values = more,
        }
    }

    /// The cells of the first `rows` rows, which are there.
    pub fn cells<'a>(&'a self, leaf: &'a Leaf, rows: usize) -> Vec<Cells<'a>> {
        let max_def = i16::from(leaf.max_def);
        let mut first = 0;
        let row = |row: usize| {
            let start = self.starts.get(row).copied().unwrap_or(self.slots);
            let end = self.starts.get(row + 1).copied().unwrap_or(self.slots);
            let def = self.def.get(start..end).unwrap_or_default();
            let count = match leaf.max_def {
                0 => end - start,
                _ => def.iter().filter(|def| **def == max_def).count(),
            };
            let cells = Cells {
                leaf,
                rep: self.rep.get(start..end).unwrap_or_default(),
                def,
                slots: end - start,
                values: &self.values,
                first,
                count,
            };
            first += count;
            cells
        };
        (0..rows).map(row).collect()
    }

    /// Forgets the first `rows` rows, which have so many values.
    pub fn forget(&mut self, rows: usize, values: usize) {
        let slots = self.starts.get(rows).copied().unwrap_or(self.slots);
        self.starts.drain(..rows.min(self.starts.len()));
        for start in &mut self.starts {
            *start -= slots;
        }
        self.slots -= slots;
        self.rep.drain(..slots.min(self.rep.len()));
        self.def.drain(..slots.min(self.def.len()));
        match &mut self.values {
            Values::Bool(all) => drop(all.drain(..values.min(all.len()))),
            Values::I32(all) => drop(all.drain(..values.min(all.len()))),
            Values::I64(all) => drop(all.drain(..values.min(all.len()))),
            Values::F64(all) => drop(all.drain(..values.min(all.len()))),
            Values::Bytes(all) => drop(all.drain(..values.min(all.len()))),
        }
    }
}

impl<'a> Cells<'a> {
    /// A text or an id; empty when it is not there.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.values {
            Values::Bytes(values) => self.get(values, index).map_or(&[], ByteArray::data),
            _ => &[],
        }
    }

    /// A number; unsigned ones of 32 bits come as they are, those of 64 bits as their bits.
    pub fn int(&self, index: usize) -> i64 {
        match self.values {
            Values::I32(values) => self.get(values, index).map_or(0, |value| (*value).into()),
            Values::I64(values) => self.get(values, index).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    pub fn bool(&self, index: usize) -> bool {
        match self.values {
            Values::Bool(values) => self.get(values, index).copied().unwrap_or_default(),
            _ => false,
        }
    }

    fn get<T>(&self, values: &'a [T], index: usize) -> Option<&'a T> {
        values
            .get(self.first + index)
            .filter(|_| index < self.count)
    }
}
