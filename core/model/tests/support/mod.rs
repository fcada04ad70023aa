//! A naive model of spans: plain structs, how they are put into a builder and read back, and how they are drawn.
#![allow(dead_code, reason = "each test file uses a part")]

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use vivace_model::{
    AttributesView, EventRow, LinkRow, Owner, SpanBatchBuilder, SpanId, SpanRow, SpanView, TraceId,
    Value, ValueView, View,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Any {
    Empty,
    String(String),
    Bool(bool),
    Int(i64),
    /// By bits, so that NaN equals itself.
    Double(u64),
    Bytes(Vec<u8>),
    Array(Vec<Any>),
    KvList(Attributes),
}

pub type Attributes = Vec<(String, Any)>;

#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub attributes: Attributes,
    pub dropped: u32,
    pub schema_url: String,
    pub entity_refs: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    pub name: String,
    pub version: String,
    pub attributes: Attributes,
    pub dropped: u32,
    pub schema_url: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub time: u64,
    pub name: String,
    pub attributes: Attributes,
    pub dropped: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub trace_id: Vec<u8>,
    pub span_id: Vec<u8>,
    pub trace_state: String,
    pub attributes: Attributes,
    pub dropped: u32,
    pub flags: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    pub name: String,
    pub kind: i32,
    pub start: u64,
    pub end: u64,
    pub status: (i32, String),
    pub trace_state: String,
    pub flags: u32,
    pub dropped: [u32; 3],
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    pub resource: Resource,
    pub scope: Scope,
}

fn put_value(builder: &mut SpanBatchBuilder, value: &Any) -> Value {
    match value {
        Any::Empty => Value::EMPTY,
        Any::String(text) => Value::string(builder.intern(text)),
        Any::Bool(value) => Value::bool(*value),
        Any::Int(value) => Value::int(*value),
        Any::Double(bits) => Value::double(f64::from_bits(*bits)),
        Any::Bytes(bytes) => builder.bytes(bytes),
        Any::Array(values) => {
            let mark = builder.begin_list();
            for value in values {
                let value = put_value(builder, value);
                let key = builder.intern("");
                builder.element(key, value);
            }
            builder.end_array(mark).unwrap()
        }
        Any::KvList(pairs) => {
            let mark = builder.begin_list();
            for (key, value) in pairs {
                let value = put_value(builder, value);
                let key = builder.intern(key);
                builder.element(key, value);
            }
            builder.end_kvlist(mark).unwrap()
        }
    }
}

fn put_attributes(builder: &mut SpanBatchBuilder, owner: Owner, attributes: &Attributes) {
    for (key, value) in attributes {
        let key = builder.intern(key);
        let value = put_value(builder, value);
        builder.attribute(owner, key, value);
    }
}

/// Adds everything of a span but its end.
pub fn put_parts(builder: &mut SpanBatchBuilder, span: &Span) -> SpanRow {
    put_attributes(builder, Owner::Resource, &span.resource.attributes);
    let schema_url = builder.intern(&span.resource.schema_url);
    let resource = builder
        .resource(
            span.resource.dropped,
            schema_url,
            &span.resource.entity_refs,
        )
        .unwrap();
    put_attributes(builder, Owner::Scope, &span.scope.attributes);
    let (name, version) = (
        builder.intern(&span.scope.name),
        builder.intern(&span.scope.version),
    );
    let schema_url = builder.intern(&span.scope.schema_url);
    let scope = builder
        .scope(name, version, span.scope.dropped, schema_url)
        .unwrap();
    put_attributes(builder, Owner::Span, &span.attributes);
    for event in &span.events {
        put_attributes(builder, Owner::Event, &event.attributes);
        let name = builder.intern(&event.name);
        builder.event(EventRow {
            time_unix_nano: event.time,
            name,
            dropped_attributes_count: event.dropped,
        });
    }
    for link in &span.links {
        put_attributes(builder, Owner::Link, &link.attributes);
        let trace_state = builder.intern(&link.trace_state);
        builder.link(LinkRow {
            trace_id: &link.trace_id,
            span_id: &link.span_id,
            trace_state,
            flags: link.flags,
            dropped_attributes_count: link.dropped,
        });
    }
    let [
        dropped_attributes_count,
        dropped_events_count,
        dropped_links_count,
    ] = span.dropped;
    SpanRow {
        trace_id: TraceId(span.trace_id),
        span_id: SpanId(span.span_id),
        parent_span_id: span.parent.map(SpanId),
        name: builder.intern(&span.name),
        kind: span.kind,
        start_unix_nano: span.start,
        end_unix_nano: span.end,
        status_code: span.status.0,
        status_message: builder.intern(&span.status.1),
        trace_state: builder.intern(&span.trace_state),
        flags: span.flags,
        dropped_attributes_count,
        dropped_events_count,
        dropped_links_count,
        resource,
        scope,
    }
}

pub fn put(builder: &mut SpanBatchBuilder, span: &Span) {
    let row = put_parts(builder, span);
    builder.end_span(row).unwrap();
}

fn take_value(value: ValueView<'_>) -> Any {
    match value {
        ValueView::Empty => Any::Empty,
        ValueView::String(text) => Any::String(text.to_owned()),
        ValueView::Bool(value) => Any::Bool(value),
        ValueView::Int(value) => Any::Int(value),
        ValueView::Double(value) => Any::Double(value.to_bits()),
        ValueView::Bytes(bytes) => Any::Bytes(bytes.to_vec()),
        ValueView::Array(values) => Any::Array(values.map(take_value).collect()),
        ValueView::KvList(pairs) => Any::KvList(take_attributes(pairs)),
    }
}

fn take_attributes(attributes: AttributesView<'_>) -> Attributes {
    attributes
        .map(|(key, value)| (key.to_owned(), take_value(value)))
        .collect()
}

pub fn take(span: &SpanView<'_>) -> Span {
    let (resource, scope) = (span.resource(), span.scope());
    Span {
        trace_id: span.trace_id().0,
        span_id: span.span_id().0,
        parent: span.parent_span_id().map(|id| id.0),
        name: span.name().to_owned(),
        kind: span.kind(),
        start: span.start_unix_nano(),
        end: span.end_unix_nano(),
        status: (span.status_code(), span.status_message().to_owned()),
        trace_state: span.trace_state().to_owned(),
        flags: span.flags(),
        dropped: [
            span.dropped_attributes_count(),
            span.dropped_events_count(),
            span.dropped_links_count(),
        ],
        attributes: take_attributes(span.attributes()),
        events: span
            .events()
            .map(|event| Event {
                time: event.time_unix_nano(),
                name: event.name().to_owned(),
                attributes: take_attributes(event.attributes()),
                dropped: event.dropped_attributes_count(),
            })
            .collect(),
        links: span
            .links()
            .map(|link| Link {
                trace_id: link.trace_id().to_vec(),
                span_id: link.span_id().to_vec(),
                trace_state: link.trace_state().to_owned(),
                attributes: take_attributes(link.attributes()),
                dropped: link.dropped_attributes_count(),
                flags: link.flags(),
            })
            .collect(),
        resource: Resource {
            attributes: take_attributes(resource.attributes()),
            dropped: resource.dropped_attributes_count(),
            schema_url: resource.schema_url().to_owned(),
            entity_refs: resource.entity_refs().to_vec(),
        },
        scope: Scope {
            name: scope.name().to_owned(),
            version: scope.version().to_owned(),
            attributes: take_attributes(scope.attributes()),
            dropped: scope.dropped_attributes_count(),
            schema_url: scope.schema_url().to_owned(),
        },
    }
}

pub fn take_all(view: &View<'_>) -> Vec<Span> {
    view.spans().map(|span| take(&span)).collect()
}

pub fn take_range(view: &View<'_>, rows: Range<usize>) -> Vec<Span> {
    rows.map(|row| take(&view.span(row))).collect()
}

/// Texts from a small set, so that many are equal, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "a", "b", "service.name", "€uro"]).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
    ]
}

pub fn any_value() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        1 => Just(Any::Empty),
        4 => text().prop_map(Any::String),
        1 => any::<bool>().prop_map(Any::Bool),
        2 => any::<i64>().prop_map(Any::Int),
        1 => any::<u64>().prop_map(Any::Double),
        1 => vec(any::<u8>(), 0..9).prop_map(Any::Bytes),
    ];
    leaf.prop_recursive(5, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Any::Array),
            vec((text(), inner), 0..4).prop_map(Any::KvList),
        ]
    })
}

fn attributes(most: usize) -> impl Strategy<Value = Attributes> {
    vec((text(), any_value()), 0..=most)
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 1 => any::<u32>()]
}

fn resource() -> impl Strategy<Value = Resource> {
    (attributes(3), count(), text(), vec(any::<u8>(), 0..4)).prop_map(
        |(attributes, dropped, schema_url, entity_refs)| Resource {
            attributes,
            dropped,
            schema_url,
            entity_refs,
        },
    )
}

fn scope() -> impl Strategy<Value = Scope> {
    (text(), text(), attributes(2), count(), text()).prop_map(
        |(name, version, attributes, dropped, schema_url)| Scope {
            name,
            version,
            attributes,
            dropped,
            schema_url,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(2), count()).prop_map(|(time, name, attributes, dropped)| {
        Event {
            time,
            name,
            attributes,
            dropped,
        }
    })
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10));
    (ids, text(), attributes(2), count(), count()).prop_map(
        |((trace_id, span_id), trace_state, attributes, dropped, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped,
            flags,
        },
    )
}

/// Few trace ids and starts, so that runs and ties appear.
pub fn span() -> impl Strategy<Value = Span> {
    let ids = (
        0..4u8,
        any::<[u8; 8]>(),
        prop::option::of(prop::array::uniform8(1..255u8)),
    );
    let times = (0..4u64, any::<u64>());
    let texts = (text(), count().prop_map(u32::cast_signed), text(), text());
    let counts = (any::<i32>(), count(), prop::array::uniform3(count()));
    let parts = (attributes(4), vec(event(), 0..3), vec(link(), 0..3));
    (ids, times, texts, counts, parts, (resource(), scope())).prop_map(
        |(ids, times, texts, counts, parts, (resource, scope))| Span {
            trace_id: [ids.0; 16],
            span_id: ids.1,
            parent: ids.2,
            name: texts.0,
            kind: counts.0,
            start: times.0,
            end: times.1,
            status: (texts.1, texts.2),
            trace_state: texts.3,
            flags: counts.1,
            dropped: counts.2,
            attributes: parts.0,
            events: parts.1,
            links: parts.2,
            resource,
            scope,
        },
    )
}

/// Spans, some of which share resource and scope.
pub fn spans(most: usize) -> impl Strategy<Value = Vec<Span>> {
    (vec(span(), 1..=most), vec(any::<bool>(), most)).prop_map(|(mut spans, shared)| {
        let (resource, scope) = (spans[0].resource.clone(), spans[0].scope.clone());
        for (span, shared) in spans.iter_mut().zip(shared) {
            if shared {
                span.resource = resource.clone();
                span.scope = scope.clone();
            }
        }
        spans
    })
}

pub fn sorted(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.trace_id, span.start));
    spans
}

/// A budget for the tests that mutate bytes.
pub fn iterations(default: u32) -> u32 {
    std::env::var("VIVACE_FUZZ_ITERATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
