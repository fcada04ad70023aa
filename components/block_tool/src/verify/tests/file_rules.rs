//! Rules of the footer.

use vivace_block::Format;

use super::forge::{Forge, Part, field, insert, list, remove};
use crate::parquet::Thrift;
use crate::verify::report::Check;

fn footer(tamper: impl Fn(&mut Thrift) + 'static) -> Vec<Check> {
    let mut forge = Forge::new(Format::VParquet5);
    forge.tamper(move |part, thrift| {
        if part == Part::Footer {
            tamper(thrift);
        }
    });
    forge.build().failed()
}

/// The node of a name in the schema.
fn node<'a>(footer: &'a mut Thrift, name: &str) -> &'a mut Thrift {
    let nodes = list(field(footer, 2)).iter_mut();
    let mut named = nodes.filter(|node| node.text(4).as_deref() == Some(name));
    named.next().unwrap()
}

#[test]
fn file_metadata() {
    let expected = [Check::FileMetadata];
    assert_eq!(footer(|footer| insert(footer, 1, Thrift::Int(1))), expected);
    let pair = || Thrift::Struct(vec![(1, Thrift::Bytes(b"a".to_vec()))]);
    let pairs = move |footer: &mut Thrift| insert(footer, 5, Thrift::List(vec![pair()]));
    assert_eq!(footer(pairs), expected);
    let root = |footer: &mut Thrift| {
        insert(node(footer, "Trace"), 4, Thrift::Bytes(b"root".to_vec()));
    };
    assert_eq!(footer(root), expected);
    let sorting = |footer: &mut Thrift| {
        let group = &mut list(field(footer, 4))[0];
        insert(group, 4, Thrift::List(vec![Thrift::Struct(Vec::new())]));
    };
    assert_eq!(footer(sorting), expected);
    let ordinal = |footer: &mut Thrift| {
        insert(&mut list(field(footer, 4))[1], 7, Thrift::Int(0));
    };
    assert_eq!(footer(ordinal), expected);
    let filter = |footer: &mut Thrift| {
        let chunk = &mut list(field(&mut list(field(footer, 4))[1], 1))[3];
        insert(field(chunk, 3), 14, Thrift::Int(4));
    };
    assert_eq!(footer(filter), expected);
    // No ordinals at all stand for their numbers.
    let none = |footer: &mut Thrift| {
        list(field(footer, 4))
            .iter_mut()
            .for_each(|group| remove(group, 7));
    };
    assert_eq!(footer(none), []);
}

#[test]
fn field_ids() {
    let id = |footer: &mut Thrift| insert(node(footer, "TraceID"), 9, Thrift::Int(1));
    assert_eq!(footer(id), [Check::FileMetadata, Check::Schema]);
}

#[test]
fn schema() {
    let expected = [Check::Schema];
    let swapped = |footer: &mut Thrift| list(field(footer, 2)).swap(3, 4);
    assert_eq!(footer(swapped), expected);
    let fewer = |footer: &mut Thrift| drop(list(field(footer, 2)).pop());
    assert_eq!(footer(fewer), expected);
    let optional = |footer: &mut Thrift| insert(node(footer, "Kind"), 3, Thrift::Int(1));
    assert_eq!(footer(optional), expected);
    let untyped = |footer: &mut Thrift| remove(node(footer, "Kind"), 10);
    assert_eq!(footer(untyped), expected);
    let unconverted = |footer: &mut Thrift| remove(node(footer, "Kind"), 6);
    assert_eq!(footer(unconverted), expected);
    let double = |footer: &mut Thrift| insert(node(footer, "Kind"), 1, Thrift::Int(5));
    assert_eq!(footer(double), expected);
}

#[test]
fn a_schema_of_other_dedicated_columns() {
    let mut objects = super::base::written(Format::VParquet5);
    let columns = &objects.meta.dedicated_columns;
    objects.meta.dedicated_columns = columns[..columns.len() - 1].into();
    let failed = objects.failed();
    assert!(
        failed.contains(&Check::Schema) && failed.contains(&Check::RowGroups),
        "{failed:?}"
    );
}

#[test]
fn row_groups() {
    let rows = |footer: &mut Thrift| insert(footer, 3, Thrift::Int(7));
    assert_eq!(footer(rows), [Check::RowGroups]);
    let of_group = |footer: &mut Thrift| {
        let group = &mut list(field(footer, 4))[0];
        let more = group.int(3).unwrap() + 1;
        insert(group, 3, Thrift::Int(more));
    };
    assert_eq!(footer(of_group), [Check::MetaObjects, Check::RowGroups]);
    let slots = |footer: &mut Thrift| {
        let chunk = &mut list(field(&mut list(field(footer, 4))[1], 1))[3];
        insert(field(chunk, 3), 5, Thrift::Int(1));
    };
    assert_eq!(footer(slots), [Check::RowGroups]);
    let path = |footer: &mut Thrift| {
        let chunk = &mut list(field(&mut list(field(footer, 4))[1], 1))[3];
        insert(
            field(chunk, 3),
            3,
            Thrift::List(vec![Thrift::Bytes(b"x".to_vec())]),
        );
    };
    assert_eq!(footer(path), [Check::RowGroups]);
}
