//! OTLP structs as batches, for the tests of what reads batches.

use bytes::Bytes;
use vivace_model::{
    EventRow, LinkRow, Owner, ResourceId, ScopeId, SpanBatch, SpanBatchBuilder, SpanId, SpanRow,
    TraceId, Value as BatchValue,
};

use crate::tempopb::*;

/// A batch of all spans, `None` if there are none. Ids must have their right lengths.
pub fn batch(trace: &Trace) -> Option<SpanBatch> {
    let mut builder = SpanBatchBuilder::new();
    let b = &mut builder;
    for rs in &trace.resource_spans {
        let none = Resource::default();
        let resource = rs.resource.as_ref().unwrap_or(&none);
        attributes(b, Owner::Resource, &resource.attributes);
        let url = b.intern(&rs.schema_url);
        let resource = b
            .resource(resource.dropped_attributes_count, url, &[])
            .unwrap();
        for ss in &rs.scope_spans {
            let none = InstrumentationScope::default();
            let scope = ss.scope.as_ref().unwrap_or(&none);
            attributes(b, Owner::Scope, &scope.attributes);
            let (name, version) = (b.intern(&scope.name), b.intern(&scope.version));
            let url = b.intern(&ss.schema_url);
            let scope = b
                .scope(name, version, scope.dropped_attributes_count, url)
                .unwrap();
            for span in &ss.spans {
                push_span(b, span, resource, scope);
            }
        }
    }
    let batch = builder.finish()?;
    // Through the verifier, as after a log.
    Some(SpanBatch::verify(Bytes::clone(batch.as_bytes())).unwrap())
}

fn push_span(b: &mut SpanBatchBuilder, span: &Span, resource: ResourceId, scope: ScopeId) {
    attributes(b, Owner::Span, &span.attributes);
    for event in &span.events {
        attributes(b, Owner::Event, &event.attributes);
        let row = EventRow {
            time_unix_nano: event.time_unix_nano,
            name: b.intern(&event.name),
            dropped_attributes_count: event.dropped_attributes_count,
        };
        b.event(row);
    }
    for link in &span.links {
        attributes(b, Owner::Link, &link.attributes);
        let row = LinkRow {
            trace_id: &link.trace_id,
            span_id: &link.span_id,
            trace_state: b.intern(&link.trace_state),
            flags: link.flags,
            dropped_attributes_count: link.dropped_attributes_count,
        };
        b.link(row);
    }
    let none = Status::default();
    let status = span.status.as_ref().unwrap_or(&none);
    let parent = <[u8; 8]>::try_from(&*span.parent_span_id).ok();
    let row = SpanRow {
        trace_id: TraceId(span.trace_id.as_slice().try_into().unwrap()),
        span_id: SpanId(span.span_id.as_slice().try_into().unwrap()),
        parent_span_id: parent.map(SpanId),
        name: b.intern(&span.name),
        kind: span.kind,
        start_unix_nano: span.start_time_unix_nano,
        end_unix_nano: span.end_time_unix_nano,
        status_code: status.code,
        status_message: b.intern(&status.message),
        trace_state: b.intern(&span.trace_state),
        flags: span.flags,
        dropped_attributes_count: span.dropped_attributes_count,
        dropped_events_count: span.dropped_events_count,
        dropped_links_count: span.dropped_links_count,
        resource,
        scope,
    };
    b.end_span(row).unwrap();
}

fn attributes(b: &mut SpanBatchBuilder, owner: Owner, attributes: &[KeyValue]) {
    for attribute in attributes {
        let value = value(b, attribute.value.as_ref());
        let key = b.intern(&attribute.key);
        b.attribute(owner, key, value);
    }
}

fn value(b: &mut SpanBatchBuilder, any: Option<&AnyValue>) -> BatchValue {
    match any.and_then(|any| any.value.as_ref()) {
        None => BatchValue::EMPTY,
        Some(Value::String(v)) => BatchValue::string(b.intern(v)),
        Some(Value::Bool(v)) => BatchValue::bool(*v),
        Some(Value::Int(v)) => BatchValue::int(*v),
        Some(Value::Double(v)) => BatchValue::double(*v),
        Some(Value::Bytes(v)) => b.bytes(v),
        Some(Value::Array(v)) => {
            let mark = b.begin_list();
            for item in &v.values {
                let item = value(b, Some(item));
                let key = b.intern("");
                b.element(key, item);
            }
            b.end_array(mark).unwrap()
        }
        Some(Value::KvList(v)) => {
            let mark = b.begin_list();
            for item in &v.values {
                let inner = value(b, item.value.as_ref());
                let key = b.intern(&item.key);
                b.element(key, inner);
            }
            b.end_kvlist(mark).unwrap()
        }
    }
}
