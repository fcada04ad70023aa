use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Map, Value as Json, json};

use super::json_to_protobuf;
use crate::arbitrary;
use crate::tempopb::*;

/// How the oracle below spells the same content.
#[derive(Clone, Copy, Debug)]
struct Style {
    snake: bool,
    numbers: bool,
    enum_names: bool,
    upper_hex: bool,
    /// Members nobody knows, and nulls where a member has its default.
    noise: bool,
}

struct Object(Style, Map<String, Json>);

impl Object {
    fn new(style: Style) -> Self {
        let mut map = Map::new();
        if style.noise {
            map.insert("aaNobodyKnows".into(), json!([{"x": [1, "y", null]}]));
        }
        Self(style, map)
    }

    fn put(&mut self, name: &str, value: Json, is_default: bool) {
        if is_default && !self.0.noise {
            return;
        }
        let name = if self.0.snake {
            name.chars()
                .flat_map(|c| {
                    let underscore = c.is_ascii_uppercase().then_some('_');
                    underscore.into_iter().chain([c.to_ascii_lowercase()])
                })
                .collect()
        } else {
            name.to_owned()
        };
        self.1
            .insert(name, if is_default { Json::Null } else { value });
    }

    fn text(&mut self, name: &str, value: &str) {
        self.put(name, json!(value), value.is_empty());
    }

    fn u64(&mut self, name: &str, value: u64) {
        let json = if self.0.numbers {
            json!(value)
        } else {
            json!(value.to_string())
        };
        self.put(name, json, value == 0);
    }

    fn id(&mut self, name: &str, value: &[u8]) {
        let hex: String = value
            .iter()
            .map(|b| match self.0.upper_hex {
                true => format!("{b:02X}"),
                false => format!("{b:02x}"),
            })
            .collect();
        self.put(name, json!(hex), value.is_empty());
    }

    fn enumeration(&mut self, name: &str, value: i32, label: Option<&str>) {
        let json = match label {
            Some(label) if self.0.enum_names => json!(label),
            _ => json!(value),
        };
        self.put(name, json, value == 0);
    }

    fn list<T>(&mut self, name: &str, items: &[T], f: impl Fn(Style, &T) -> Json) {
        let items: Vec<_> = items.iter().map(|item| f(self.0, item)).collect();
        self.put(name, json!(items), items.is_empty());
    }

    fn message<T>(&mut self, name: &str, item: &Option<T>, f: impl Fn(Style, &T) -> Json) {
        let style = self.0;
        let value = item.as_ref().map(|item| f(style, item));
        self.put(name, json!(value), item.is_none());
    }

    fn done(self) -> Json {
        Json::Object(self.1)
    }
}

fn any_value_json(style: Style, value: &AnyValue) -> Json {
    let mut o = Object::new(style);
    match &value.value {
        None => {}
        Some(Value::String(v)) => o.put("stringValue", json!(v), false),
        Some(Value::Bool(v)) => o.put("boolValue", json!(v), false),
        Some(Value::Int(v)) if style.numbers => o.put("intValue", json!(v), false),
        Some(Value::Int(v)) => o.put("intValue", json!(v.to_string()), false),
        Some(Value::Double(v)) if v.is_nan() => o.put("doubleValue", json!("NaN"), false),
        Some(Value::Double(v)) if v.is_infinite() && *v > 0.0 => {
            o.put("doubleValue", json!("Infinity"), false)
        }
        Some(Value::Double(v)) if v.is_infinite() => {
            o.put("doubleValue", json!("-Infinity"), false)
        }
        Some(Value::Double(v)) => o.put("doubleValue", json!(v), false),
        Some(Value::Array(v)) => {
            let mut inner = Object::new(style);
            inner.list("values", &v.values, any_value_json);
            o.put("arrayValue", inner.done(), false);
        }
        Some(Value::KvList(v)) => {
            let mut inner = Object::new(style);
            inner.list("values", &v.values, key_value_json);
            o.put("kvlistValue", inner.done(), false);
        }
        Some(Value::Bytes(v)) => {
            use base64::Engine as _;
            let text = if style.snake {
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v)
            } else {
                base64::engine::general_purpose::STANDARD.encode(v)
            };
            o.put("bytesValue", json!(text), false);
        }
    }
    o.done()
}

fn key_value_json(style: Style, kv: &KeyValue) -> Json {
    let mut o = Object::new(style);
    o.text("key", &kv.key);
    o.message("value", &kv.value, any_value_json);
    o.done()
}

fn event_json(style: Style, event: &Event) -> Json {
    let mut o = Object::new(style);
    o.u64("timeUnixNano", event.time_unix_nano);
    o.text("name", &event.name);
    o.list("attributes", &event.attributes, key_value_json);
    o.u64(
        "droppedAttributesCount",
        event.dropped_attributes_count.into(),
    );
    o.done()
}

fn link_json(style: Style, link: &Link) -> Json {
    let mut o = Object::new(style);
    o.id("traceId", &link.trace_id);
    o.id("spanId", &link.span_id);
    o.text("traceState", &link.trace_state);
    o.list("attributes", &link.attributes, key_value_json);
    o.u64(
        "droppedAttributesCount",
        link.dropped_attributes_count.into(),
    );
    o.u64("flags", link.flags.into());
    o.done()
}

fn span_json(style: Style, span: &Span) -> Json {
    let mut o = Object::new(style);
    o.id("traceId", &span.trace_id);
    o.id("spanId", &span.span_id);
    o.text("traceState", &span.trace_state);
    o.id("parentSpanId", &span.parent_span_id);
    o.u64("flags", span.flags.into());
    o.text("name", &span.name);
    o.enumeration("kind", span.kind, span_kind_name(span.kind));
    o.u64("startTimeUnixNano", span.start_time_unix_nano);
    o.u64("endTimeUnixNano", span.end_time_unix_nano);
    o.list("attributes", &span.attributes, key_value_json);
    o.u64(
        "droppedAttributesCount",
        span.dropped_attributes_count.into(),
    );
    o.list("events", &span.events, event_json);
    o.u64("droppedEventsCount", span.dropped_events_count.into());
    o.list("links", &span.links, link_json);
    o.u64("droppedLinksCount", span.dropped_links_count.into());
    o.message("status", &span.status, |style, status: &Status| {
        let mut o = Object::new(style);
        o.text("message", &status.message);
        o.enumeration("code", status.code, status_code_name(status.code));
        o.done()
    });
    o.done()
}

fn request_json(style: Style, trace: &Trace) -> Json {
    let mut o = Object::new(style);
    o.list(
        "resourceSpans",
        &trace.resource_spans,
        |style, rs: &ResourceSpans| {
            let mut o = Object::new(style);
            o.message("resource", &rs.resource, |style, resource: &Resource| {
                let mut o = Object::new(style);
                o.list("attributes", &resource.attributes, key_value_json);
                o.u64(
                    "droppedAttributesCount",
                    resource.dropped_attributes_count.into(),
                );
                o.done()
            });
            o.list("scopeSpans", &rs.scope_spans, |style, ss: &ScopeSpans| {
                let mut o = Object::new(style);
                o.message("scope", &ss.scope, |style, scope: &InstrumentationScope| {
                    let mut o = Object::new(style);
                    o.text("name", &scope.name);
                    o.text("version", &scope.version);
                    o.list("attributes", &scope.attributes, key_value_json);
                    o.u64(
                        "droppedAttributesCount",
                        scope.dropped_attributes_count.into(),
                    );
                    o.done()
                });
                o.list("spans", &ss.spans, span_json);
                o.text("schemaUrl", &ss.schema_url);
                o.done()
            });
            o.text("schemaUrl", &rs.schema_url);
            o.done()
        },
    );
    o.done()
}

fn style() -> impl Strategy<Value = Style> {
    any::<[bool; 5]>().prop_map(|[snake, numbers, enum_names, upper_hex, noise]| Style {
        snake,
        numbers,
        enum_names,
        upper_hex,
        noise,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_spelling_of_a_request_becomes_that_request(trace in arbitrary::trace(), style in style()) {
        let text = serde_json::to_vec(&request_json(style, &trace)).unwrap();
        let protobuf = json_to_protobuf(&text).unwrap();
        let read = Trace::decode(protobuf.as_slice()).unwrap();
        // Compared as bytes, because NaN does not equal itself.
        prop_assert_eq!(read.encode_to_vec(), trace.encode_to_vec());
        prop_assert!(protobuf.len() <= text.len());
    }

    #[test]
    fn broken_bytes_never_panic(
        trace in arbitrary::trace(),
        style in style(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut text = serde_json::to_vec(&request_json(style, &trace)).unwrap();
        for (at, byte, how) in edits {
            let at = at.index(text.len().max(1));
            match how {
                0 if at < text.len() => text[at] = byte,
                1 => text.insert(at, b"{}[],:\"-0n\\"[usize::from(byte) % 11]),
                _ => text.truncate(at),
            }
        }
        if let Ok(protobuf) = json_to_protobuf(&text) {
            prop_assert!(protobuf.len() <= text.len());
        }
    }

    #[test]
    fn random_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = json_to_protobuf(&text);
    }
}

fn one_span(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#)
}

fn error(body: &str) -> String {
    json_to_protobuf(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn errors_say_what_and_where() {
    let bodies = [
        "".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{} x".to_owned(),
        "{\n \"resourceSpans\": {}}".to_owned(),
        one_span(r#""traceId":"0af7""#),
        one_span(r#""traceId":7"#),
        one_span(r#""spanId":"000000000000000g""#),
        one_span(r#""name":7"#),
        one_span(r#""startTimeUnixNano":-1"#),
        one_span(r#""startTimeUnixNano":"18446744073709551616""#),
        one_span(r#""startTimeUnixNano":0.5"#),
        one_span(r#""flags":4294967296"#),
        one_span(r#""kind":"SPAN_KIND_NICE""#),
        one_span(r#""attributes":[{},{"key":"a","value":{"boolValue":1}}]"#),
        one_span(r#""attributes":[{"value":{"bytesValue":"***"}}]"#),
        one_span(r#""attributes":[{"value":{"doubleValue":"inf"}}]"#),
        one_span(r#""attributes":[{"value":{"intValue":"twelve"}}]"#),
        one_span(r#""attributes":[{"value":"twelve"}]"#),
        one_span(r#""name":"a" "kind":1"#),
    ];
    let mut text = String::new();
    for body in bodies {
        text += &format!("{body}\n    {}\n", error(&body));
    }
    crate::expect::check("otlp-json-errors.txt", &text);
}

#[test]
fn an_error_stays_short_whatever_the_body_holds() {
    let body = one_span(&format!(r#""kind":"{}""#, "é".repeat(100_000)));
    assert!(error(&body).len() < 600);
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels: usize| {
        let value = format!(
            "{}{}{}",
            r#"{"arrayValue":{"values":["#.repeat(levels),
            "{}",
            "]}}".repeat(levels)
        );
        json_to_protobuf(one_span(&format!(r#""attributes":[{{"value":{value}}}]"#)).as_bytes())
    };
    assert!(deep(35).is_ok());
    assert!(
        deep(100_000)
            .unwrap_err()
            .message
            .contains("recursion limit")
    );
}

#[test]
fn empty_ids_and_broken_text_pass_through() {
    let body = one_span(r#""traceId":"","spanId":null,"name":"a\ud800b""#);
    let read = Trace::decode(&*json_to_protobuf(body.as_bytes()).unwrap());
    // The name is left as it came, which is not UTF-8: whoever scans the protobuf repairs it.
    assert!(read.is_err());
    let body = one_span(r#""traceId":"","spanId":null,"kind":2.0,"endTimeUnixNano":1e18"#);
    let read = Trace::decode(&*json_to_protobuf(body.as_bytes()).unwrap()).unwrap();
    let span = &read.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.trace_id.len(), span.span_id.len()), (0, 0));
    assert_eq!(
        (span.kind, span.end_time_unix_nano),
        (2, 1_000_000_000_000_000_000)
    );
}
