//! What columns should say: each span as a text, by a walk over assembled traces and by a chunk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vivace_columns::{Cells, Chunk, Column, Level, ValueAt, kind, status};
use vivace_model::{AttributesView, SpanBatch, SpanView, TraceId, ValueView};
use vivace_traceql::{Intrinsic, Static};

pub type Keys = BTreeSet<(Level, String)>;
/// The spans of each trace, sorted.
pub type Texts = BTreeMap<TraceId, Vec<String>>;

pub const OF_SPANS: [Column; 12] = [
    Column::Intrinsic(Intrinsic::TraceId),
    Column::Intrinsic(Intrinsic::InstrumentationName),
    Column::Intrinsic(Intrinsic::InstrumentationVersion),
    Column::Intrinsic(Intrinsic::Name),
    Column::Intrinsic(Intrinsic::Duration),
    Column::Intrinsic(Intrinsic::Status),
    Column::Intrinsic(Intrinsic::StatusMessage),
    Column::Intrinsic(Intrinsic::Kind),
    Column::Intrinsic(Intrinsic::SpanId),
    Column::Intrinsic(Intrinsic::ParentId),
    Column::SpanStart,
    Column::TraceState,
];
pub const OF_EVENTS: [Column; 2] = [
    Column::Intrinsic(Intrinsic::EventName),
    Column::Intrinsic(Intrinsic::EventTimeSinceStart),
];
pub const OF_LINKS: [Column; 2] = [
    Column::Intrinsic(Intrinsic::LinkTraceId),
    Column::Intrinsic(Intrinsic::LinkSpanId),
];

fn value(view: Option<ValueView<'_>>) -> Static {
    match view {
        Some(ValueView::String(text)) => Static::String(text.into()),
        Some(ValueView::Int(value)) => Static::Int(value),
        Some(ValueView::Double(value)) => Static::Float(value),
        Some(ValueView::Bool(value)) => Static::Bool(value),
        Some(ValueView::Array(list)) => {
            let all: Vec<Static> = list.map(|element| value(Some(element))).collect();
            array(&all)
        }
        _ => Static::Nil,
    }
}

fn array(all: &[Static]) -> Static {
    macro_rules! of {
        ($kind:ident, $array:ident) => {
            all.iter()
                .map(|value| match value {
                    Static::$kind(value) => Some(value.clone()),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(|all| Static::$array(all.into()))
        };
    }
    let strings = of!(String, StringArray);
    let numbers = || of!(Int, IntArray).or_else(|| of!(Float, FloatArray));
    let other = || numbers().or_else(|| of!(Bool, BoolArray));
    strings.or_else(other).unwrap_or(Static::Nil)
}

fn hex(bytes: &[u8]) -> Static {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Static::String(text.trim_start_matches('0').into())
}

fn span_id(bytes: &[u8]) -> Static {
    let mut id = [0; 8];
    let len = bytes.len().min(8);
    id[8 - len..].copy_from_slice(&bytes[bytes.len() - len..]);
    Static::String(format!("{:016x}", u64::from_be_bytes(id)).into())
}

fn of_span(span: &SpanView<'_>, column: &Column) -> Static {
    let string = |text: &str| Static::String(text.into());
    match column {
        Column::SpanStart => Static::Int(span.start_unix_nano().cast_signed()),
        Column::TraceState => string(span.trace_state()),
        Column::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::TraceId => hex(&span.trace_id().0),
            Intrinsic::InstrumentationName => string(span.scope().name()),
            Intrinsic::InstrumentationVersion => string(span.scope().version()),
            Intrinsic::Name => string(span.name()),
            Intrinsic::Duration => Static::Duration(span.duration_nano().cast_signed()),
            Intrinsic::Status => Static::Status(status(span.status_code() as u64)),
            Intrinsic::StatusMessage => string(span.status_message()),
            Intrinsic::Kind => Static::Kind(kind(span.kind() as u64)),
            Intrinsic::SpanId => span_id(&span.span_id().0),
            Intrinsic::ParentId => span_id(&span.parent_span_id().map_or([0; 8], |id| id.0)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Keys that occur.
pub fn keys(traces: &[SpanBatch]) -> Keys {
    let mut keys = Keys::new();
    for batch in traces {
        let view = batch.view();
        let mut add = |level, attributes: AttributesView<'_>| {
            keys.extend(attributes.map(|(key, _)| (level, key.to_owned())));
        };
        for span in view.spans() {
            add(Level::Resource, span.resource().attributes());
            add(Level::Scope, span.scope().attributes());
            add(Level::Span, span.attributes());
            span.events()
                .for_each(|event| add(Level::Event, event.attributes()));
            span.links()
                .for_each(|link| add(Level::Link, link.attributes()));
        }
    }
    keys
}

/// All columns that spans, events and links are compared by.
pub fn columns(keys: &Keys) -> Vec<Column> {
    let attributes = keys
        .iter()
        .map(|(level, key)| Column::Attribute(*level, Arc::from(&**key)));
    let intrinsics = OF_SPANS.into_iter().chain(OF_EVENTS).chain(OF_LINKS);
    intrinsics.chain(attributes).collect()
}

fn push(text: &mut String, name: &str, value: &Static) {
    if *value != Static::Nil {
        text.push_str(&format!("{name}={value:?}\n"));
    }
}

fn push_attributes(text: &mut String, keys: &Keys, level: Level, attributes: &AttributesView<'_>) {
    for (_, key) in keys.iter().filter(|(of, _)| *of == level) {
        let name = format!("{level:?} {key}");
        let found = value(attributes.get(key));
        match (found, level, key.as_str()) {
            (Static::Nil, Level::Resource, "service.name") => {
                push(text, &name, &Static::String("".into()));
            }
            (Static::Nil, ..) if attributes.get(key).is_some() => {
                text.push_str(&format!("{name} is hidden\n"));
            }
            (found, ..) => push(text, &name, &found),
        }
    }
}

pub fn of_traces(traces: &[SpanBatch], keys: &Keys) -> Texts {
    let mut texts = Texts::new();
    for batch in traces {
        for span in batch.view().spans() {
            let mut text = String::new();
            for column in &OF_SPANS {
                push(&mut text, &format!("{column:?}"), &of_span(&span, column));
            }
            push_attributes(
                &mut text,
                keys,
                Level::Resource,
                &span.resource().attributes(),
            );
            push_attributes(&mut text, keys, Level::Scope, &span.scope().attributes());
            push_attributes(&mut text, keys, Level::Span, &span.attributes());
            for event in span.events() {
                text.push_str("event\n");
                let since = event.time_unix_nano().wrapping_sub(span.start_unix_nano());
                let [name, time] = OF_EVENTS.map(|column| format!("{column:?}"));
                push(&mut text, &name, &Static::String(event.name().into()));
                push(&mut text, &time, &Static::Duration(since.cast_signed()));
                push_attributes(&mut text, keys, Level::Event, &event.attributes());
            }
            for link in span.links() {
                text.push_str("link\n");
                let [trace, id] = OF_LINKS.map(|column| format!("{column:?}"));
                push(&mut text, &trace, &hex(link.trace_id()));
                push(&mut text, &id, &span_id(link.span_id()));
                push_attributes(&mut text, keys, Level::Link, &link.attributes());
            }
            texts.entry(span.trace_id()).or_default().push(text);
        }
    }
    texts.values_mut().for_each(|texts| texts.sort());
    texts
}

pub fn at(cells: &Cells, owner: u32) -> Static {
    let (kind, bits) = cells.get(owner);
    let cells = Some(cells);
    ValueAt { kind, bits, cells }.to_static()
}

/// Everything must be loaded.
pub fn of_chunk<C: Chunk>(chunk: &C, keys: &Keys, traces: &[u32]) -> Texts {
    let mut texts = Texts::new();
    let shape = chunk.shape();
    let cells = |column: &Column| chunk.cells(column).unwrap();
    let attributes: Vec<(&(Level, String), &Cells)> = keys
        .iter()
        .map(|key| (key, cells(&Column::Attribute(key.0, Arc::from(&*key.1)))))
        .collect();
    let push_all = |text: &mut String, level, owner| {
        for ((_, key), cells) in attributes.iter().filter(|((of, _), _)| *of == level) {
            push(text, &format!("{level:?} {key}"), &at(cells, owner));
            if cells.hidden.binary_search(&owner).is_ok() {
                text.push_str(&format!("{level:?} {key} is hidden\n"));
            }
        }
    };
    for &trace in traces {
        let id = chunk.trace_ids().unwrap()[trace as usize];
        for span in shape.spans_of(trace) {
            let resource = shape.resource_of_span[span as usize];
            let scope = shape.scope_of_span[span as usize];
            let mut text = String::new();
            for column in &OF_SPANS {
                let owner = match column.level() {
                    Level::Trace => trace,
                    Level::Scope => scope,
                    _ => span,
                };
                push(&mut text, &format!("{column:?}"), &at(cells(column), owner));
            }
            push_all(&mut text, Level::Resource, resource);
            push_all(&mut text, Level::Scope, scope);
            push_all(&mut text, Level::Span, span);
            for event in chunk.events().unwrap().of_span(span) {
                text.push_str("event\n");
                for column in &OF_EVENTS {
                    push(&mut text, &format!("{column:?}"), &at(cells(column), event));
                }
                push_all(&mut text, Level::Event, event);
            }
            for link in chunk.links().unwrap().of_span(span) {
                text.push_str("link\n");
                for column in &OF_LINKS {
                    push(&mut text, &format!("{column:?}"), &at(cells(column), link));
                }
                push_all(&mut text, Level::Link, link);
            }
            texts.entry(id).or_default().push(text);
        }
    }
    texts.values_mut().for_each(|texts| texts.sort());
    texts
}

/// Fails with the first span that differs.
pub fn assert_same(name: &str, expected: &Texts, found: &Texts) {
    let ids: Vec<_> = expected.keys().collect();
    assert_eq!(ids, found.keys().collect::<Vec<_>>(), "{name}");
    for (id, expected) in expected {
        let found = &found[id];
        assert_eq!(expected.len(), found.len(), "{name}: spans of {id}");
        for (expected, found) in expected.iter().zip(found) {
            assert_eq!(expected, found, "{name}: {id}");
        }
    }
}
