//! Spans as plain structs, and the batch that holds them.

use std::collections::HashMap;

use vivace_model::{
    EventRow, LinkRow, Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId,
    Value as Stored,
};

/// A stored attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Of values that are scalars of one type.
    Array(Vec<Value>),
    Hidden(Hidden),
}

/// What queries can't see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hidden {
    Bytes,
    MixedArray,
    Map,
}

/// Keys are distinct.
pub type Attributes = Vec<(String, Value)>;

#[derive(Clone, Debug)]
pub struct Event {
    /// After the start of the span, in nanoseconds.
    pub offset: u64,
    pub name: String,
    pub attributes: Attributes,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub trace_id: [u8; 16],
    pub span_id: u64,
    pub attributes: Attributes,
}

#[derive(Clone, Debug)]
pub struct Span {
    pub id: u64,
    pub parent: Option<u64>,
    pub name: String,
    pub kind: i32,
    pub status: i32,
    pub message: String,
    pub start: u64,
    pub duration: u64,
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    /// Numbers of them.
    pub resource: usize,
    pub scope: usize,
}

#[derive(Clone, Debug)]
pub struct Scope {
    pub name: String,
    pub version: String,
    pub attributes: Attributes,
}

/// No two spans of a trace have the same id and kind.
#[derive(Clone, Debug)]
pub struct Trace {
    pub id: [u8; 16],
    pub spans: Vec<Span>,
}

#[derive(Clone, Debug)]
pub struct Data {
    pub resources: Vec<Attributes>,
    pub scopes: Vec<Scope>,
    pub traces: Vec<Trace>,
}

pub fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value)
}

fn stored(builder: &mut SpanBatchBuilder, value: &Value) -> Stored {
    match value {
        Value::Text(text) => Stored::string(builder.intern(text)),
        Value::Int(value) => Stored::int(*value),
        Value::Float(value) => Stored::double(*value),
        Value::Bool(value) => Stored::bool(*value),
        Value::Array(elements) => {
            let mark = builder.begin_list();
            for element in elements {
                let element = stored(builder, element);
                builder.element(StringId(0), element);
            }
            builder.end_array(mark).unwrap()
        }
        Value::Hidden(Hidden::Bytes) => builder.bytes(b"ab"),
        Value::Hidden(Hidden::MixedArray) => {
            let mark = builder.begin_list();
            let text = Stored::string(builder.intern("a"));
            builder.element(StringId(0), text);
            builder.element(StringId(0), Stored::int(1));
            builder.end_array(mark).unwrap()
        }
        Value::Hidden(Hidden::Map) => {
            let mark = builder.begin_list();
            let key = builder.intern("k");
            builder.element(key, Stored::int(1));
            builder.end_kvlist(mark).unwrap()
        }
    }
}

fn put(builder: &mut SpanBatchBuilder, owner: Owner, attributes: &Attributes) {
    for (key, value) in attributes {
        let key = builder.intern(key);
        let value = stored(builder, value);
        builder.attribute(owner, key, value);
    }
}

impl Data {
    pub fn batch(&self) -> SpanBatch {
        let mut builder = SpanBatchBuilder::new();
        let b = &mut builder;
        // Only those of spans.
        let spans = || self.traces.iter().flat_map(|trace| &trace.spans);
        let (mut resources, mut scopes) = (HashMap::new(), HashMap::new());
        for number in spans().map(|span| span.resource) {
            resources.entry(number).or_insert_with(|| {
                put(b, Owner::Resource, &self.resources[number]);
                b.resource(0, StringId(0), &[]).unwrap()
            });
        }
        for number in spans().map(|span| span.scope) {
            scopes.entry(number).or_insert_with(|| {
                let scope = &self.scopes[number];
                put(b, Owner::Scope, &scope.attributes);
                let (name, version) = (b.intern(&scope.name), b.intern(&scope.version));
                b.scope(name, version, 0, StringId(0)).unwrap()
            });
        }
        for trace in &self.traces {
            for span in &trace.spans {
                put(b, Owner::Span, &span.attributes);
                for event in &span.events {
                    put(b, Owner::Event, &event.attributes);
                    let name = b.intern(&event.name);
                    b.event(EventRow {
                        time_unix_nano: span.start + event.offset,
                        name,
                        dropped_attributes_count: 0,
                    });
                }
                for link in &span.links {
                    put(b, Owner::Link, &link.attributes);
                    b.link(LinkRow {
                        trace_id: &link.trace_id,
                        span_id: &link.span_id.to_be_bytes(),
                        trace_state: StringId(0),
                        flags: 0,
                        dropped_attributes_count: 0,
                    });
                }
                let row = SpanRow {
                    trace_id: TraceId(trace.id),
                    span_id: SpanId(span.id.to_be_bytes()),
                    parent_span_id: span.parent.map(|id| SpanId(id.to_be_bytes())),
                    name: b.intern(&span.name),
                    kind: span.kind,
                    start_unix_nano: span.start,
                    end_unix_nano: span.start + span.duration,
                    status_code: span.status,
                    status_message: b.intern(&span.message),
                    trace_state: StringId(0),
                    flags: 0,
                    dropped_attributes_count: 0,
                    dropped_events_count: 0,
                    dropped_links_count: 0,
                    resource: resources[&span.resource],
                    scope: scopes[&span.scope],
                };
                b.end_span(row).unwrap();
            }
        }
        builder.finish().unwrap()
    }
}
