//! Rules of rows.

use parquet::data_type::ByteArray;
use vivace_block::Format;
use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column};

use super::forge::Forge;
use crate::verify::report::Check;

fn broken(breaks: impl FnOnce(&mut Forge)) -> Vec<Check> {
    let mut forge = Forge::new(Format::VParquet5);
    breaks(&mut forge);
    forge.build().failed()
}

fn of_span(leaf: AttributeLeaf) -> Column {
    Column::Attribute(AttributeOwner::Span, leaf)
}

#[test]
fn levels() {
    // A span without a name: the column ends early in the row before the last.
    let lost = broken(|forge| {
        let page = forge.page(Column::SpanName);
        let last = page.rep.iter().rposition(|rep| *rep > 0).unwrap();
        page.rep.remove(last);
        page.def.remove(last);
        forge.texts(Column::SpanName).remove(last);
    });
    assert_eq!(lost, [Check::Levels]);
    // A span that is in another scope for one of its columns.
    let moved = broken(|forge| {
        let page = forge.page(Column::Kind);
        let at = page.rep.iter().position(|rep| *rep == 2).unwrap();
        page.rep[at] = 3;
    });
    assert_eq!(moved, [Check::Levels]);
    // An attribute of another event.
    let impossible = broken(|forge| {
        let page = forge.page(Column::EventName);
        let at = page.rep.iter().position(|rep| *rep == 3).unwrap();
        page.rep[at] = 4;
    });
    assert_eq!(impossible, [Check::Levels]);
}

#[test]
fn trace_ids() {
    let swap = |forge: &mut Forge, column| forge.texts(column).swap(1, 2);
    let unsorted = broken(|forge| {
        swap(forge, Column::TraceId);
        swap(forge, Column::TraceIdText);
    });
    assert_eq!(unsorted, [Check::TraceIds]);
    let twice = broken(|forge| {
        for column in [Column::TraceId, Column::TraceIdText] {
            let texts = forge.texts(column);
            texts[2] = texts[1].clone();
        }
    });
    assert_eq!(twice, [Check::TraceIds]);
    let short = broken(|forge| {
        forge.texts(Column::TraceId)[1] = ByteArray::from(vec![0, 0, 0, 2]);
    });
    assert_eq!(short, [Check::TraceIds]);
}

#[test]
fn trace_id_texts() {
    let padded = broken(|forge| {
        let text = &mut forge.texts(Column::TraceIdText)[1];
        *text = ByteArray::from([b"0", text.data()].concat());
    });
    assert_eq!(padded, [Check::TraceIdText]);
}

#[test]
fn trace_times() {
    for column in [
        Column::TraceStartUnixNano,
        Column::TraceEndUnixNano,
        Column::TraceDurationNano,
    ] {
        let changed = broken(|forge| forge.ints(column).add(1, -1));
        assert_eq!(changed, [Check::TraceTimes], "{column:?}");
    }
}

#[test]
fn root_names() {
    for column in [Column::RootServiceName, Column::RootSpanName] {
        for name in ["", "other"] {
            let changed = broken(|forge| forge.texts(column)[1] = name.into());
            assert_eq!(changed, [Check::RootNames], "{column:?}");
        }
    }
}

#[test]
fn service_stats() {
    for column in [Column::StatsSpanCount, Column::StatsErrorCount] {
        let changed = broken(|forge| forge.ints(column).add(1, 1));
        assert_eq!(changed, [Check::ServiceStats], "{column:?}");
    }
    let renamed = broken(|forge| forge.texts(Column::StatsServiceName)[0] = "zz".into());
    assert_eq!(renamed, [Check::ServiceStats]);
    // In another order.
    let unsorted = broken(|forge| {
        forge.texts(Column::StatsServiceName).swap(0, 1);
        for column in [Column::StatsSpanCount, Column::StatsErrorCount] {
            let difference = match forge.ints(column) {
                super::forge::Ints::Narrow(values) => {
                    values.swap(0, 1);
                    0
                }
                super::forge::Ints::Wide(_) => 1,
            };
            assert_eq!(difference, 0);
        }
    });
    assert_eq!(unsorted, [Check::ServiceStats]);
}

#[test]
fn counts_and_places_of_spans() {
    for (column, check) in [
        (Column::ScopeSpanCount, Check::SpanCount),
        (Column::NestedSetLeft, Check::NestedSet),
        (Column::NestedSetRight, Check::NestedSet),
        (Column::ParentId, Check::NestedSet),
        (Column::ChildCount, Check::ChildCount),
        (Column::StartTimeRounded(15), Check::RoundedTimes),
        (Column::StartTimeRounded(60), Check::RoundedTimes),
        (Column::StartTimeRounded(300), Check::RoundedTimes),
        (Column::StartTimeRounded(3600), Check::RoundedTimes),
    ] {
        for more in [-1, 1] {
            let changed = broken(|forge| forge.ints(column).add(1, more));
            assert_eq!(changed, [check], "{column:?}");
        }
    }
}

#[test]
fn attribute_values() {
    // A list of two that is said to be none.
    let single = broken(|forge| forge.bools(of_span(AttributeLeaf::IsArray)).fill(false));
    assert_eq!(single, [Check::AttributeValues]);
    let arrays = broken(|forge| forge.bools(of_span(AttributeLeaf::IsArray)).fill(true));
    assert!(arrays.contains(&Check::AttributeValues));
    let no_json = broken(|forge| {
        forge.texts(of_span(AttributeLeaf::Unsupported))[0] = "{".into();
    });
    assert_eq!(no_json, [Check::AttributeValues]);
    // Two types at once: the first attribute gets a number beside its text.
    let two = broken(|forge| {
        let at = {
            let page = forge.page(of_span(AttributeLeaf::String));
            page.def.iter().position(|def| *def == 5).unwrap()
        };
        let page = forge.page(of_span(AttributeLeaf::Double));
        let before = page.def[..at].iter().filter(|def| **def == 5).count();
        page.def[at] = 5;
        match &mut page.values {
            crate::parquet::Values::F64(values) => values.insert(before, 1.0),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(two, [Check::AttributeValues]);
}

#[test]
fn attribute_order() {
    let key = Column::Attribute(AttributeOwner::Resource, AttributeLeaf::Key);
    let swapped = broken(|forge| forge.texts(key).swap(0, 1));
    assert_eq!(swapped, [Check::AttributeOrder]);
}

#[test]
fn dedicated_columns() {
    let key = of_span(AttributeLeaf::Key);
    let rename = |from: &'static str, to: &'static str| {
        broken(|forge| {
            let texts = forge.texts(key);
            let at = texts.iter().position(|text| text.data() == from.as_bytes());
            texts[at.unwrap()] = to.into();
        })
    };
    assert_eq!(rename("text", "url.path"), [Check::DedicatedColumns]);
    assert_eq!(rename("list", "url.path"), [Check::DedicatedColumns]);
    // Of another type than the column.
    assert_eq!(rename("double", "url.path"), []);
    let service = broken(|forge| {
        let key = Column::Attribute(AttributeOwner::Resource, AttributeLeaf::Key);
        let texts = forge.texts(key);
        let at = texts.iter().position(|text| text.data() == b"zone");
        texts[at.unwrap()] = "service.name".into();
    });
    assert_eq!(service, [Check::DedicatedColumns]);
}
