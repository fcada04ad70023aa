//! What scanning allocates: nothing per span once the scanner is warm, and never much more than the input.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use vivace_allocations::{Counting, batch, measure};
use vivace_protocol::otlp::{ScanOptions, Scanner};
use vivace_protocol::record;

use super::rewrite::{put_message, put_varint};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OPTIONS: ScanOptions = ScanOptions {
    max_attribute_bytes: 2048,
    partitions: 2,
};

fn request(spans: usize) -> Vec<u8> {
    let attribute = |key: String, value| KeyValue {
        key,
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    };
    let spans = (0..spans)
        .map(|n| {
            let mut trace_id = vec![1; 16];
            trace_id[..8].copy_from_slice(
                &(n as u64 / 5)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_le_bytes(),
            );
            Span {
                trace_id,
                span_id: vec![3; 8],
                name: format!("operation {}", n % 7),
                start_time_unix_nano: n as u64,
                attributes: (0..15)
                    .map(|k| {
                        attribute(format!("key {k}"), Value::StringValue(format!("{}", n * k)))
                    })
                    .collect(),
                events: vec![Event {
                    name: "event".to_owned(),
                    ..Event::default()
                }],
                ..Span::default()
            }
        })
        .collect();
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
    .encode_to_vec()
}

#[test]
fn nothing_is_allocated_per_span() {
    let (small, large) = (request(100), request(2000));
    let mut scanner = Scanner::new();
    let mut allocations = |request: &[u8]| {
        let (scanned, measured) = measure(|| scanner.scan("t", request, &OPTIONS));
        scanned.unwrap();
        measured.allocations
    };
    allocations(&large);
    let (small, large) = (allocations(&small), allocations(&large));
    assert!(small < 40, "{small}");
    assert_eq!(large, small);
}

/// The batch goes into the log, and comes back out of it, as it is.
#[test]
fn records_of_the_log_are_written_and_read_in_place() {
    let header = record::Header {
        tenant: "t".to_owned(),
        received_unix_nano: 1,
        skip_metrics_generation: false,
    };
    let round = |traces| {
        let batch = batch(traces, 10);
        let (parts, written) = measure(|| record::encode(&header, &batch));
        let (read, of_read) = measure(|| record::decode_parts(&parts));
        assert_eq!(read.unwrap().1.view().span_count() as u64, traces * 10);
        (written, of_read)
    };
    let small = round(20);
    assert_eq!(round(200), small);
    assert!(
        small.0.allocations <= 3 && small.1.allocations <= 3,
        "{small:?}"
    );
}

/// A message inside a ResourceSpans and ScopeSpans.
fn wrapped(mut bytes: Vec<u8>, fields: &[u64]) -> Vec<u8> {
    for &field in fields {
        let mut outer = Vec::with_capacity(bytes.len() + 8);
        put_message(field, &bytes, &mut outer);
        bytes = outer;
    }
    bytes
}

/// The most memory in use while scanning, for each byte of the request.
fn peak_ratio(request: &[u8]) -> usize {
    let mut scanner = Scanner::new();
    let (_scanned, measured) = measure(|| scanner.scan("t", request, &OPTIONS));
    measured.peak_bytes / request.len()
}

#[test]
fn memory_is_linear_in_the_input() {
    const REPEATS: usize = 50_000;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        ..Span::default()
    };
    let with = |repeated: &[u8]| {
        let mut bytes = span.encode_to_vec();
        bytes.extend(repeated.repeat(REPEATS));
        wrapped(bytes, &[2, 2, 1])
    };
    let mut valid = Vec::new();
    put_message(2, &span.encode_to_vec(), &mut valid);
    let array = wrapped([0x0a, 0x00].repeat(REPEATS), &[5, 2, 9]);
    for (what, request) in [
        ("resources", [0x0a, 0x00].repeat(REPEATS)),
        (
            "resources with a scope",
            [0x0a, 0x02, 0x12, 0x00].repeat(REPEATS),
        ),
        ("scopes", wrapped([0x12, 0x00].repeat(REPEATS), &[1])),
        ("spans", wrapped([0x12, 0x00].repeat(REPEATS), &[2, 1])),
        (
            "named spans",
            wrapped([0x12, 0x02, 0x2a, 0x00].repeat(REPEATS), &[2, 1]),
        ),
        ("valid spans", wrapped(valid.repeat(REPEATS), &[2, 1])),
        ("attributes", with(&[0x4a, 0x00])),
        ("events", with(&[0x5a, 0x00])),
        ("links", with(&[0x6a, 0x00])),
        (
            "elements",
            with(&[])[..0]
                .iter()
                .copied()
                .chain({
                    let mut bytes = span.encode_to_vec();
                    bytes.extend(array);
                    wrapped(bytes, &[2, 2, 1])
                })
                .collect(),
        ),
    ] {
        let ratio = peak_ratio(&request);
        assert!(ratio <= 100, "{what}: {ratio} bytes for each byte");
    }
}

#[test]
fn a_length_alone_allocates_nothing() {
    for field in [1, 2, 9] {
        let mut bytes = Vec::new();
        put_varint(field << 3 | 2, &mut bytes);
        put_varint(u64::MAX >> 1, &mut bytes);
        let bytes = wrapped(bytes, &[2, 2, 1]);
        let mut scanner = Scanner::new();
        let (scanned, measured) = measure(|| scanner.scan("t", &bytes, &OPTIONS));
        scanned.unwrap_err();
        assert!(measured.peak_bytes < 4096, "{measured:?}");
    }
}

#[test]
fn a_huge_request_does_not_stay_in_memory() {
    let mut scanner = Scanner::new();
    scanner.scan("t", &request(30_000), &OPTIONS).unwrap();
    assert!(
        scanner.retained_bytes() < 14 << 20,
        "{}",
        scanner.retained_bytes()
    );
}
