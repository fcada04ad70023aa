//! Random requests.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "a", "b", "service.name", "€uro"]).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        1 => any::<f64>().prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(5, 20, 4, |inner| {
        let pair = (text(), option::of(inner.clone()));
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(pair, 0..4).prop_map(|pairs| Value::KvlistValue(KeyValueList {
                values: pairs.into_iter().map(key_value).collect(),
            })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn key_value((key, value): (String, Option<AnyValue>)) -> KeyValue {
    KeyValue {
        key,
        value,
        key_strindex: 0,
    }
}

fn attributes(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec(
        (text(), option::weighted(0.9, any_value())).prop_map(key_value),
        0..=most,
    )
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 1 => any::<u32>()]
}

fn resource() -> impl Strategy<Value = Resource> {
    (attributes(3), count(), vec(text(), 0..2)).prop_map(|(attributes, dropped, kinds)| Resource {
        attributes,
        dropped_attributes_count: dropped,
        entity_refs: kinds
            .iter()
            .map(|kind| super::otlp::entity_ref(kind))
            .collect(),
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(2), count()).prop_map(|(name, version, attributes, dropped)| {
        InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count: dropped,
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(2), count()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10));
    (ids, text(), attributes(2), count(), count()).prop_map(
        |((trace_id, span_id), trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let parent = prop_oneof![Just(vec![]), Just(vec![0; 8]), vec(1..255u8, 8)];
    let ids = (1..6u8, vec(1..255u8, 8), parent);
    let times = (0..4u64, any::<u64>());
    let texts = (text(), text());
    let status = option::of((text(), any::<i32>()));
    let counts = (any::<i32>(), count(), prop::array::uniform3(count()));
    let parts = (attributes(4), vec(event(), 0..3), vec(link(), 0..3));
    (ids, times, texts, status, counts, parts).prop_map(
        |(ids, times, texts, status, counts, parts)| Span {
            trace_id: vec![ids.0; 16],
            span_id: ids.1,
            trace_state: texts.0,
            parent_span_id: ids.2,
            flags: counts.1,
            name: texts.1,
            kind: counts.0,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            attributes: parts.0,
            dropped_attributes_count: counts.2[0],
            events: parts.1,
            dropped_events_count: counts.2[1],
            links: parts.2,
            dropped_links_count: counts.2[2],
            status: status.map(|(message, code)| Status { message, code }),
        },
    )
}

/// A request whose spans are all valid.
pub fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans =
        (option::of(scope()), vec(span(), 0..4), text()).prop_map(|(scope, spans, schema_url)| {
            ScopeSpans {
                scope,
                spans,
                schema_url,
            }
        });
    let resource_spans = (option::of(resource()), vec(scope_spans, 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
