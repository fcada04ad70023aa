//! Which leaves and which owners a column has.

use std::ops::Range;

use vivace_block::WellKnown;
use vivace_block::dedicated::Scope;
use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column as Leaf};
use vivace_block_reader::{OpenBlock, Part};

use crate::cells::{CellKind, Cells, Kinds};
use crate::column::Level;
use crate::strings::Strings;

/// Levels that have attributes.
pub(super) const LEVELS: [Level; 5] = [
    Level::Resource,
    Level::Scope,
    Level::Span,
    Level::Event,
    Level::Link,
];

/// Place in `LEVELS`; None for traces.
pub(super) fn level_index(level: Level) -> Option<usize> {
    LEVELS.iter().position(|&other| other == level)
}

/// The leaves of generic attributes of a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttributeLeaves {
    pub key: usize,
    pub is_array: usize,
    /// Strings, integers, doubles, booleans: where an attribute has several, the first of these counts.
    pub values: [usize; 4],
}

impl AttributeLeaves {
    pub fn of(block: &OpenBlock, level: Level) -> Option<Self> {
        let owner = match level {
            Level::Trace => return None,
            Level::Resource => AttributeOwner::Resource,
            Level::Scope => AttributeOwner::Scope,
            Level::Span => AttributeOwner::Span,
            Level::Event => AttributeOwner::Event,
            Level::Link => AttributeOwner::Link,
        };
        let find = |leaf| block.find(Part::Column(Leaf::Attribute(owner, leaf)));
        Some(Self {
            key: find(AttributeLeaf::Key)?,
            is_array: find(AttributeLeaf::IsArray)?,
            values: [
                find(AttributeLeaf::String)?,
                find(AttributeLeaf::Int)?,
                find(AttributeLeaf::Double)?,
                find(AttributeLeaf::Bool)?,
            ],
        })
    }

    pub fn all(&self) -> [usize; 6] {
        let [string, int, double, bool] = self.values;
        [self.key, self.is_array, string, int, double, bool]
    }
}

/// What of a level has attributes with leaves of their own.
pub(super) fn scope_of(level: Level) -> Option<Scope> {
    match level {
        Level::Resource => Some(Scope::Resource),
        Level::Span => Some(Scope::Span),
        Level::Event => Some(Scope::Event),
        Level::Trace | Level::Scope | Level::Link => None,
    }
}

/// The leaves of an attribute's own; several if they have different types.
pub(super) fn named_leaves(block: &OpenBlock, level: Level, key: &str) -> Vec<usize> {
    let scope = scope_of(level).into_iter();
    let named = scope.flat_map(|scope| block.named_attributes(scope));
    named
        .filter(|(name, _)| *name == key)
        .map(|(_, leaf)| leaf)
        .collect()
}

/// The leaf that is required, so that a missing value is the empty string.
pub(super) fn is_service_name(block: &OpenBlock, leaf: usize) -> bool {
    let part = Part::Column(Leaf::WellKnown(WellKnown::ServiceName));
    block
        .leaves()
        .get(leaf)
        .is_some_and(|leaf| leaf.part == part)
}

/// The traces of the chunk that were read, and what of a level belongs to them.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub level: Level,
    pub traces: Range<u32>,
    /// Of the row group.
    pub rows: Range<u32>,
    pub owners: Range<u32>,
    /// Owners of the level in the whole chunk.
    pub total: u32,
}

impl Extent {
    /// One cell for each owner that was read.
    pub fn dense(&self, kind: CellKind, bits: Vec<u64>, strings: Strings) -> Cells {
        let is_whole = self.owners == (0..self.total);
        let (kinds, bits) = match is_whole {
            true => (Kinds::All(kind), bits),
            false => {
                let mut kinds = vec![CellKind::Nil; self.owners.start as usize];
                kinds.resize(self.owners.end as usize, kind);
                kinds.resize(self.total as usize, CellKind::Nil);
                let mut all = vec![0; self.owners.start as usize];
                all.extend(bits);
                all.resize(self.total as usize, 0);
                (Kinds::Each(kinds), all)
            }
        };
        Cells {
            level: self.level,
            owners: self.total,
            at: None,
            kinds,
            bits,
            elements: Vec::new(),
            strings,
            hidden: Vec::new(),
        }
    }

    /// Cells of some owners, `at` counted from the first that was read.
    pub fn sparse(&self, mut at: Vec<u32>, kinds: Kinds, bits: Vec<u64>) -> Cells {
        let is_dense = at.len() == self.total as usize;
        if self.owners.start > 0 {
            at.iter_mut().for_each(|owner| *owner += self.owners.start);
        }
        Cells {
            level: self.level,
            owners: self.total,
            at: (!is_dense).then_some(at),
            kinds,
            bits,
            elements: Vec::new(),
            strings: Strings::none(),
            hidden: Vec::new(),
        }
    }
}

/// One kind for all where that is so.
pub(super) fn kinds_of(kinds: Vec<CellKind>) -> Kinds {
    match kinds.split_first() {
        Some((first, rest)) if rest.iter().any(|kind| kind != first) => Kinds::Each(kinds),
        Some((first, _)) => Kinds::All(*first),
        None => Kinds::All(CellKind::Nil),
    }
}
