//! The other direction, for comparison: what views hold, as OTLP messages, one ResourceSpans for each span.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use vivace_model::{AttributesView, SpanBatch, SpanView, ValueView};

/// A span with everything around it, normalised: what a batch keeps as one, is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Flat {
    pub resource: Resource,
    pub resource_schema_url: String,
    pub scope: InstrumentationScope,
    pub scope_schema_url: String,
    pub span: Span,
}

/// The spans of a request in its order.
pub fn flatten(request: ExportTraceServiceRequest) -> Vec<Flat> {
    let mut spans = Vec::new();
    for resource_spans in request.resource_spans {
        let mut resource = resource_spans.resource.unwrap_or_default();
        normalise(&mut resource.attributes);
        for scope_spans in resource_spans.scope_spans {
            let mut scope = scope_spans.scope.unwrap_or_default();
            normalise(&mut scope.attributes);
            for mut span in scope_spans.spans {
                normalise(&mut span.attributes);
                span.events
                    .iter_mut()
                    .for_each(|event| normalise(&mut event.attributes));
                span.links
                    .iter_mut()
                    .for_each(|link| normalise(&mut link.attributes));
                span.status.get_or_insert_default();
                if span.parent_span_id == [0; 8] {
                    span.parent_span_id.clear();
                }
                spans.push(Flat {
                    resource: resource.clone(),
                    resource_schema_url: resource_spans.schema_url.clone(),
                    scope: scope.clone(),
                    scope_schema_url: scope_spans.schema_url.clone(),
                    span,
                });
            }
        }
    }
    spans
}

/// No value and an empty one are the same.
fn normalise(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        normalise_value(attribute.value.get_or_insert_default());
    }
}

fn normalise_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(normalise_value),
        Some(Value::KvlistValue(list)) => normalise(&mut list.values),
        // NaN is not equal to itself; its bits are kept, but can't be compared here.
        Some(Value::DoubleValue(number)) if number.is_nan() => *number = 0.5,
        _ => {}
    }
}

/// The spans of a batch in its order.
pub fn spans(batch: &SpanBatch) -> Vec<Flat> {
    batch.view().spans().map(|span| flat(&span)).collect()
}

fn flat(span: &SpanView<'_>) -> Flat {
    let (resource, scope) = (span.resource(), span.scope());
    let entity_refs = Resource::decode(resource.entity_refs())
        .unwrap()
        .entity_refs;
    let mut flat = Flat {
        resource: Resource {
            attributes: attributes(resource.attributes()),
            dropped_attributes_count: resource.dropped_attributes_count(),
            entity_refs,
        },
        resource_schema_url: resource.schema_url().to_owned(),
        scope: InstrumentationScope {
            name: scope.name().to_owned(),
            version: scope.version().to_owned(),
            attributes: attributes(scope.attributes()),
            dropped_attributes_count: scope.dropped_attributes_count(),
        },
        scope_schema_url: scope.schema_url().to_owned(),
        span: Span {
            trace_id: span.trace_id().0.to_vec(),
            span_id: span.span_id().0.to_vec(),
            trace_state: span.trace_state().to_owned(),
            parent_span_id: span.parent_span_id().map_or(Vec::new(), |id| id.0.to_vec()),
            flags: span.flags(),
            name: span.name().to_owned(),
            kind: span.kind(),
            start_time_unix_nano: span.start_unix_nano(),
            end_time_unix_nano: span.end_unix_nano(),
            attributes: attributes(span.attributes()),
            dropped_attributes_count: span.dropped_attributes_count(),
            events: span
                .events()
                .map(|event| Event {
                    time_unix_nano: event.time_unix_nano(),
                    name: event.name().to_owned(),
                    attributes: attributes(event.attributes()),
                    dropped_attributes_count: event.dropped_attributes_count(),
                })
                .collect(),
            dropped_events_count: span.dropped_events_count(),
            links: span
                .links()
                .map(|link| Link {
                    trace_id: link.trace_id().to_vec(),
                    span_id: link.span_id().to_vec(),
                    trace_state: link.trace_state().to_owned(),
                    attributes: attributes(link.attributes()),
                    dropped_attributes_count: link.dropped_attributes_count(),
                    flags: link.flags(),
                })
                .collect(),
            dropped_links_count: span.dropped_links_count(),
            status: Some(Status {
                message: span.status_message().to_owned(),
                code: span.status_code(),
            }),
        },
    };
    // Only NaN still needs it.
    normalise(&mut flat.resource.attributes);
    normalise(&mut flat.scope.attributes);
    normalise(&mut flat.span.attributes);
    flat.span
        .events
        .iter_mut()
        .for_each(|event| normalise(&mut event.attributes));
    flat.span
        .links
        .iter_mut()
        .for_each(|link| normalise(&mut link.attributes));
    flat
}

fn attributes(attributes: AttributesView<'_>) -> Vec<KeyValue> {
    attributes
        .map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: Some(any_value(value)),
            key_strindex: 0,
        })
        .collect()
}

fn any_value(value: ValueView<'_>) -> AnyValue {
    let value = match value {
        ValueView::Empty => None,
        ValueView::String(text) => Some(Value::StringValue(text.to_owned())),
        ValueView::Bool(value) => Some(Value::BoolValue(value)),
        ValueView::Int(value) => Some(Value::IntValue(value)),
        ValueView::Double(value) => Some(Value::DoubleValue(value)),
        ValueView::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        ValueView::Array(values) => Some(Value::ArrayValue(ArrayValue {
            values: values.map(any_value).collect(),
        })),
        ValueView::KvList(pairs) => Some(Value::KvlistValue(KeyValueList {
            values: attributes(pairs),
        })),
    };
    AnyValue { value }
}

/// An EntityRef with all fields set.
pub fn entity_ref(kind: &str) -> EntityRef {
    EntityRef {
        schema_url: "https://example.com".to_owned(),
        r#type: kind.to_owned(),
        id_keys: vec!["a".to_owned(), "b".to_owned()],
        description_keys: vec!["c".to_owned()],
    }
}
