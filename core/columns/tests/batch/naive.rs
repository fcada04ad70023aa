//! What columns, tables and statistics must be, row by row.

use std::collections::{BTreeMap, BTreeSet};

use vivace_columns::{BatchChunk, Chunk, Column, Level, ServiceStats};
use vivace_model::{AttributesView, SpanBatch, ValueView, View};
use vivace_traceql::Intrinsic;

use crate::common::{Val, decode, finish, intrinsics, load, val};
use crate::support::{self, Any, Span};
use crate::tree::{Nested, distinct, is_root, nested_sets, parent};

pub const LEVELS: [Level; 5] = [
    Level::Resource,
    Level::Scope,
    Level::Span,
    Level::Event,
    Level::Link,
];

fn value(value: ValueView<'_>) -> Option<Val> {
    Some(match value {
        ValueView::String(text) => Val::Text(text.to_owned()),
        ValueView::Bool(value) => Val::Bool(value),
        ValueView::Int(value) => Val::Int(value),
        ValueView::Double(value) => Val::Float(value.to_bits()),
        ValueView::Array(list) => {
            let all: Option<Vec<_>> = list
                .map(|element| match element {
                    ValueView::Array(_) => None,
                    other => self::value(other),
                })
                .collect();
            let all = all?;
            let kind = |one: &Val| std::mem::discriminant(one);
            if all.windows(2).any(|two| kind(&two[0]) != kind(&two[1])) {
                return None;
            }
            Val::Array(all)
        }
        ValueView::Empty | ValueView::Bytes(_) | ValueView::KvList(_) => return None,
    })
}

/// The attributes of each owner of a level.
pub fn attributes<'v>(view: &'v View<'v>, level: Level) -> Vec<AttributesView<'v>> {
    match level {
        Level::Trace => Vec::new(),
        Level::Resource => (0..view.resource_count())
            .map(|index| view.resource(index).attributes())
            .collect(),
        Level::Scope => (0..view.scope_count())
            .map(|index| view.scope(index).attributes())
            .collect(),
        Level::Span => view.spans().map(|span| span.attributes()).collect(),
        Level::Event => view
            .spans()
            .flat_map(|span| span.events())
            .map(|event| event.attributes())
            .collect(),
        Level::Link => view
            .spans()
            .flat_map(|span| span.links())
            .map(|link| link.attributes())
            .collect(),
    }
}

fn attribute(view: &View<'_>, level: Level, key: &str) -> Vec<Option<Val>> {
    let all = attributes(view, level).into_iter();
    let values = all.map(|attributes| attributes.get(key).and_then(value));
    if (level, key) == (Level::Resource, "service.name") {
        return values
            .map(|value| value.or(Some(Val::Text(String::new()))))
            .collect();
    }
    values.collect()
}

fn hex(id: &[u8]) -> String {
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.trim_start_matches('0').to_owned()
}

fn number(id: &[u8]) -> u64 {
    let id = &id[id.len().saturating_sub(8)..];
    id.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

fn code(code: i32, most: i32) -> u64 {
    if (0..=most).contains(&code) {
        code as u64
    } else {
        0
    }
}

/// A trace as a block would have it: its spans once, in the order of starts; numbers by id and kind.
pub struct Trace {
    pub spans: Vec<Span>,
    pub nested: BTreeMap<([u8; 8], i32), Nested>,
}

impl Trace {
    pub fn all(view: &View<'_>) -> Vec<Self> {
        let of = |(_, rows)| {
            let spans = distinct(support::take_range(view, rows));
            let in_order: Vec<&Span> = spans.iter().collect();
            let ids = in_order.iter().map(|span| (span.span_id, span.kind));
            let nested = ids.zip(nested_sets(&in_order)).collect();
            Self { spans, nested }
        };
        view.trace_runs().map(of).collect()
    }

    fn start(&self) -> u64 {
        let starts = self.spans.iter().map(|span| span.start);
        starts.filter(|start| *start != 0).min().unwrap_or(0)
    }

    fn end(&self) -> u64 {
        self.spans.iter().map(|span| span.end).max().unwrap()
    }

    fn root(&self) -> (String, String) {
        let Some(root) = self.spans.iter().find(|span| is_root(span)) else {
            return Default::default();
        };
        let attributes = &root.resource.attributes;
        let first = attributes.iter().find(|(key, _)| key == "service.name");
        let service = match first {
            Some((_, Any::String(service))) => service.clone(),
            _ => String::new(),
        };
        (root.name.clone(), service)
    }

    fn stats(&self) -> Vec<ServiceStats> {
        let mut stats: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for span in &self.spans {
            let mut names = span.resource.attributes.iter().rev();
            let name = names.find_map(|(key, value)| match value {
                Any::String(name) if key == "service.name" => Some(name.clone()),
                _ => None,
            });
            let sums = stats.entry(name.unwrap_or_default()).or_default();
            sums.0 += 1;
            sums.1 += u32::from(span.status.0 == 2);
        }
        let one = |(service, (spans, errors)): (String, _)| ServiceStats {
            service: service.into(),
            spans,
            errors,
        };
        stats.into_iter().map(one).collect()
    }
}

fn intrinsic(view: &View<'_>, traces: &[Trace], column: &Column) -> Vec<Option<Val>> {
    use Intrinsic::*;
    let spans = || support::take_all(view);
    let of_spans = |of: fn(&Span) -> Val| spans().iter().map(|span| Some(of(span))).collect();
    let of_traces = |of: fn(&Trace) -> Val| traces.iter().map(|trace| Some(of(trace))).collect();
    let nested = |of: fn(&Nested) -> i32| {
        let pairs = traces.iter().zip(view.trace_runs());
        pairs
            .flat_map(|(trace, (_, rows))| {
                let spans = support::take_range(view, rows).into_iter();
                spans.map(|span| of(&trace.nested[&(span.span_id, span.kind)]))
            })
            .map(|number| Some(Val::Int(number.into())))
            .collect()
    };
    let text = |text: &str| Some(Val::Text(text.to_owned()));
    let scopes = 0..view.scope_count();
    let events = || spans().into_iter().flat_map(|span| span.events);
    let links = || spans().into_iter().flat_map(|span| span.links);
    let intrinsic = match column {
        Column::Attribute(level, key) => return attribute(view, *level, key),
        Column::SpanStart => return of_spans(|span| Val::Int(span.start.cast_signed())),
        Column::TraceState => return of_spans(|span| Val::Text(span.trace_state.clone())),
        Column::TraceStart => return of_traces(|trace| Val::Int(trace.start().cast_signed())),
        Column::TraceEnd => return of_traces(|trace| Val::Int(trace.end().cast_signed())),
        Column::Intrinsic(intrinsic) => intrinsic,
    };
    match intrinsic {
        Duration => of_spans(|span| Val::Duration(span.end.wrapping_sub(span.start).cast_signed())),
        Name => of_spans(|span| Val::Text(span.name.clone())),
        Status => of_spans(|span| Val::Status(code(span.status.0, 2))),
        StatusMessage => of_spans(|span| Val::Text(span.status.1.clone())),
        Kind => of_spans(|span| Val::Kind(code(span.kind, 5))),
        SpanId => of_spans(|span| Val::SpanId(u64::from_be_bytes(span.span_id))),
        ParentId => of_spans(|span| Val::SpanId(parent(span).map_or(0, u64::from_be_bytes))),
        ChildCount => nested(|nested| nested.children),
        Parent => vec![None; view.span_count()],
        TraceId => of_traces(|trace| Val::Text(hex(&trace.spans[0].trace_id))),
        TraceDuration => {
            of_traces(|trace| Val::Duration(trace.end().wrapping_sub(trace.start()).cast_signed()))
        }
        TraceRootName => of_traces(|trace| Val::Text(trace.root().0)),
        TraceRootService => of_traces(|trace| Val::Text(trace.root().1)),
        EventName => events().map(|event| text(&event.name)).collect(),
        EventTimeSinceStart => spans()
            .iter()
            .flat_map(|span| {
                let since = |time: u64| time.wrapping_sub(span.start).cast_signed();
                let events = span.events.iter();
                events.map(move |event| Some(Val::Duration(since(event.time))))
            })
            .collect(),
        LinkTraceId => links().map(|link| text(&hex(&link.trace_id))).collect(),
        LinkSpanId => links()
            .map(|link| Some(Val::SpanId(number(&link.span_id))))
            .collect(),
        InstrumentationName => scopes.map(|scope| text(view.scope(scope).name())).collect(),
        InstrumentationVersion => scopes
            .map(|scope| text(view.scope(scope).version()))
            .collect(),
        NestedSetLeft => nested(|nested| nested.left),
        NestedSetRight => nested(|nested| nested.right),
        NestedSetParent => nested(|nested| nested.parent),
    }
}

/// Keys of a level.
fn keys(view: &View<'_>, level: Level) -> BTreeSet<String> {
    let all = attributes(view, level).into_iter().flatten();
    all.map(|(key, _)| key.to_owned()).collect()
}

/// Compares everything that a chunk has.
pub fn check(batch: &SpanBatch) {
    let view = batch.view();
    let mut chunk = BatchChunk::new(batch, async || {});
    check_shape(&mut chunk, &view);
    let traces = Trace::all(&view);
    for column in intrinsics() {
        let found = load(&mut chunk, &column);
        assert_eq!(found, intrinsic(&view, &traces, &column), "{column:?}");
        assert!(finish(chunk.strings_of(&column)).unwrap().is_none());
    }
    let mut all_keys: BTreeSet<String> = ["service.name", "a", "no such key"]
        .map(str::to_owned)
        .into();
    for level in LEVELS {
        let expected = keys(&view, level);
        let found = finish(chunk.keys(level)).unwrap();
        let texts: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(found.iter().map(|key| &**key).collect::<Vec<_>>(), texts);
        assert!(chunk.named(level).is_empty());
        all_keys.extend(expected);
        check_table(&mut chunk, &view, level);
    }
    for level in LEVELS {
        for key in &all_keys {
            let column = Column::Attribute(level, key.as_str().into());
            let found = load(&mut chunk, &column);
            assert_eq!(found, attribute(&view, level, key), "{column:?}");
            let strings = finish(chunk.strings_of(&column)).unwrap();
            if strings.is_some_and(|strings| strings.is_empty()) {
                let is_text = |value: &Val| match value {
                    Val::Text(_) => true,
                    Val::Array(all) => all.iter().any(|one| matches!(one, Val::Text(_))),
                    _ => false,
                };
                assert!(!found.iter().flatten().any(is_text), "{column:?}");
            }
        }
    }
    for (number, trace) in traces.iter().enumerate() {
        let stats = finish(chunk.service_stats(number as u32)).unwrap();
        assert_eq!(stats, trace.stats());
    }
    assert_eq!(chunk.bytes_read(), batch.as_bytes().len() as u64);
}

fn check_shape<P: AsyncFn()>(chunk: &mut BatchChunk<P>, view: &View<'_>) {
    let shape = chunk.shape();
    assert_eq!(shape.traces() as usize, view.trace_count());
    assert_eq!(shape.spans() as usize, view.span_count());
    assert_eq!(shape.resources as usize, view.resource_count());
    assert_eq!(shape.scopes as usize, view.scope_count());
    for (trace, (_, rows)) in view.trace_runs().enumerate() {
        let expected = rows.start as u32..rows.end as u32;
        assert_eq!(shape.spans_of(trace as u32), expected);
    }
    for (row, span) in view.spans().enumerate() {
        assert_eq!(shape.resource_of_span[row] as usize, span.resource_index());
        assert_eq!(shape.scope_of_span[row] as usize, span.scope_index());
    }
    assert!(chunk.events().is_none() && chunk.links().is_none() && chunk.trace_ids().is_none());
    finish(chunk.load_events()).unwrap();
    finish(chunk.load_links()).unwrap();
    finish(chunk.load_trace_ids()).unwrap();
    let (events, links) = (chunk.events().unwrap(), chunk.links().unwrap());
    let (mut event, mut link) = (0, 0);
    for (row, span) in view.spans().enumerate() {
        let (next_event, next_link) = (
            event + span.events().len() as u32,
            link + span.links().len() as u32,
        );
        assert_eq!(events.of_span(row as u32), event..next_event);
        assert_eq!(links.of_span(row as u32), link..next_link);
        (event, link) = (next_event, next_link);
    }
    assert_eq!((events.count(), links.count()), (event, link));
    let ids: Vec<_> = view.trace_runs().map(|run| run.0).collect();
    assert_eq!(chunk.trace_ids().unwrap(), ids);
}

fn check_table<P: AsyncFn()>(chunk: &mut BatchChunk<P>, view: &View<'_>, level: Level) {
    assert!(chunk.table(level).is_none());
    finish(chunk.load_table(level)).unwrap();
    let table = chunk.table(level).unwrap();
    assert_eq!(table.level, level);
    let count = table.owners.len();
    assert_eq!((table.keys.len(), table.kinds.len()), (count, count));
    assert_eq!(table.bits.len(), count);
    let found = (0..count).map(|at| {
        let key = table.key_strings.get(table.keys[at].into());
        let key = String::from_utf8(key.to_vec()).unwrap();
        let (kind, bits) = (table.kinds[at], table.bits[at]);
        let value = val(kind, bits, &table.elements, &table.strings);
        (table.owners[at], key, value.expect("no value"))
    });
    let found: Vec<_> = found.collect();
    let mut expected = Vec::new();
    for (owner, attributes) in attributes(view, level).into_iter().enumerate() {
        for (key, value) in attributes {
            if let Some(value) = self::value(value) {
                expected.push((owner as u32, key.to_owned(), value));
            }
        }
    }
    assert_eq!(found, expected);
}

/// Columns loaded together, for some traces only, are right for those, and stay.
pub fn check_some(batch: &SpanBatch, keep: &vivace_columns::Bitmap) {
    let view = batch.view();
    let mut chunk = BatchChunk::new(batch, async || {});
    let columns = intrinsics();
    finish(chunk.load(&columns, Some(keep))).unwrap();
    let memory = chunk.memory_bytes();
    finish(chunk.load(&columns, Some(keep))).unwrap();
    assert_eq!(chunk.memory_bytes(), memory);
    let traces = Trace::all(&view);
    for column in &columns {
        let found = decode(chunk.cells(column).unwrap());
        let expected = intrinsic(&view, &traces, column);
        for trace in keep.iter() {
            let owners = match column.level() {
                Level::Trace => trace..trace + 1,
                Level::Span => chunk.shape().spans_of(trace),
                _ => 0..found.len() as u32,
            };
            let owners = owners.start as usize..owners.end as usize;
            assert_eq!(found[owners.clone()], expected[owners], "{column:?}");
        }
    }
}
