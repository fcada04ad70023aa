//! The values of a column.

use std::ops::Range;

use crate::column::Level;
use crate::strings::Strings;

/// The type of a cell, and what its 64 bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CellKind {
    /// No value.
    Nil,
    /// Number of a string of the column's `Strings`.
    String,
    /// Bits of an i64 (of a u64 in `SpanStart` and its like).
    Int,
    /// Bits of an f64.
    Float,
    /// 0 or 1.
    Bool,
    /// Bits of an i64, nanoseconds.
    Duration,
    /// OTLP's code: 0 unset, 1 ok, 2 error; others count as unset.
    Status,
    /// OTLP's code: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer; others count as unspecified.
    Kind,
    /// A span id as a big-endian number; its text has 16 lower-case hex digits. `span:parentID` of a root: 0.
    SpanId,
    /// A range of elements: start in the low, length in the high 32 bits. Elements have the bits of `String`.
    StringArray,
    IntArray,
    FloatArray,
    BoolArray,
}

/// A span's kind; codes that OTLP does not know are 0.
pub fn known_kind(code: i32) -> i32 {
    if (0..=5).contains(&code) { code } else { 0 }
}

/// The same of status codes.
pub(crate) fn known_status(code: i32) -> i32 {
    if (0..=2).contains(&code) { code } else { 0 }
}

/// The kinds of the cells.
#[derive(Clone, Debug)]
pub enum Kinds {
    All(CellKind),
    /// One a cell.
    Each(Vec<CellKind>),
}

/// The values of one column of a chunk. Arrays with one element are arrays all the same; empty arrays have length 0.
#[derive(Clone, Debug)]
pub struct Cells {
    pub level: Level,
    /// Owners of the level in the chunk.
    pub owners: u32,
    /// None: one cell an owner. Otherwise the owners that have one, ascending; all others are nil.
    pub at: Option<Vec<u32>>,
    pub kinds: Kinds,
    /// One a cell.
    pub bits: Vec<u64>,
    /// What arrays hold.
    pub elements: Vec<u64>,
    /// What strings stand for.
    pub strings: Strings,
    /// Owners, ascending, that have the key with a value which queries can't see (bytes, lists of keys, mixed arrays, nothing): it reads as
    /// nil, but `= nil` is not true for them.
    pub hidden: Vec<u32>,
}

impl Cells {
    /// No owner has a value.
    pub fn nil(level: Level, owners: u32) -> Self {
        Self {
            level,
            owners,
            at: Some(Vec::new()),
            kinds: Kinds::All(CellKind::Nil),
            bits: Vec::new(),
            elements: Vec::new(),
            strings: Strings::none(),
            hidden: Vec::new(),
        }
    }

    /// Cells that are stored.
    pub fn len(&self) -> usize {
        self.bits.len()
    }

    /// Nobody has a value.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// The kind of stored cell number `cell`.
    #[inline]
    pub fn kind(&self, cell: usize) -> CellKind {
        match &self.kinds {
            Kinds::All(kind) => *kind,
            Kinds::Each(kinds) => kinds.get(cell).copied().unwrap_or(CellKind::Nil),
        }
    }

    /// The stored cell of an owner; a binary search when the column is sparse.
    #[inline]
    pub fn cell_of(&self, owner: u32) -> Option<usize> {
        match &self.at {
            None => ((owner as usize) < self.bits.len()).then_some(owner as usize),
            Some(at) => at.binary_search(&owner).ok(),
        }
    }

    /// The owner of a stored cell.
    #[inline]
    pub fn owner(&self, cell: usize) -> u32 {
        match &self.at {
            None => cell as u32,
            Some(at) => at.get(cell).copied().unwrap_or(u32::MAX),
        }
    }

    /// Kind and bits of an owner's value; nil if it has none.
    #[inline]
    pub fn get(&self, owner: u32) -> (CellKind, u64) {
        match self.cell_of(owner) {
            Some(cell) => (self.kind(cell), self.bits[cell]),
            None => (CellKind::Nil, 0),
        }
    }

    /// The elements of an array cell.
    #[inline]
    pub fn array(&self, bits: u64) -> &[u64] {
        self.elements.get(range_of(bits)).unwrap_or_default()
    }

    /// What it takes in memory, strings not counted.
    pub fn memory_bytes(&self) -> usize {
        let kinds = match &self.kinds {
            Kinds::All(_) => 0,
            Kinds::Each(kinds) => kinds.capacity(),
        };
        let at = self.at.as_ref().map_or(0, Vec::capacity);
        kinds
            + (at + self.hidden.capacity()) * 4
            + (self.bits.capacity() + self.elements.capacity()) * 8
    }
}

/// The bits of an array.
pub fn array_bits(start: usize, len: usize) -> u64 {
    start as u64 | (len as u64) << 32
}

fn range_of(bits: u64) -> Range<usize> {
    let start = (bits & 0xffff_ffff) as usize;
    start..start + (bits >> 32) as usize
}
