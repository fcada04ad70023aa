//! What scanning allocates: nothing per span once the scanner is warm, and never much more than the input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use vivace_protocol::otlp::{ScanOptions, Scanner};

use super::rewrite::{put_message, put_varint};

/// Counts what the current thread does.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn add(bytes: usize) {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    let _ = USED.try_with(|used| {
        used.set(used.get().wrapping_add(bytes));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(used.get())));
    });
}

fn remove(bytes: usize) {
    let _ = USED.try_with(|used| used.set(used.get().saturating_sub(bytes)));
}

#[allow(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may exist for a moment.
        add(size);
        remove(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}

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
        let before = ALLOCATIONS.get();
        scanner.scan("t", request, &OPTIONS).unwrap();
        ALLOCATIONS.get() - before
    };
    allocations(&large);
    let (small, large) = (allocations(&small), allocations(&large));
    assert!(small < 40, "{small}");
    assert_eq!(large, small);
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
    let before = USED.get();
    PEAK.set(before);
    let scanned = scanner.scan("t", request, &OPTIONS);
    let ratio = PEAK.get().saturating_sub(before) / request.len();
    drop(scanned);
    ratio
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
        let before = USED.get();
        PEAK.set(before);
        scanner.scan("t", &bytes, &OPTIONS).unwrap_err();
        assert!(PEAK.get() - before < 4096, "{}", PEAK.get() - before);
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
