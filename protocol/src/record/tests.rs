use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::batches::batch;
use crate::tempopb::{ResourceSpans, ScopeSpans, Span, Trace};

fn sample_batch() -> SpanBatch {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "a".into(),
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..Default::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..Default::default()
    }];
    batch(&Trace { resource_spans }).unwrap()
}

fn header(tenant: &str) -> Header {
    Header {
        tenant: tenant.to_owned(),
        received_unix_nano: 0x0102_0304_0506_0708,
        skip_metrics_generation: true,
    }
}

fn encoded(tenant: &str) -> Vec<u8> {
    encode(&header(tenant), &sample_batch()).concat()
}

#[test]
fn the_header_is_as_documented() {
    let parts = encode(&header("team-a"), &sample_batch());
    let mut want = b"VIVR\x01\0\x01\0\x08\x07\x06\x05\x04\x03\x02\x01\x06\0\0\0".to_vec();
    want.extend((parts[1].len() as u32).to_le_bytes());
    want.extend(b"team-a\0\0");
    assert_eq!(parts[0], want);
    // The batch is handed on, not copied.
    assert_eq!(parts.len(), 2);
}

#[test]
fn a_record_reads_back_and_its_batch_is_aligned() {
    for tenant in ["", "a", "1234567", "12345678", "ténant", &"x".repeat(150)] {
        let parts = encode(&header(tenant), &sample_batch());
        assert_eq!(parts[0].len() % 8, 0);
        let (got, read) = decode(parts.concat().into()).unwrap();
        assert_eq!(got, header(tenant));
        let (got, apart) = decode_parts(&parts).unwrap();
        assert_eq!(got, header(tenant));
        assert_eq!(apart.as_bytes().as_ptr(), parts[1].as_ptr());
        let whole = Bytes::from(parts.concat());
        let other_pieces = [whole.slice(..5), whole.slice(5..30), whole.slice(30..)];
        assert_eq!(decode_parts(&other_pieces).unwrap().1.as_bytes(), &parts[1]);
        assert_eq!(read.as_bytes(), &parts[1]);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let good = encoded("t");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        decode(bytes.into()).unwrap_err().to_string()
    };
    let longer = [&good[..], &[0]].concat();
    let text = [
        decode(Bytes::new()).unwrap_err().to_string(),
        decode(Bytes::copy_from_slice(&good[..10]))
            .unwrap_err()
            .to_string(),
        decode(Bytes::copy_from_slice(&good[..40]))
            .unwrap_err()
            .to_string(),
        decode(longer.into()).unwrap_err().to_string(),
        with(0, b'X'),
        with(4, 2),
        with(6, 2),
        with(16, 0xff),
        with(24, 0xff),
        with(32, 0xff),
        decode(Bytes::from_static(b"\x1a\x00"))
            .unwrap_err()
            .to_string(),
        decode(Bytes::from_static(b"\x12\x00\x1a\x00"))
            .unwrap_err()
            .to_string(),
    ]
    .join("\n");
    crate::expect::check("record-errors.txt", &(text + "\n"));
}

#[test]
fn upstream_records_are_recognised() {
    // The vector of write-path.md §5.
    let bytes = b"\x12\x02\x0a\x00\x1a\x10\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x28\x01";
    let Record::Foreign(record) = decode_any(Bytes::from_static(bytes)).unwrap() else {
        panic!("not foreign");
    };
    assert!(record.skip_metrics_generation);
    assert_eq!(
        record.traces,
        [ForeignTrace {
            id: (0..16u8).collect::<Vec<_>>().into(),
            otlp: Bytes::from_static(b"\x0a\x00"),
        }]
    );
    assert!(matches!(
        decode(Bytes::from_static(bytes)),
        Err(RecordError::Foreign)
    ));
}

#[test]
fn a_record_cut_off_anywhere_is_refused() {
    let good = encoded("tenant");
    for end in 0..good.len() {
        assert!(
            decode_any(Bytes::copy_from_slice(&good[..end])).is_err(),
            "{end}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn broken_records_never_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded("tenant");
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok((_, batch)) = decode(bytes.into()) {
            prop_assert!(batch.view().span_count() > 0);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode_any(bytes.into());
    }
}
