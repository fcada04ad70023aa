//! The leaves of version 3 (block-format.md §3.4): those of version 4 but for attributes, events and links.

use vivace_block::dedicated::Scope;
use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column, Schema};

use super::leaves::{Leaf, OldColumn, Part};

pub(super) fn leaves() -> Vec<Leaf> {
    let of_version4 = Schema::version4().leaves.into_iter();
    of_version4
        .flat_map(|leaf| match leaf.column {
            Column::StatsServiceName
            | Column::StatsSpanCount
            | Column::StatsErrorCount
            | Column::ResourceDroppedAttributes
            | Column::ScopeDroppedAttributes
            | Column::LinkSpanId
            | Column::LinkTraceState
            | Column::LinkDroppedAttributes => Vec::new(),
            Column::Dedicated(slot) if slot.scope == Scope::Event => Vec::new(),
            Column::EventTimeSinceStartNano => {
                let mut old = Leaf::new(leaf);
                old.path = old.path.replace("TimeSinceStartNano", "TimeUnixNano");
                old.part = Part::Old(OldColumn::EventTimeUnixNano);
                vec![old]
            }
            // All links of a span are one value.
            Column::LinkTraceId => {
                let mut old = Leaf::new(leaf);
                old.path = old.path.replace(".Links.list.element.TraceID", ".Links");
                old.part = Part::Old(OldColumn::Links);
                old.max_rep -= 1;
                old.max_def -= 1;
                vec![old]
            }
            Column::Attribute(owner, kind) => attribute(owner, kind, Leaf::new(leaf)),
            _ => vec![Leaf::new(leaf)],
        })
        .collect()
}

/// What stands for a leaf of version 4.
fn attribute(owner: AttributeOwner, kind: AttributeLeaf, mut leaf: Leaf) -> Vec<Leaf> {
    match (owner, kind) {
        (AttributeOwner::Scope | AttributeOwner::Link, _) => Vec::new(),
        (_, AttributeLeaf::Key) => vec![leaf],
        (AttributeOwner::Event, AttributeLeaf::String) => {
            leaf.path = leaf
                .path
                .replace(".list.element.Value.list.element", ".list.element.Value");
            leaf.part = Part::Old(OldColumn::EventAttributeValue);
            leaf.max_rep -= 1;
            leaf.max_def -= 1;
            vec![leaf]
        }
        (AttributeOwner::Event, _) | (_, AttributeLeaf::IsArray) => Vec::new(),
        (_, AttributeLeaf::Unsupported) => {
            let lists = [
                ("ValueKVList", OldColumn::ValueKvList(owner)),
                ("ValueArray", OldColumn::ValueArray(owner)),
            ];
            lists
                .map(|(name, part)| Leaf {
                    path: leaf.path.replace("ValueUnsupported", name),
                    part: Part::Old(part),
                    ..leaf.clone()
                })
                .into()
        }
        // An optional scalar where version 4 has a list: as many definition levels, one repetition level less.
        (
            _,
            AttributeLeaf::String
            | AttributeLeaf::Int
            | AttributeLeaf::Double
            | AttributeLeaf::Bool,
        ) => {
            if let Some(scalar) = leaf.path.strip_suffix(".list.element") {
                leaf.path = scalar.to_owned();
            }
            leaf.max_rep -= 1;
            vec![leaf]
        }
    }
}

#[cfg(test)]
mod tests {
    use vivace_block::schema::Physical;

    use super::*;

    #[test]
    fn number_paths_and_levels() {
        let leaves = leaves();
        assert_eq!(leaves.len(), 76);
        let find = |end: &str| {
            let leaf = leaves.iter().find(|leaf| leaf.path.ends_with(end)).unwrap();
            (
                leaf.path.as_str(),
                leaf.max_rep,
                leaf.max_def,
                leaf.physical,
            )
        };
        let spans = "rs.list.element.ss.list.element.Spans.list.element";
        assert_eq!(
            find("Spans.list.element.Links"),
            (&*format!("{spans}.Links"), 3, 3, Physical::ByteArray)
        );
        assert_eq!(
            find("Spans.list.element.Attrs.list.element.ValueInt"),
            (
                &*format!("{spans}.Attrs.list.element.ValueInt"),
                4,
                5,
                Physical::Int64
            )
        );
        assert_eq!(
            find("Events.list.element.Attrs.list.element.Value"),
            (
                &*format!("{spans}.Events.list.element.Attrs.list.element.Value"),
                5,
                5,
                Physical::ByteArray
            )
        );
    }
}
