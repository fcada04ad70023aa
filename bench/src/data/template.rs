//! The requests that are built once: encoded spans, with the places of ids and times remembered.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use prost::Message;

use super::{Random, Shape};

const SERVICES: [&str; 12] = [
    "frontend", "cart", "checkout", "catalog", "payment", "shipping", "currency", "ads", "orders",
    "email", "search", "users",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const ROUTES: [&str; 8] = [
    "/api/cart",
    "/api/cart/{id}",
    "/api/products/{id}",
    "/checkout",
    "/login",
    "/api/search",
    "/api/orders/{id}",
    "/health",
];
#[derive(Debug, Clone, Copy)]
enum Patch {
    TraceId {
        at: usize,
        slot: u32,
    },
    SpanId {
        at: usize,
        slot: u32,
    },
    /// A fixed64 nanosecond time, stored as an offset from the time of sending.
    Time {
        at: usize,
        nanos_ago: u64,
    },
}

/// An encoded request whose ids and times are still placeholders.
#[derive(Debug, Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    patches: Vec<Patch>,
    /// Spans inside.
    pub(super) spans: usize,
}

impl Template {
    /// The request with these ids, whose times count back from `now`.
    pub(super) fn fill(&self, now: u64, trace_ids: &[[u8; 16]], span_ids: &[[u8; 8]]) -> Vec<u8> {
        let mut body = self.bytes.clone();
        for patch in &self.patches {
            match *patch {
                Patch::TraceId { at, slot } => {
                    body[at..at + 16].copy_from_slice(&trace_ids[slot as usize]);
                }
                Patch::SpanId { at, slot } => {
                    body[at..at + 8].copy_from_slice(&span_ids[slot as usize]);
                }
                Patch::Time { at, nanos_ago } => {
                    body[at..at + 8].copy_from_slice(&now.wrapping_sub(nanos_ago).to_le_bytes());
                }
            }
        }
        body
    }
}

// Placeholders that can be found again in the encoded bytes: a marker, then the slot.
const TRACE_MARK: [u8; 12] = *b"\xf7TRACE-SLOT\xf7";
const SPAN_MARK: [u8; 4] = *b"\xf7SP\xf7";
const TIME_MARK: u32 = 0xf7f1_f7f1;

fn trace_placeholder(slot: u32) -> Vec<u8> {
    [&TRACE_MARK[..], &slot.to_le_bytes()].concat()
}

fn span_placeholder(slot: u32) -> Vec<u8> {
    [&SPAN_MARK[..], &slot.to_le_bytes()].concat()
}

fn time_placeholder(nanos_ago: u32) -> u64 {
    u64::from(TIME_MARK) << 32 | u64::from(nanos_ago)
}

/// Two requests that together hold whole traces.
pub(super) fn build_pair(random: &mut Random, shape: Shape) -> [Template; 2] {
    let traces = shape.traces_per_pair();
    let mut halves: [Vec<(usize, Span)>; 2] = [Vec::new(), Vec::new()];
    for trace in 0..traces {
        for index in 0..shape.spans_per_trace {
            let span = build_span(random, shape, trace, index);
            let service = (trace + index / 2) % SERVICES.len();
            halves[shape.half_of(index)].push((service, span));
        }
    }
    halves.map(|spans| {
        let count = spans.len();
        let mut by_service: Vec<Vec<Span>> = vec![Vec::new(); SERVICES.len()];
        for (service, span) in spans {
            by_service[service].push(span);
        }
        let resource_spans = by_service
            .into_iter()
            .enumerate()
            .filter(|(_, spans)| !spans.is_empty())
            .map(|(service, spans)| ResourceSpans {
                resource: Some(build_resource(service)),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "io.opentelemetry.http".into(),
                        version: "2.11.0".into(),
                        ..Default::default()
                    }),
                    spans,
                    schema_url: String::new(),
                }],
                schema_url: "https://opentelemetry.io/schemas/1.26.0".into(),
            })
            .collect();
        find_patches(
            ExportTraceServiceRequest { resource_spans }.encode_to_vec(),
            count,
        )
    })
}

fn build_resource(service: usize) -> Resource {
    let name = SERVICES[service];
    Resource {
        attributes: vec![
            text("service.name", name),
            text("service.version", "1.14.2"),
            text("k8s.cluster.name", "prod-eu-1"),
            text("k8s.namespace.name", "shop"),
            text(
                "k8s.pod.name",
                &format!("{name}-7d9f8c6b5-{:05x}", service * 7919),
            ),
            text("k8s.container.name", name),
            text("host.name", &format!("node-{}", service % 5)),
            text("telemetry.sdk.language", "java"),
        ],
        ..Default::default()
    }
}

fn build_span(random: &mut Random, shape: Shape, trace: usize, index: usize) -> Span {
    let slot = (trace * shape.spans_per_trace + index) as u32;
    let parent = (index > 0).then(|| (trace * shape.spans_per_trace + (index - 1) / 2) as u32);
    let ago = 900_000_000
        - (index as u64 * 20_000_000 % 800_000_000) as u32
        - random.below(9_000_000) as u32;
    let length = 1_000_000 + random.below(40_000_000) as u32;
    let method = random.pick(&METHODS);
    let route = random.pick(&ROUTES);
    let failed = random.below(50) == 0;
    let mut attributes = vec![
        text("http.request.method", method),
        text("http.route", route),
        text(
            "url.path",
            &route.replace("{id}", &random.below(5000).to_string()),
        ),
        text("url.scheme", "https"),
        int("http.response.status_code", if failed { 500 } else { 200 }),
        text(
            "server.address",
            &format!("{}.shop.svc", SERVICES[(trace + index) % SERVICES.len()]),
        ),
        int("server.port", 8080),
        text("network.protocol.version", "1.1"),
        text(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        ),
        text(
            "client.address",
            &format!(
                "10.{}.{}.{}",
                random.below(4),
                random.below(256),
                random.below(256)
            ),
        ),
        text("thread.name", &format!("exec-{}", random.below(16))),
        int("thread.id", 20 + random.below(16) as i64),
        text("user.id", &format!("user-{:06}", random.below(100_000))),
        KeyValue {
            key: "cache.hit".into(),
            value: Some(AnyValue {
                value: Some(Value::BoolValue(random.below(2) == 0)),
            }),
            ..Default::default()
        },
        KeyValue {
            key: "queue.ratio".into(),
            value: Some(AnyValue {
                value: Some(Value::DoubleValue(random.below(1000) as f64 / 1000.0)),
            }),
            ..Default::default()
        },
    ];
    for extra in attributes.len()..shape.attributes_per_span {
        attributes.push(text(
            &format!("app.extra.{extra}"),
            &format!("value-{}", random.below(50)),
        ));
    }
    attributes.truncate(shape.attributes_per_span);
    let events = if index.is_multiple_of(4) {
        vec![Event {
            time_unix_nano: time_placeholder(ago - length / 2),
            name: "message".into(),
            attributes: vec![
                text("message.type", "SENT"),
                int("message.id", index as i64),
            ],
            dropped_attributes_count: 0,
        }]
    } else {
        Vec::new()
    };
    Span {
        trace_id: trace_placeholder(trace as u32),
        span_id: span_placeholder(slot),
        parent_span_id: parent.map(span_placeholder).unwrap_or_default(),
        name: format!("{method} {route}"),
        kind: if index == 0 {
            2
        } else {
            1 + (index % 5) as i32
        },
        start_time_unix_nano: time_placeholder(ago),
        end_time_unix_nano: time_placeholder(ago - length),
        attributes,
        events,
        status: Some(Status {
            message: if failed {
                "upstream timed out".into()
            } else {
                String::new()
            },
            code: if failed { 2 } else { 0 },
        }),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.into())),
        }),
        ..Default::default()
    }
}

fn int(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::IntValue(value)),
        }),
        ..Default::default()
    }
}

fn find_patches(bytes: Vec<u8>, spans: usize) -> Template {
    let u32_at =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut patches = Vec::new();
    let mut at = 0;
    while at + 8 <= bytes.len() {
        if bytes[at..].starts_with(&TRACE_MARK) {
            patches.push(Patch::TraceId {
                at,
                slot: u32_at(at + 12),
            });
            at += 16;
        } else if bytes[at..].starts_with(&SPAN_MARK) {
            patches.push(Patch::SpanId {
                at,
                slot: u32_at(at + 4),
            });
            at += 8;
        } else if u32_at(at + 4) == TIME_MARK {
            patches.push(Patch::Time {
                at,
                nanos_ago: u64::from(u32_at(at)),
            });
            at += 8;
        } else {
            at += 1;
        }
    }
    Template {
        bytes,
        patches,
        spans,
    }
}
