//! What the footer says of the file as a whole.

use vivace_block::schema::{self, Annotation, Leaf, Physical, Repetition, Schema};

use super::report::{Check, Report};
use crate::parquet::{Footer, Logical, Node, physical};

pub(super) fn check(footer: &Footer, schema: &Schema, report: &mut Report) {
    check_metadata(footer, report);
    check_schema(footer, schema, report);
    check_row_groups(footer, &schema.leaves, report);
}

fn check_metadata(footer: &Footer, report: &mut Report) {
    let mut expect = |holds: bool, finding: &dyn Fn() -> String| {
        report.expect(Check::FileMetadata, holds, finding);
    };
    expect(footer.version == 2, &|| {
        format!("version {}", footer.version)
    });
    expect(footer.key_values == 0, &|| {
        format!("{} entries of key-value metadata", footer.key_values)
    });
    let root = footer.schema.first().map_or("", |root| root.name.as_str());
    expect(root == "Trace", &|| format!("the root is named {root:?}"));
    for node in footer.schema.iter().filter(|node| node.has_field_id) {
        expect(false, &|| format!("{} has a field id", node.name));
    }
    let ordinals = footer.row_groups.iter().map(|group| group.ordinal);
    let in_order = ordinals
        .clone()
        .enumerate()
        .all(|(at, ordinal)| ordinal == Some(at as i64));
    expect(
        in_order || ordinals.clone().all(|ordinal| ordinal.is_none()),
        &|| "ordinals of row groups are not their numbers".to_owned(),
    );
    for (number, group) in footer.row_groups.iter().enumerate() {
        expect(group.sorting_columns == 0, &|| {
            format!("row group {number} has sorting columns")
        });
        let filters = group.chunks.iter().filter(|chunk| chunk.has_bloom_filter);
        let filters = filters.count();
        expect(filters == 0, &|| {
            format!("row group {number} has {filters} bloom filters of Parquet")
        });
    }
}

/// The nodes that there must be, in the order of the footer.
fn expected_nodes(nodes: &[schema::Node], out: &mut Vec<Node>) {
    for node in nodes {
        match node {
            schema::Node::Group {
                name,
                repetition,
                annotation,
                children,
            } => {
                let (converted, logical) = match annotation {
                    Annotation::None => (None, Logical::None),
                    Annotation::Map => (Some(1), Logical::Map),
                    Annotation::List => (Some(3), Logical::List),
                };
                out.push(Node {
                    name: (*name).to_owned(),
                    physical: None,
                    repetition: Some(repetition_number(*repetition)),
                    children: children.len() as i64,
                    converted,
                    logical,
                    has_field_id: false,
                });
                expected_nodes(children, out);
            }
            schema::Node::Leaf(leaf) => {
                let (converted, logical) = logical(leaf.logical);
                out.push(Node {
                    name: leaf.name.clone(),
                    physical: Some(physical_number(leaf.physical)),
                    repetition: Some(repetition_number(leaf.repetition)),
                    children: 0,
                    converted,
                    logical,
                    has_field_id: false,
                });
            }
        }
    }
}

fn repetition_number(repetition: Repetition) -> i64 {
    match repetition {
        Repetition::Required => 0,
        Repetition::Optional => 1,
        Repetition::Repeated => 2,
    }
}

fn physical_number(of: Physical) -> i64 {
    match of {
        Physical::Boolean => physical::BOOLEAN,
        Physical::Int32 => physical::INT32,
        Physical::Int64 => physical::INT64,
        Physical::Double => physical::DOUBLE,
        Physical::ByteArray => physical::BYTE_ARRAY,
    }
}

/// The converted type of old readers, and the logical one.
fn logical(logical: schema::Logical) -> (Option<i64>, Logical) {
    let integer = |bits: u8, signed| Logical::Integer {
        bits: bits.into(),
        signed,
    };
    match logical {
        schema::Logical::None => (None, Logical::None),
        schema::Logical::String => (Some(0), Logical::String),
        schema::Logical::Unsigned(bits) => {
            (Some(if bits == 32 { 13 } else { 14 }), integer(bits, false))
        }
        schema::Logical::Signed(bits) => {
            (Some(if bits == 32 { 17 } else { 18 }), integer(bits, true))
        }
    }
}

fn check_schema(footer: &Footer, schema: &Schema, report: &mut Report) {
    let mut expected = Vec::new();
    expected_nodes(&schema.nodes, &mut expected);
    let actual = footer.schema.get(1..).unwrap_or_default();
    let differs = expected.iter().zip(actual).position(|(a, b)| a != b);
    report.look(Check::Schema);
    match differs {
        // The rest follows from the first difference.
        Some(at) => report.fail(Check::Schema, || {
            let said = &actual[at];
            format!("node {}: {said:?} instead of {:?}", at + 1, expected[at])
        }),
        None => report.expect(Check::Schema, actual.len() == expected.len(), || {
            format!("{} nodes instead of {}", actual.len(), expected.len())
        }),
    }
}

fn check_row_groups(footer: &Footer, leaves: &[Leaf], report: &mut Report) {
    let rows: u64 = footer.row_groups.iter().map(|group| group.rows).sum();
    report.expect(Check::RowGroups, footer.rows == rows, || {
        format!("{} rows of the file, {rows} in row groups", footer.rows)
    });
    for (number, group) in footer.row_groups.iter().enumerate() {
        report.expect(Check::RowGroups, group.rows > 0, || {
            format!("row group {number} has no rows")
        });
        let paths = group.chunks.iter().map(|chunk| chunk.path.as_str());
        let expected = leaves.iter().map(|leaf| leaf.path.as_str());
        report.expect(Check::RowGroups, paths.eq(expected), || {
            let wrong = group
                .chunks
                .iter()
                .zip(leaves)
                .find(|(chunk, leaf)| chunk.path != leaf.path);
            match wrong {
                Some((chunk, leaf)) => format!(
                    "row group {number}: column {} where {} should be",
                    chunk.path, leaf.path
                ),
                None => format!(
                    "row group {number}: {} columns instead of {}",
                    group.chunks.len(),
                    leaves.len()
                ),
            }
        });
    }
}
