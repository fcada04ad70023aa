//! Rows of a batch as protobuf structs.

use prost::Message as _;
use vivace_model::{
    AttributesView, EventView, LinkView, ResourceView, ScopeView, SpanView, TraceId, ValueView,
};

use crate::tempopb::*;

pub(super) fn span(trace_id: TraceId, view: &SpanView) -> Span {
    Span {
        trace_id: trace_id.0.to_vec(),
        span_id: view.span_id().0.to_vec(),
        trace_state: view.trace_state().to_owned(),
        parent_span_id: view
            .parent_span_id()
            .map(|id| id.0.to_vec())
            .unwrap_or_default(),
        flags: view.flags(),
        name: view.name().to_owned(),
        kind: view.kind(),
        start_time_unix_nano: view.start_unix_nano(),
        end_time_unix_nano: view.end_unix_nano(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        events: view.events().map(|view| event(&view)).collect(),
        dropped_events_count: view.dropped_events_count(),
        links: view.links().map(|view| link(&view)).collect(),
        dropped_links_count: view.dropped_links_count(),
        // Always there: clients find `"status":{}` on every span.
        status: Some(Status {
            message: view.status_message().to_owned(),
            code: view.status_code(),
        }),
    }
}

fn event(view: &EventView) -> Event {
    Event {
        time_unix_nano: view.time_unix_nano(),
        name: view.name().to_owned(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    }
}

fn link(view: &LinkView) -> Link {
    Link {
        trace_id: view.trace_id().to_vec(),
        span_id: view.span_id().to_vec(),
        trace_state: view.trace_state().to_owned(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        flags: view.flags(),
    }
}

pub(super) fn resource(view: &ResourceView) -> Resource {
    let mut resource = Resource {
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        ..Default::default()
    };
    // The batch keeps these fields as they were sent. Who took them in has parsed them, so this cannot
    // fail; if it did, the entities would be missing and the rest right.
    let _ = resource.merge(view.entity_refs());
    resource
}

pub(super) fn scope(view: &ScopeView) -> InstrumentationScope {
    InstrumentationScope {
        name: view.name().to_owned(),
        version: view.version().to_owned(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    }
}

fn attributes(view: AttributesView) -> Vec<KeyValue> {
    view.map(|(key, view)| KeyValue {
        key: key.to_owned(),
        value: Some(value(view)),
    })
    .collect()
}

/// Recurses as deep as the value, which the batch bounds.
fn value(view: ValueView) -> AnyValue {
    let value = match view {
        ValueView::Empty => None,
        ValueView::String(v) => Some(Value::String(v.to_owned())),
        ValueView::Bool(v) => Some(Value::Bool(v)),
        ValueView::Int(v) => Some(Value::Int(v)),
        ValueView::Double(v) => Some(Value::Double(v)),
        ValueView::Bytes(v) => Some(Value::Bytes(v.to_vec())),
        ValueView::Array(v) => Some(Value::Array(ArrayValue {
            values: v.map(value).collect(),
        })),
        ValueView::KvList(v) => Some(Value::KvList(KeyValueList {
            values: attributes(v),
        })),
    };
    AnyValue { value }
}
