//! The scanner accepts what prost accepts, and then reads the same; it refuses what prost refuses.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use proptest::prelude::*;
use prost::Message;
use vivace_model::limits::MAX_VALUE_DEPTH;
use vivace_model::{SpanBatch, TraceId, hash};
use vivace_protocol::otlp::{ScanError, ScanOptions, Scanned, Scanner};

use super::otlp::{Flat, flatten, spans};
use super::rewrite::{Rewriter, put_message};
use super::{draw, iterations};

const TENANT: &str = "single-tenant";

/// Whether the scanner should keep it.
fn is_valid(flat: &Flat) -> bool {
    let span = &flat.span;
    let ids = span.trace_id.len() == 16
        && span.trace_id != [0; 16]
        && span.span_id.len() == 8
        && span.span_id != [0; 8]
        && matches!(span.parent_span_id.len(), 0 | 8);
    let mut attributes = [
        &flat.resource.attributes,
        &flat.scope.attributes,
        &span.attributes,
    ]
    .into_iter()
    .chain(span.events.iter().map(|event| &event.attributes))
    .chain(span.links.iter().map(|link| &link.attributes));
    ids && attributes.all(|attributes| are_valid(attributes, 0))
}

fn are_valid(attributes: &[KeyValue], depth: usize) -> bool {
    attributes.iter().all(|attribute| {
        attribute.key_strindex == 0
            && attribute
                .value
                .as_ref()
                .is_none_or(|value| is_valid_value(value, depth))
    })
}

fn is_valid_value(value: &AnyValue, depth: usize) -> bool {
    match &value.value {
        Some(Value::StringValueStrindex(_)) => false,
        Some(Value::ArrayValue(list)) => {
            depth < MAX_VALUE_DEPTH
                && list
                    .values
                    .iter()
                    .all(|value| is_valid_value(value, depth + 1))
        }
        Some(Value::KvlistValue(list)) => {
            depth < MAX_VALUE_DEPTH && are_valid(&list.values, depth + 1)
        }
        _ => true,
    }
}

/// The valid spans in the order of batches.
fn expected(request: ExportTraceServiceRequest, partitions: u32) -> Vec<(u32, Flat)> {
    let mut expected: Vec<_> = flatten(request)
        .into_iter()
        .filter(is_valid)
        .map(|flat| {
            let id = TraceId(flat.span.trace_id[..].try_into().unwrap());
            (hash::partition_of(TENANT, id, partitions), flat)
        })
        .collect();
    expected.sort_by(|(a, x), (b, y)| {
        let (x, y) = (&x.span, &y.span);
        (a, &x.trace_id, x.start_time_unix_nano).cmp(&(b, &y.trace_id, y.start_time_unix_nano))
    });
    expected
}

fn found(scanned: &Scanned) -> Vec<(u32, Flat)> {
    let mut found = Vec::new();
    for (partition, batch) in &scanned.batches {
        SpanBatch::verify(batch.as_bytes().clone()).unwrap();
        found.extend(spans(batch).into_iter().map(|flat| (*partition, flat)));
    }
    found
}

/// Compares scanner and oracle over any bytes; true when both accept.
pub fn agree(scanner: &mut Scanner, request: &[u8], partitions: u32) -> bool {
    let options = ScanOptions {
        max_attribute_bytes: 0,
        partitions,
    };
    let scanned = scanner.scan(TENANT, request, &options);
    match (ExportTraceServiceRequest::decode(request), scanned) {
        (Ok(decoded), Ok(scanned)) => {
            let expected = expected(decoded.clone(), partitions);
            let all = flatten(decoded).len() as u64;
            assert_eq!(scanned.spans, all);
            assert_eq!(scanned.accepted_spans + scanned.rejected.total(), all);
            assert_eq!(
                scanned.rejected.total() == 0,
                scanned.rejected.first_message.is_empty()
            );
            assert_eq!(scanned.repaired_utf8, 0);
            // prost does not show fields of AnyValue that it does not know.
            if scanned.rejected.unsupported_value == 0 {
                let found = found(&scanned);
                assert_eq!(found.len() as u64, scanned.accepted_spans);
                assert_eq!(found, expected);
                let mut traces: Vec<_> =
                    found.iter().map(|(_, flat)| &flat.span.trace_id).collect();
                traces.sort();
                traces.dedup();
                assert_eq!(traces.len(), scanned.traces as usize);
            }
            true
        }
        (Err(error), Ok(scanned)) => {
            let text = error.to_string();
            assert!(
                text.contains("UTF-8") || text.contains("recursion limit"),
                "{text}"
            );
            found(&scanned);
            false
        }
        (Ok(_), Err(error)) => {
            let ScanError::Broken { what, offset, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(what, "groups are not supported");
            assert!(offset <= request.len());
            false
        }
        (Err(_), Err(error)) => {
            assert!(matches!(error, ScanError::Broken { offset, .. } if offset <= request.len()));
            false
        }
    }
}

fn real(file: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/otlp");
    std::fs::read(format!("{folder}/{file}")).unwrap()
}

/// A real request of this many resources. None in a clone that has no conformance data beside it.
fn real_resources(count: usize) -> Option<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/otlp");
    if !std::path::Path::new(folder).exists() {
        return None;
    }
    let mut request = ExportTraceServiceRequest::decode(&real("0000.pb")[..]).unwrap();
    request.resource_spans.truncate(count);
    for scope_spans in request
        .resource_spans
        .iter_mut()
        .flat_map(|r| &mut r.scope_spans)
    {
        scope_spans.spans.truncate(4);
    }
    Some(request.encode_to_vec())
}

#[test]
fn real_requests_are_read_as_prost_reads_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/otlp");
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    let mut scanner = Scanner::new();
    for file in files.take(6) {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".pb") {
            assert!(agree(&mut scanner, &real(&name), 5), "{name}");
        }
    }
}

#[test]
fn a_request_cut_anywhere() {
    let Some(request) = real_resources(2) else {
        return;
    };
    let mut scanner = Scanner::new();
    for len in 0..request.len() {
        agree(&mut scanner, &request[..len], 2);
    }
}

#[test]
fn a_request_with_a_wrong_byte_anywhere() {
    let Some(request) = real_resources(1) else {
        return;
    };
    let mut scanner = Scanner::new();
    for at in 0..request.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut request = request.clone();
            request[at] ^= change;
            agree(&mut scanner, &request, 2);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(iterations(60)))]

    #[test]
    fn valid_requests(request in draw::request(), partitions in 1..5u32) {
        let mut scanner = Scanner::new();
        let bytes = request.encode_to_vec();
        for _ in 0..2 {
            prop_assert!(agree(&mut scanner, &bytes, partitions));
        }
        let again = [&bytes[..], &bytes].concat();
        prop_assert!(agree(&mut scanner, &again, partitions));
    }

    #[test]
    fn other_encodings(request in draw::request(), mut rng in Just(()).prop_perturb(|(), rng| rng)) {
        let bytes = Rewriter { rng: &mut rng }.message(&request.encode_to_vec());
        agree(&mut Scanner::new(), &bytes, 3);
    }

    #[test]
    fn wrong_bytes(
        request in draw::request(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = request.encode_to_vec();
        for (place, value) in changes {
            if !bytes.is_empty() {
                let at = place.index(bytes.len());
                bytes[at] = value;
            }
        }
        agree(&mut Scanner::new(), &bytes, 2);
    }

    #[test]
    fn noise(
        mut bytes in prop::collection::vec(prop::sample::select(NOISE.to_vec()), 0..60),
        wraps in prop::collection::vec(1..3u64, 0..5),
    ) {
        for field in wraps {
            let mut message = Vec::new();
            put_message(field, &bytes, &mut message);
            bytes = message;
        }
        agree(&mut Scanner::new(), &bytes, 2);
    }
}

/// Keys of known fields, small lengths and ends of varints.
const NOISE: &[u8] = &[
    0, 1, 2, 3, 4, 8, 9, 10, 12, 16, 18, 26, 34, 42, 45, 48, 50, 53, 57, 64, 65, 66, 72, 74, 80,
    90, 96, 106, 112, 122, 0x80, 0x81, 0x85, 0xff,
];
