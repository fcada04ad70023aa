//! The columns of `data.parquet` (block-format.md §3.2, §3.3): which leaves there are, in which order, how deep and how
//! they are encoded. Tempo opens whole rows by the position of a leaf, so that this list must be exact.

mod column;
mod tree;
mod version4;
mod version5;

pub use column::{AttributeLeaf, AttributeOwner, Column};
pub use tree::{Annotation, Codec, Encoding, Leaf, Logical, Node, Physical, Repetition};

use crate::dedicated::Assigned;

/// All leaves of a block, in file order, and the tree they hang in.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Children of the root, which is named `Trace`.
    pub nodes: Vec<Node>,
    pub leaves: Vec<Leaf>,
}

impl Schema {
    /// Version 5. Leaves of dedicated columns exist only for the slots in `assigned`.
    pub fn version5(assigned: &[Assigned]) -> Self {
        Self::new(version5::nodes(assigned))
    }

    /// Version 4: always the same 103 leaves.
    pub fn version4() -> Self {
        Self::new(version4::nodes())
    }

    fn new(nodes: Vec<Node>) -> Self {
        let leaves = tree::leaves(&nodes);
        Self { nodes, leaves }
    }

    /// The leaf of a column and its position.
    pub fn find(&self, column: Column) -> Option<(usize, &Leaf)> {
        let at = self.leaves.iter().position(|leaf| leaf.column == column)?;
        Some((at, &self.leaves[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use crate::dedicated::{self, default_columns};

    #[test]
    fn numbers_of_leaves() {
        let assigned = dedicated::assign(Format::VParquet5, &default_columns());
        assert_eq!(Schema::version5(&[]).leaves.len(), 78);
        assert_eq!(Schema::version5(&assigned).leaves.len(), 92);
        assert_eq!(Schema::version4().leaves.len(), 103);
    }

    #[test]
    fn paths_and_levels() {
        let v5 = Schema::version5(&[]);
        let name = &v5.leaves[v5.find(Column::SpanName).unwrap().0];
        assert_eq!(
            (name.path.as_str(), name.max_rep, name.max_def),
            ("rs.ss.Spans.Name", 3, 3)
        );
        let v4 = Schema::version4();
        let key = Column::Attribute(AttributeOwner::Link, AttributeLeaf::String);
        let leaf = v4.find(key).unwrap().1;
        assert_eq!(
            leaf.path,
            "rs.list.element.ss.list.element.Spans.list.element.Links.list.element.Attrs.list.element.Value.list.element"
        );
        assert_eq!((leaf.max_rep, leaf.max_def), (6, 6));
    }
}
