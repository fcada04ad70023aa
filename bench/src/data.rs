//! Realistic OTLP requests at generator speed: a few requests are built once, then only ids and times are patched.
//!
//! A trace is a request through a shop of twelve services. Its spans are split over two export requests (as two
//! collectors would send them), so a trace stays together only if the server brings it together.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use prost::Message;

/// A small seeded generator; quality is enough for ids (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same data.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (n > 0).
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }

    fn pick<'a>(&mut self, of: &'a [&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Shape of the load.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Spans of one export request.
    pub spans_per_request: usize,
    /// Spans of one trace, over all its requests.
    pub spans_per_trace: usize,
    /// Attributes of one span.
    pub attributes_per_span: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            spans_per_request: 500,
            spans_per_trace: 20,
            attributes_per_span: 15,
        }
    }
}

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
const TEMPLATES: usize = 8;

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

#[derive(Debug, Clone)]
struct Template {
    bytes: Vec<u8>,
    patches: Vec<Patch>,
}

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// An encoded `ExportTraceServiceRequest`.
    pub body: Vec<u8>,
    /// Spans inside.
    pub spans: usize,
}

/// Makes requests two by two: together they hold whole traces.
#[derive(Debug, Clone)]
pub struct Generator {
    random: Random,
    shape: Shape,
    pairs: Vec<[Template; 2]>,
    waiting: Option<Request>,
    trace_ids: Vec<[u8; 16]>,
    span_ids: Vec<[u8; 8]>,
    sent_pairs: usize,
    sample: Option<([u8; 16], usize)>,
}

impl Generator {
    /// Builds the templates; takes some milliseconds.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let pairs = (0..TEMPLATES)
            .map(|_| build_pair(&mut random, shape))
            .collect();
        Self {
            random,
            shape,
            pairs,
            waiting: None,
            trace_ids: Vec::new(),
            span_ids: Vec::new(),
            sent_pairs: 0,
            sample: None,
        }
    }

    /// The next request; `now` is the end of its newest spans.
    pub fn next_request(&mut self, now_unix_nano: u64) -> Request {
        if let Some(second) = self.waiting.take() {
            return second;
        }
        let traces = self.traces_per_pair();
        self.trace_ids.clear();
        for _ in 0..traces {
            let (high, low) = (self.random.next_u64(), self.random.next_u64());
            let mut id = [0; 16];
            id[..8].copy_from_slice(&high.to_be_bytes());
            id[8..].copy_from_slice(&low.to_be_bytes());
            self.trace_ids.push(id);
        }
        self.span_ids.clear();
        for _ in 0..traces * self.shape.spans_per_trace {
            self.span_ids
                .push((self.random.next_u64() | 1).to_be_bytes());
        }
        let pair = &self.pairs[self.sent_pairs % self.pairs.len()];
        self.sent_pairs += 1;
        let [first, second] = [&pair[0], &pair[1]].map(|template| Request {
            body: fill(template, now_unix_nano, &self.trace_ids, &self.span_ids),
            spans: traces * self.shape.spans_per_trace / 2,
        });
        self.sample = self
            .trace_ids
            .first()
            .map(|id| (*id, self.shape.spans_per_trace));
        self.waiting = Some(second);
        first
    }

    /// A trace of the newest pair and its number of spans, once both requests of the pair were sent.
    pub fn sample_trace(&self) -> Option<([u8; 16], usize)> {
        self.sample
    }

    /// All trace ids of the newest pair.
    pub fn trace_ids(&self) -> &[[u8; 16]] {
        &self.trace_ids
    }

    fn traces_per_pair(&self) -> usize {
        traces_per_pair(self.shape)
    }
}

fn traces_per_pair(shape: Shape) -> usize {
    (shape.spans_per_request * 2 / shape.spans_per_trace).max(1)
}

fn fill(template: &Template, now: u64, trace_ids: &[[u8; 16]], span_ids: &[[u8; 8]]) -> Vec<u8> {
    let mut body = template.bytes.clone();
    for patch in &template.patches {
        match *patch {
            Patch::TraceId { at, slot } => {
                body[at..at + 16].copy_from_slice(&trace_ids[slot as usize])
            }
            Patch::SpanId { at, slot } => {
                body[at..at + 8].copy_from_slice(&span_ids[slot as usize])
            }
            Patch::Time { at, nanos_ago } => {
                body[at..at + 8].copy_from_slice(&now.wrapping_sub(nanos_ago).to_le_bytes());
            }
        }
    }
    body
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

fn build_pair(random: &mut Random, shape: Shape) -> [Template; 2] {
    let traces = traces_per_pair(shape);
    let mut halves: [Vec<(usize, Span)>; 2] = [Vec::new(), Vec::new()];
    for trace in 0..traces {
        for index in 0..shape.spans_per_trace {
            let span = build_span(random, shape, trace, index);
            let service = (trace + index / 2) % SERVICES.len();
            halves[index * 2 / shape.spans_per_trace].push((service, span));
        }
    }
    halves.map(|spans| {
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
        find_patches(ExportTraceServiceRequest { resource_spans }.encode_to_vec())
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
    let ago =
        900_000_000 - (index as u32) * 20_000_000 % 800_000_000 - random.below(9_000_000) as u32;
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
    let events = if index % 4 == 0 {
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

fn find_patches(bytes: Vec<u8>) -> Template {
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
    Template { bytes, patches }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn pairs_hold_whole_traces_with_fresh_ids() -> Result<(), prost::DecodeError> {
        let shape = Shape {
            spans_per_request: 100,
            spans_per_trace: 20,
            attributes_per_span: 15,
        };
        let mut generator = Generator::new(7, shape);
        let now = 1_800_000_000_000_000_000;
        let mut spans_by_trace: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut span_ids = BTreeSet::new();
        for _ in 0..6 {
            let request = generator.next_request(now);
            let decoded = ExportTraceServiceRequest::decode(&request.body[..])?;
            let mut count = 0;
            for span in decoded
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans)
            {
                count += 1;
                assert_eq!(span.attributes.len(), 15);
                assert!(
                    span.end_time_unix_nano <= now
                        && span.start_time_unix_nano > now - 1_000_000_000
                );
                assert!(span.start_time_unix_nano < span.end_time_unix_nano);
                assert!(span_ids.insert(span.span_id.clone()));
                *spans_by_trace.entry(span.trace_id.clone()).or_default() += 1;
            }
            assert_eq!(count, request.spans);
        }
        assert_eq!(spans_by_trace.len(), 30);
        assert!(spans_by_trace.values().all(|count| *count == 20));
        Ok(())
    }
}
