//! Random OTLP for the property tests: small, but with every member and every kind of value.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::tempopb::*;

/// Text that has something to escape in it now and then.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z.]{0,8}",
        1 => "[\\x00-\\x1f\"\\\\<>&\u{2028}\u{2029}é😀/]{0,6}",
    ]
}

pub fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(|v| Some(Value::String(v))),
        any::<bool>().prop_map(|v| Some(Value::Bool(v))),
        any::<i64>().prop_map(|v| Some(Value::Int(v))),
        Just(Some(Value::Int(0))),
        any::<f64>().prop_map(|v| Some(Value::Double(v))),
        prop_oneof![
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(0.0),
            Just(1e21),
            Just(1e-7)
        ]
        .prop_map(|v| Some(Value::Double(v))),
        vec(any::<u8>(), 0..5).prop_map(|v| Some(Value::Bytes(v))),
        Just(None),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| AnyValue {
                value: Some(Value::Array(ArrayValue { values }))
            }),
            vec((text(), option::of(inner)), 0..3).prop_map(|pairs| AnyValue {
                value: Some(Value::KvList(KeyValueList {
                    values: pairs
                        .into_iter()
                        .map(|(key, value)| KeyValue { key, value })
                        .collect()
                }))
            }),
        ]
    })
}

pub fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(
        (text(), option::weighted(0.9, any_value()))
            .prop_map(|(key, value)| KeyValue { key, value }),
        0..4,
    )
}

pub fn resource() -> impl Strategy<Value = Resource> {
    (attributes(), 0..3u32).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs: Vec::new(),
    })
}

pub fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), 0..3u32).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(), 0..2u32).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (
        any::<[u8; 16]>(),
        any::<[u8; 8]>(),
        text(),
        attributes(),
        0..2u32,
        0..3u32,
    )
        .prop_map(
            |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
                trace_id: trace_id.to_vec(),
                span_id: span_id.to_vec(),
                trace_state,
                attributes,
                dropped_attributes_count,
                flags,
            },
        )
}

fn status() -> impl Strategy<Value = Status> {
    (text(), 0..4i32).prop_map(|(message, code)| Status { message, code })
}

/// A span with ids of the right length that are not all zero.
pub fn span() -> impl Strategy<Value = Span> {
    (
        (
            (1u128..=u128::MAX),
            (1u64..=u64::MAX),
            option::of(1u64..=u64::MAX),
            text(),
            text(),
            0..7i32,
            any::<u32>(),
        ),
        (any::<u64>(), any::<u64>(), attributes()),
        (vec(event(), 0..3), vec(link(), 0..3), option::of(status())),
        (0..2u32, 0..2u32, 0..2u32),
    )
        .prop_map(|(ids, times, nested, dropped)| Span {
            trace_id: ids.0.to_be_bytes().to_vec(),
            span_id: ids.1.to_be_bytes().to_vec(),
            parent_span_id: ids
                .2
                .map(|id| id.to_be_bytes().to_vec())
                .unwrap_or_default(),
            name: ids.3,
            trace_state: ids.4,
            kind: ids.5,
            flags: ids.6,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            attributes: times.2,
            events: nested.0,
            links: nested.1,
            status: nested.2,
            dropped_attributes_count: dropped.0,
            dropped_events_count: dropped.1,
            dropped_links_count: dropped.2,
        })
}

/// A whole request, as a trace: the two have one shape.
pub fn trace() -> impl Strategy<Value = Trace> {
    let scope_spans =
        (option::of(scope()), vec(span(), 0..3), text()).prop_map(|(scope, spans, schema_url)| {
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
    vec(resource_spans, 0..3).prop_map(|resource_spans| Trace { resource_spans })
}
