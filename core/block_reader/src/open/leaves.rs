//! Which leaves a block must have.

use vivace_block::Format;
use vivace_block::dedicated::Assigned;
use vivace_block::schema::{self, Column, Physical, Schema};

use crate::page::Shape;

/// What a leaf means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Column(Column),
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
    fn new(leaf: schema::Leaf) -> Self {
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
        Format::VParquet4 | Format::VParquet3 => Schema::version4(),
    };
    schema.leaves.into_iter().map(Leaf::new).collect()
}
