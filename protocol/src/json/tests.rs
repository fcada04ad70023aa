use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value as Json;

use super::text::{push_double, push_text};
use super::{to_json_llm, to_json_v1, to_json_v2};
use crate::arbitrary;
use crate::otlp::json_to_protobuf;
use crate::tempopb::*;

/// Ids from base64 to the hex that OTLP/JSON has, so that the OTLP reader can be the judge.
fn ids_to_hex(json: &mut Json) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                match (&**name, &*value) {
                    ("traceId" | "spanId" | "parentSpanId", Json::String(id)) => {
                        let id = STANDARD.decode(id).unwrap();
                        *value = id
                            .iter()
                            .map(|b| format!("{b:02x}"))
                            .collect::<String>()
                            .into();
                    }
                    _ => ids_to_hex(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(ids_to_hex),
        _ => {}
    }
}

fn read_back(mut json: Json) -> Trace {
    ids_to_hex(&mut json);
    let protobuf = json_to_protobuf(json.to_string().as_bytes()).unwrap();
    Trace::decode(protobuf.as_slice()).unwrap()
}

/// Resources, scopes and statuses are printed whether they were set or not.
fn with_all_messages_set(mut trace: Trace) -> Trace {
    for rs in &mut trace.resource_spans {
        rs.resource.get_or_insert_default();
        for ss in &mut rs.scope_spans {
            ss.scope.get_or_insert_default();
            for span in &mut ss.spans {
                span.status.get_or_insert_default();
            }
        }
    }
    trace
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_answer_reads_back_as_the_trace(trace in arbitrary::trace()) {
        let want = with_all_messages_set(trace.clone()).encode_to_vec();

        let v1: Json = serde_json::from_str(&to_json_v1(&trace)).unwrap();
        let mut root = v1.as_object().unwrap().clone();
        if let Some(batches) = root.remove("batches") {
            root.insert("resourceSpans".into(), batches);
        }
        prop_assert_eq!(&read_back(root.into()).encode_to_vec(), &want);

        let response = TraceByIdResponse { trace: Some(trace), ..Default::default() };
        let mut v2: Json = serde_json::from_str(&to_json_v2(&response)).unwrap();
        prop_assert_eq!(&read_back(v2["trace"].take()).encode_to_vec(), &want);

        let _: Json = serde_json::from_str(&to_json_llm(&response)).unwrap();
    }

    #[test]
    fn text_reads_back(text in ".*") {
        let mut out = String::new();
        push_text(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn doubles_read_back(value in any::<f64>()) {
        let mut out = String::new();
        push_double(&mut out, value);
        if value.is_finite() {
            prop_assert_eq!(serde_json::from_str::<f64>(&out).unwrap().to_bits(), value.to_bits());
        } else {
            prop_assert!(out.starts_with('"'));
        }
    }
}

#[test]
fn text_is_escaped_as_go_does() {
    let mut out = String::new();
    push_text(
        &mut out,
        "\"\\\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}<a>&\u{2027}\u{2028}\u{2029}é😀/'",
    );
    assert_eq!(
        out,
        "\"\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}\\u003ca\\u003e\\u0026\u{2027}\\u2028\\u2029é😀/'\""
    );
}

#[test]
fn doubles_are_written_as_go_does() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.25, "0.25"),
        (0.30000000000000004, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-10, "-1.5e-10"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e300, "-1.25e+300"),
        (f64::NAN, "\"NaN\""),
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
    ];
    for (value, want) in cases {
        let mut out = String::new();
        push_double(&mut out, value);
        assert_eq!(out, want);
    }
}

fn text(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::String(value.to_owned())),
    }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
    }
}

/// A trace with one of everything.
fn sample() -> TraceByIdResponse {
    let trace_id = (1..=16).collect::<Vec<u8>>();
    let any = |value| AnyValue { value: Some(value) };
    let span = Span {
        trace_id: trace_id.clone(),
        span_id: vec![0x7e, 0xba, 0xd9, 0x03, 0x1c, 0xac, 0x18, 0xc4],
        trace_state: "a=b".into(),
        parent_span_id: vec![],
        flags: 0x101,
        name: "GET /cart".into(),
        kind: SPAN_KIND_SERVER,
        start_time_unix_nano: 1_795_335_883_175_355_314,
        end_time_unix_nano: 1_795_335_883_375_355_314,
        attributes: vec![
            attribute("ratio", any(Value::Double(0.25))),
            attribute("ok", any(Value::Bool(true))),
            attribute(
                "tags",
                any(Value::Array(ArrayValue {
                    values: vec![text("a"), text("b")],
                })),
            ),
            attribute("http.status_code", any(Value::Int(500))),
            attribute("zero", any(Value::Int(0))),
            attribute("no", any(Value::Bool(false))),
            attribute("blank", text("")),
            attribute("blob", any(Value::Bytes(vec![0xfb, 0xff]))),
            attribute(
                "map",
                any(Value::KvList(KeyValueList {
                    values: vec![
                        attribute("<k>", text("v\n")),
                        attribute("none", AnyValue::default()),
                    ],
                })),
            ),
            attribute("empty list", any(Value::Array(ArrayValue::default()))),
            KeyValue {
                key: "unset".into(),
                value: None,
            },
        ],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 1_795_335_883_175_356_314,
            name: "exception".into(),
            attributes: vec![attribute("exception.type", text("E"))],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: vec![0x0a; 16],
            span_id: vec![0xb7; 8],
            trace_state: "c=d".into(),
            attributes: vec![attribute("link-type", text("parent"))],
            dropped_attributes_count: 4,
            flags: 1,
        }],
        dropped_links_count: 5,
        status: Some(Status {
            message: "boom".into(),
            code: 2,
        }),
    };
    let child = Span {
        trace_id,
        span_id: vec![1, 2, 3, 4, 5, 6, 7, 8],
        parent_span_id: span.span_id.clone(),
        name: "db".into(),
        kind: SPAN_KIND_CLIENT,
        start_time_unix_nano: 1,
        ..Default::default()
    };
    let unknown = Span {
        kind: 9,
        ..child.clone()
    };
    TraceByIdResponse {
        trace: Some(Trace {
            resource_spans: vec![
                ResourceSpans {
                    resource: Some(Resource {
                        attributes: vec![
                            attribute("k8s.pod.name", text("p-1")),
                            attribute("service.name", text("shop")),
                        ],
                        dropped_attributes_count: 6,
                        entity_refs: vec![vec![]],
                    }),
                    scope_spans: vec![ScopeSpans {
                        scope: Some(InstrumentationScope {
                            name: "lib".into(),
                            version: "1.2".into(),
                            attributes: vec![attribute("scope.a", text("b"))],
                            dropped_attributes_count: 7,
                        }),
                        spans: vec![span, child],
                        schema_url: "https://example.org/scope".into(),
                    }],
                    schema_url: "https://example.org/resource".into(),
                },
                ResourceSpans {
                    scope_spans: vec![ScopeSpans {
                        spans: vec![unknown],
                        ..Default::default()
                    }],
                    ..Default::default()
                },
            ],
        }),
        metrics: Some(TraceByIdMetrics {
            inspected_bytes: 21909,
            additional_metrics: [("b".into(), 2), ("a".into(), -1)].into(),
            ..Default::default()
        }),
        status: PartialStatus::Partial as i32,
        message: "Trace exceeds maximum size of 3000 bytes, a partial trace is returned".into(),
    }
}

#[test]
fn the_shapes_of_an_answer() {
    let response = sample();
    let empty = TraceByIdResponse::default();
    let text = [
        to_json_v1(response.trace.as_ref().unwrap()),
        to_json_v2(&response),
        to_json_llm(&response),
        to_json_v1(&Trace::default()),
        to_json_v2(&empty),
        to_json_llm(&empty),
    ]
    .join("\n\n");
    crate::expect::check("trace-answers.json.txt", &(text + "\n"));
}
