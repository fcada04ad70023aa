//! Spans of services as they come in practice: ids, times and some values are different in every span, the others are
//! of few or of some thousands.

use vivace_model::{
    EventRow, Owner, ResourceId, ScopeId, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId,
    TraceId, Value,
};

use super::random::Random;

const SPANS_PER_TRACE: u64 = 12;
const SERVICES: u64 = 40;
const START: u64 = 1_700_000_000_000_000_000;

fn resource(random: &mut Random, builder: &mut SpanBatchBuilder, service: u64) -> ResourceId {
    let attributes = [
        ("service.name", format!("service {service}")),
        ("k8s.namespace.name", format!("namespace {}", service % 7)),
        (
            "k8s.pod.name",
            format!("pod-{service}-{}", random.below(20)),
        ),
        ("host.name", format!("node {}", random.below(50))),
        ("service.version", format!("1.{}", service % 9)),
    ];
    for (key, value) in attributes {
        let (key, value) = (builder.intern(key), builder.intern(&value));
        builder.attribute(Owner::Resource, key, Value::string(value));
    }
    builder.resource(0, StringId(0), &[]).unwrap()
}

fn span_attributes(random: &mut Random, builder: &mut SpanBatchBuilder) {
    let texts = [
        ("http.request.method", "GET".to_owned()),
        ("url.path", format!("/items/{}", random.below(5_000))),
        ("server.address", format!("host {}", random.below(60))),
        ("thread.name", format!("worker {}", random.below(64))),
        ("customer.id", format!("c{:06}", random.below(100_000))),
        ("request.id", format!("{:016x}", random.next())),
    ];
    for (key, value) in texts {
        let (key, value) = (builder.intern(key), builder.intern(&value));
        builder.attribute(Owner::Span, key, Value::string(value));
    }
    let numbers = [
        ("http.response.status_code", 200 + random.below(5)),
        ("http.response.body.size", random.below(1 << 20)),
        ("thread.id", random.below(500)),
    ];
    for (key, value) in numbers {
        let key = builder.intern(key);
        builder.attribute(Owner::Span, key, Value::int(value.cast_signed()));
    }
}

fn span(
    random: &mut Random,
    builder: &mut SpanBatchBuilder,
    id: TraceId,
    parent: Option<SpanId>,
    (resource, scope): (ResourceId, ScopeId),
) -> SpanId {
    let start = START + random.below(600_000_000_000);
    span_attributes(random, builder);
    if random.one_in(10) {
        let event = EventRow {
            time_unix_nano: start + random.below(1_000_000),
            name: builder.intern("exception"),
            dropped_attributes_count: 0,
        };
        let key = builder.intern("exception.message");
        let value = builder.intern(&format!("timeout of request {}", random.below(1 << 30)));
        builder.attribute(Owner::Event, key, Value::string(value));
        builder.event(event);
    }
    let span_id = SpanId(random.next().to_be_bytes());
    let row = SpanRow {
        trace_id: id,
        span_id,
        parent_span_id: parent,
        name: builder.intern(&format!("operation {}", random.below(200))),
        kind: 1 + random.below(3) as i32,
        start_unix_nano: start,
        end_unix_nano: start + random.below(2_000_000_000),
        status_code: i32::from(random.one_in(20)) * 2,
        status_message: StringId(0),
        trace_state: StringId(0),
        flags: 0,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        resource,
        scope,
    };
    builder.end_span(row).unwrap();
    span_id
}

/// A batch with about this many spans, in traces of twelve.
pub fn batch(seed: u64, spans: u64) -> SpanBatch {
    let mut random = Random(seed);
    let mut builder = SpanBatchBuilder::new();
    let scope = builder.intern("library");
    let scope = builder.scope(scope, StringId(0), 0, StringId(0)).unwrap();
    let resources: Vec<_> = (0..SERVICES)
        .map(|service| resource(&mut random, &mut builder, service))
        .collect();
    for _ in 0..spans.div_ceil(SPANS_PER_TRACE) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random.next().to_be_bytes());
        id[8..].copy_from_slice(&random.next().to_be_bytes());
        let mut parent = None;
        let mut service = random.below(SERVICES);
        for number in 0..SPANS_PER_TRACE {
            if number % 4 == 0 {
                service = random.below(SERVICES);
            }
            let place = (resources[service as usize], scope);
            let this = span(&mut random, &mut builder, TraceId(id), parent, place);
            if random.one_in(2) {
                parent = Some(this);
            }
        }
    }
    builder.finish().unwrap()
}
