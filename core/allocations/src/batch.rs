//! Batches of any size with the same words.

use vivace_model::{
    EventRow, Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId, Value,
};

/// When the first span starts, in Unix nanoseconds; each starts a millisecond after the one before.
const START: u64 = 1_800_000_000_000_000_000;
/// Different values of anything.
const VALUES: u64 = 50;

/// A batch of whole traces. What it has once (resources, texts) does not depend on its size, from 50 spans on.
///
/// Spans have the attributes `http.request.method`, `url.path`, `db.system` (texts), `http.response.status_code`, `rows` (integers) and
/// `ratio` (a fraction), every fourth an event; resources `service.name`.
///
/// # Panics
/// If the batch would be larger than a batch can be.
pub fn batch(traces: u64, spans_per_trace: u64) -> SpanBatch {
    let mut builder = SpanBatchBuilder::new();
    let b = &mut builder;
    let mut resources = Vec::new();
    for number in 0..5 {
        let key = b.intern("service.name");
        let name = b.intern(&format!("service {number}"));
        b.attribute(Owner::Resource, key, Value::string(name));
        resources.push(b.resource(0, StringId(0), &[]).expect("few resources"));
    }
    let scope = b.intern("scope");
    let scope = b.scope(scope, StringId(0), 0, StringId(0));
    let scope = scope.expect("one scope");
    for trace in 0..traces {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&trace.to_be_bytes());
        for place in 0..spans_per_trace {
            let number = trace * spans_per_trace + place;
            for key in ["http.request.method", "url.path", "db.system"] {
                let text = b.intern(&format!("{key} {}", number % VALUES));
                let key = b.intern(key);
                b.attribute(Owner::Span, key, Value::string(text));
            }
            for key in ["http.response.status_code", "rows"] {
                let key = b.intern(key);
                let value = (number % VALUES).cast_signed() + 200;
                b.attribute(Owner::Span, key, Value::int(value));
            }
            let key = b.intern("ratio");
            b.attribute(Owner::Span, key, Value::double((number % VALUES) as f64));
            let start = START + number * 1_000_000;
            if number.is_multiple_of(4) {
                let name = b.intern("event");
                b.event(EventRow {
                    time_unix_nano: start,
                    name,
                    dropped_attributes_count: 0,
                });
            }
            let name = b.intern(&format!("operation {}", number % VALUES));
            let id_of = |place: u64| SpanId((place + 1).to_be_bytes());
            let row = SpanRow {
                trace_id: TraceId(id),
                span_id: id_of(place),
                parent_span_id: (place > 0).then(|| id_of((place - 1) / 2)),
                name,
                kind: (number % 5) as i32 + 1,
                start_unix_nano: start,
                end_unix_nano: start + (number % VALUES + 1) * 100_000,
                status_code: i32::from(number.is_multiple_of(7)) * 2,
                status_message: StringId(0),
                trace_state: StringId(0),
                flags: 0,
                dropped_attributes_count: 0,
                dropped_events_count: 0,
                dropped_links_count: 0,
                resource: resources[(number % 5) as usize],
                scope,
            };
            b.end_span(row).expect("room for a span");
        }
    }
    builder.finish().expect("room for the batch")
}
