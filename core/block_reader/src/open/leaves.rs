//! Which leaves a block must have.

use vivace_block::Format;
use vivace_block::dedicated::Assigned;
use vivace_block::schema::{self, AttributeOwner, Column, Physical, Schema};

use super::version3;
use crate::page::Shape;

/// What a leaf means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Column(Column),
    /// What version 3 has instead of columns of the later ones.
    Old(OldColumn),
}

/// A leaf that only version 3 has (block-format.md §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OldColumn {
    /// JSON of an array.
    ValueArray(AttributeOwner),
    /// JSON of a list of keys and values.
    ValueKvList(AttributeOwner),
    /// Absolute.
    EventTimeUnixNano,
    /// An `AnyValue` in protobuf.
    EventAttributeValue,
    /// All links of a span, the repeated field 1 of a message in protobuf.
    Links,
}

/// A leaf of an open block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub path: String,
    pub part: Part,
    pub physical: Physical,
    pub max_rep: u8,
    pub max_def: u8,
}

impl Leaf {
    pub(super) fn new(leaf: schema::Leaf) -> Self {
        Self {
            path: leaf.path,
            part: Part::Column(leaf.column),
            physical: leaf.physical,
            max_rep: leaf.max_rep,
            max_def: leaf.max_def,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            physical: self.physical,
            max_rep: self.max_rep,
            max_def: self.max_def,
        }
    }
}

/// All leaves of a format.
pub(super) fn of(format: Format, assigned: &[Assigned]) -> Vec<Leaf> {
    let schema = match format {
        Format::VParquet5 => Schema::version5(assigned),
        Format::VParquet4 => Schema::version4(),
        Format::VParquet3 => return version3::leaves(),
    };
    schema.leaves.into_iter().map(Leaf::new).collect()
}
