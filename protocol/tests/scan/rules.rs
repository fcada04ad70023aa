//! What the scanner does beyond parsing: ids, truncation, repair, refusal, messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use vivace_protocol::otlp::{ScanError, ScanOptions, Scanned, Scanner, Truncated};

use super::otlp::spans;
use super::rewrite::{put_message, put_varint};

const OPTIONS: ScanOptions = ScanOptions {
    max_attribute_bytes: 0,
    partitions: 2,
};

fn span(name: &str) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans {
        spans,
        ..ScopeSpans::default()
    };
    let resource_spans = ResourceSpans {
        scope_spans: vec![scope_spans],
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    }
}

fn scan(request: &ExportTraceServiceRequest) -> Scanned {
    Scanner::new()
        .scan("t", &request.encode_to_vec(), &OPTIONS)
        .unwrap()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}

fn names(scanned: &Scanned) -> Vec<String> {
    scanned
        .batches
        .iter()
        .flat_map(|(_, batch)| spans(batch))
        .map(|flat| flat.span.name)
        .collect()
}

#[test]
fn a_bad_id_costs_one_span() {
    let bad = |name: &str, change: fn(&mut Span)| {
        let mut span = span(name);
        change(&mut span);
        span
    };
    let first = bad("zero trace", |span| span.trace_id = vec![0; 16]);
    let rest = [
        bad("no trace", |span| span.trace_id.clear()),
        bad("short trace", |span| span.trace_id.truncate(7)),
        bad("zero span", |span| span.span_id = vec![0; 8]),
        bad("long span", |span| span.span_id.push(1)),
        bad("odd parent", |span| span.parent_span_id = vec![1; 3]),
    ];
    let scanned = scan(&request(
        [vec![span("a"), first], rest.to_vec(), vec![span("b")]].concat(),
    ));
    assert_eq!(names(&scanned), ["a", "b"]);
    assert_eq!((scanned.spans, scanned.accepted_spans), (8, 2));
    assert_eq!(scanned.rejected.invalid_trace_id, 3);
    assert_eq!(scanned.rejected.invalid_span_id, 3);
    assert_eq!(
        scanned.rejected.first_message,
        "trace ids must be 128 bit, received 0 bits \
         (span \"zero trace\", resource_spans[0].scope_spans[0].spans[1])"
    );
    for (span, message) in rest.into_iter().zip([
        "trace ids must be 128 bit, received 0 bits",
        "trace ids must be 128 bit, received 56 bits",
        "span ids must be 64 bit and not all zero, received 0 bits",
        "span ids must be 64 bit and not all zero, received 72 bits",
        "parent span ids must be 64 bit or empty, received 24 bits",
    ]) {
        let scanned = scan(&request(vec![span]));
        assert!(scanned.batches.is_empty());
        let found = scanned.rejected.first_message;
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn a_span_with_a_bad_id_is_still_parsed() {
    let mut bytes = Vec::new();
    let mut scope_spans = Vec::new();
    // An attribute whose value has the wrong wire type, in a span without ids.
    put_message(2, &[0x4a, 0x02, 0x10, 0x01], &mut scope_spans);
    let mut resource_spans = Vec::new();
    put_message(2, &scope_spans, &mut resource_spans);
    put_message(1, &resource_spans, &mut bytes);
    let error = Scanner::new().scan("t", &bytes, &OPTIONS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid OTLP request: wrong wire type at byte 9, in \
         resource_spans[0].scope_spans[0].spans[0].attributes[0].value"
    );
}

#[test]
fn errors_name_the_field() {
    let mut request = request(vec![span("a"), span("b")]);
    let resource = Resource {
        attributes: vec![text("a", "b")],
        ..Resource::default()
    };
    request.resource_spans[0].resource = Some(resource);
    let bytes = request.encode_to_vec();
    let error = Scanner::new()
        .scan("t", &bytes[..bytes.len() - 1], &OPTIONS)
        .unwrap_err();
    let ScanError::Broken { what, path, .. } = error else {
        panic!()
    };
    assert_eq!(
        (what, &path[..]),
        (
            "a length goes beyond the end of its message",
            "resource_spans[0]"
        )
    );
    let mut bytes = bytes;
    let at = bytes
        .windows(2)
        .position(|bytes| bytes == [0x0a, 0x01])
        .unwrap();
    bytes[at + 1] = 0x7f;
    let error = Scanner::new().scan("t", &bytes, &OPTIONS).unwrap_err();
    let ScanError::Broken { path, offset, .. } = error else {
        panic!()
    };
    assert_eq!(
        (&path[..], offset),
        ("resource_spans[0].resource.attributes[0].key", at + 1)
    );
    assert!(!ScanError::TooSpread.is_retryable());
}

#[test]
fn attributes_are_cut_at_the_border_of_a_character() {
    let long = || {
        vec![
            text("€€€€", "€€"),
            text("short", "€€€€"),
            text("k", "12345678"),
        ]
    };
    let mut one = span("a name is never cut");
    one.attributes = long();
    one.attributes.push(attribute(
        "list",
        Value::ArrayValue(ArrayValue {
            values: vec![AnyValue {
                value: Some(Value::StringValue("a long element".to_owned())),
            }],
        }),
    ));
    one.events = vec![Event {
        attributes: long(),
        ..Event::default()
    }];
    one.links = vec![Link {
        attributes: long(),
        ..Link::default()
    }];
    let mut request = request(vec![one]);
    let resource = &mut request.resource_spans[0];
    resource.resource = Some(Resource {
        attributes: long(),
        ..Resource::default()
    });
    let scope = InstrumentationScope {
        attributes: long(),
        ..Default::default()
    };
    resource.scope_spans[0].scope = Some(scope);
    let options = ScanOptions {
        max_attribute_bytes: 8,
        partitions: 1,
    };
    let scanned = Scanner::new()
        .scan("t", &request.encode_to_vec(), &options)
        .unwrap();
    assert_eq!(
        scanned.truncated,
        Truncated {
            resource: 2,
            scope: 2,
            span: 2,
            event: 2,
            link: 2
        }
    );
    let flat = &spans(&scanned.batches[0].1)[0];
    let cut = vec![text("€€", "€€"), text("short", "€€"), text("k", "12345678")];
    assert_eq!(flat.resource.attributes, cut);
    assert_eq!(flat.scope.attributes, cut);
    assert_eq!(flat.span.attributes[..3], cut);
    assert_eq!(flat.span.events[0].attributes, cut);
    assert_eq!(flat.span.links[0].attributes, cut);
    assert_eq!(flat.span.name, "a name is never cut");
    assert!(format!("{:?}", flat.span.attributes[3]).contains("a long element"));

    let scanned = scan(&request);
    assert_eq!(scanned.truncated.total(), 0);
}

#[test]
fn text_that_is_not_utf8_is_repaired_and_counted() {
    let mut one = span("name-1");
    one.attributes = vec![text("key-2", "value-3")];
    let mut bytes = request(vec![one]).encode_to_vec();
    for text in [&b"name-1"[..], b"key-2", b"value-3"] {
        let at = bytes
            .windows(text.len())
            .position(|bytes| bytes == text)
            .unwrap();
        bytes[at + text.len() - 1] = 0xff;
    }
    let options = ScanOptions {
        max_attribute_bytes: 6,
        partitions: 1,
    };
    let scanned = Scanner::new().scan("t", &bytes, &options).unwrap();
    assert_eq!(scanned.repaired_utf8, 2);
    let flat = &spans(&scanned.batches[0].1)[0];
    assert_eq!(flat.span.name, "name-\u{fffd}");
    // The repair makes the key longer than allowed; the value is cut before its broken byte.
    assert_eq!(flat.span.attributes, [text("key-", "value-")]);
    assert_eq!(scanned.truncated.span, 2);
}

#[test]
fn values_of_unknown_kinds_are_refused() {
    let mut strindex = span("strindex");
    strindex.attributes = vec![attribute("k", Value::StringValueStrindex(3))];
    let mut key = span("key");
    key.attributes = vec![KeyValue {
        key_strindex: 3,
        ..text("", "v")
    }];
    let scanned = scan(&request(vec![strindex, span("a"), key]));
    assert_eq!(names(&scanned), ["a"]);
    assert_eq!(scanned.rejected.unsupported_value, 2);
    assert!(
        scanned
            .rejected
            .first_message
            .starts_with("an attribute has a value of an unknown kind")
    );

    // A resource that can't be kept takes its spans with it, and no others.
    let mut both = request(vec![span("a"), span("b")]);
    both.resource_spans
        .extend(request(vec![span("c")]).resource_spans);
    let attributes = vec![attribute("k", Value::StringValueStrindex(3))];
    both.resource_spans[0].resource = Some(Resource {
        attributes,
        ..Resource::default()
    });
    let scanned = scan(&both);
    assert_eq!(names(&scanned), ["c"]);
    assert_eq!(scanned.rejected.unsupported_value, 2);
}

#[test]
fn values_nested_too_deeply_are_refused() {
    let nested = |levels| {
        let mut value = AnyValue {
            value: Some(Value::IntValue(1)),
        };
        for _ in 0..levels {
            value.value = Some(Value::ArrayValue(ArrayValue {
                values: vec![value.clone()],
            }));
        }
        let mut span = span(&format!("{levels}"));
        span.attributes = vec![KeyValue {
            key: "k".to_owned(),
            value: Some(value),
            key_strindex: 0,
        }];
        span
    };
    let scanned = scan(&request(vec![nested(33), nested(32), nested(40)]));
    assert_eq!(names(&scanned), ["32"]);
    assert_eq!(scanned.rejected.value_too_deep, 2);

    // Far deeper than any stack.
    let mut value = vec![0x18, 1];
    for level in 0..200_000 {
        let mut outer = Vec::with_capacity(value.len() + 8);
        put_message(if level % 2 == 0 { 1 } else { 5 }, &value, &mut outer);
        value = outer;
        if value.len() > 100_000 {
            break;
        }
    }
    let mut deep = Vec::new();
    put_message(2, &value, &mut deep);
    let mut bytes = span("deep").encode_to_vec();
    put_message(9, &deep, &mut bytes);
    for field in [2, 2, 1] {
        let mut outer = Vec::new();
        put_message(field, &bytes, &mut outer);
        bytes = outer;
    }
    let scanned = Scanner::new().scan("t", &bytes, &OPTIONS).unwrap();
    assert_eq!(scanned.rejected.value_too_deep, 1);
}

#[test]
fn the_deprecated_spans_are_ignored_and_groups_refused() {
    let mut resource_spans = Vec::new();
    put_message(1000, &[1, 2, 3], &mut resource_spans);
    let mut bytes = Vec::new();
    put_message(1, &resource_spans, &mut bytes);
    assert_eq!(Scanner::new().scan("t", &bytes, &OPTIONS).unwrap().spans, 0);
    put_varint(9 << 3 | 3, &mut bytes);
    put_varint(9 << 3 | 4, &mut bytes);
    let error = Scanner::new().scan("t", &bytes, &OPTIONS).unwrap_err();
    assert!(
        error.to_string().contains("groups are not supported"),
        "{error}"
    );
}

#[test]
fn ids_may_come_after_attributes_and_twice() {
    let mut first = span("a");
    first.attributes = vec![text("k", "v")];
    let late = Span {
        trace_id: vec![9; 16],
        span_id: vec![8; 8],
        ..Span::default()
    };
    let bytes = [first.encode_to_vec(), late.encode_to_vec()].concat();
    // What is read last is no id: then this span is lost, and only this one.
    let broken = [bytes.clone(), vec![0x0a, 0x01, 0x05]].concat();
    let mut scope_spans = Vec::new();
    for span in [bytes, broken, span("b").encode_to_vec()] {
        put_message(2, &span, &mut scope_spans);
    }
    let mut resource_spans = Vec::new();
    put_message(2, &scope_spans, &mut resource_spans);
    let mut request = Vec::new();
    put_message(1, &resource_spans, &mut request);
    let options = ScanOptions {
        max_attribute_bytes: 0,
        partitions: 1,
    };
    let scanned = Scanner::new().scan("t", &request, &options).unwrap();
    assert_eq!(names(&scanned), ["b", "a"]);
    assert_eq!(spans(&scanned.batches[0].1)[1].span.trace_id, [9; 16]);
    assert_eq!((scanned.spans, scanned.rejected.invalid_trace_id), (3, 1));
}

#[test]
fn equal_resources_and_scopes_are_stored_once() {
    let mut all = request(vec![span("a")]);
    all.resource_spans
        .extend(request(vec![span("b")]).resource_spans);
    for resource_spans in &mut all.resource_spans {
        let attributes = vec![text("service.name", "shop"), text("k", "v")];
        resource_spans.resource = Some(Resource {
            attributes,
            ..Resource::default()
        });
    }
    let scanned = scan(&all);
    let view = scanned.batches[0].1.view();
    assert_eq!(
        (view.span_count(), view.resource_count(), view.scope_count()),
        (2, 1, 1)
    );
}
