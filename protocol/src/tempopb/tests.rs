use opentelemetry_proto::tonic::collector::trace::v1 as oracle;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::arbitrary;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_numbers_are_those_of_the_published_messages(trace in arbitrary::trace()) {
        let bytes = trace.encode_to_vec();
        let theirs = oracle::ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(theirs.encode_to_vec(), bytes);
    }
}

#[test]
fn a_success_is_two_bytes() {
    let success = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess::default()),
    };
    assert_eq!(success.encode_to_vec(), [0x0a, 0x00]);
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 3,
            error_message: "why".into(),
        }),
    };
    let theirs = oracle::ExportTraceServiceResponse::decode(&*partial.encode_to_vec()).unwrap();
    let theirs = theirs.partial_success.unwrap();
    assert_eq!((theirs.rejected_spans, &*theirs.error_message), (3, "why"));
}

/// The bytes of a member: a varint or a length with bytes. Written by hand, so that numbers are checked against the specification.
fn member(number: u8, varint: u64) -> Vec<u8> {
    let mut out = vec![number << 3];
    prost::encoding::encode_varint(varint, &mut out);
    out
}

fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, content.len() as u8];
    out.extend_from_slice(content);
    out
}

#[test]
fn requests_have_the_numbers_of_the_specification() {
    let entry = [bytes(1, b"k"), bytes(2, b"v")].concat();
    let wire = [
        bytes(1, &entry),
        member(2, 1),
        member(3, 2),
        member(4, 3),
        member(5, 4),
        member(6, 5),
        bytes(8, b"{}"),
        member(9, 6),
        bytes(11, b"x"),
    ]
    .concat();
    let search = SearchRequest {
        tags: [("k".to_owned(), "v".to_owned())].into(),
        min_duration_ms: 1,
        max_duration_ms: 2,
        limit: 3,
        start: 4,
        end: 5,
        query: "{}".into(),
        spans_per_span_set: 6,
        skip_ast_transformations: vec!["x".into()],
    };
    assert_eq!(SearchRequest::decode(&*wire), Ok(search.clone()));
    assert_eq!(search.encode_to_vec(), wire);
    let wire = [
        bytes(1, b"s"),
        bytes(2, b"q"),
        member(3, 1),
        member(4, 2),
        member(5, 3),
        member(6, 4),
    ]
    .concat();
    let tags = SearchTagsRequest {
        scope: "s".into(),
        query: "q".into(),
        start: 1,
        end: 2,
        max_tags_per_scope: 3,
        stale_values_threshold: 4,
    };
    assert_eq!(tags.encode_to_vec(), wire);
    let wire = [
        bytes(1, b"s"),
        bytes(2, b"q"),
        member(4, 1),
        member(5, 2),
        member(6, 3),
        member(7, 4),
    ]
    .concat();
    let values = SearchTagValuesRequest {
        tag_name: "s".into(),
        query: "q".into(),
        start: 1,
        end: 2,
        max_tag_values: 3,
        stale_value_threshold: 4,
    };
    assert_eq!(values.encode_to_vec(), wire);
    let mut wire = [bytes(1, b"q"), member(2, 1), member(3, 2), member(4, 3)].concat();
    for (number, value) in [(16u8, 4u8), (17, 5), (18, 0)] {
        // Numbers from 16 on have keys of two bytes.
        wire.extend_from_slice(&[number << 3 | 0x80, 1, value]);
    }
    let range = QueryRangeRequest {
        query: "q".into(),
        start: 1,
        end: 2,
        step: 3,
        exemplars: 4,
        max_series: 5,
        instant: Some(false),
        skip_ast_transformations: Vec::new(),
    };
    assert_eq!(range.encode_to_vec(), wire);
    let instant = QueryInstantRequest {
        query: "q".into(),
        start: 1,
        end: 2,
    };
    assert_eq!(instant.encode_to_vec(), wire[..7]);
}

#[test]
fn answers_have_the_numbers_of_the_specification() {
    let attribute = KeyValue {
        key: "k".into(),
        value: None,
    };
    let key = bytes(1, b"k");
    let span = [
        bytes(1, b"i"),
        bytes(2, b"n"),
        member(3, 1),
        member(4, 2),
        bytes(5, &key),
    ]
    .concat();
    let set = [bytes(1, &span), member(2, 3), bytes(3, &key)].concat();
    let stats = [
        bytes(1, b"svc"),
        bytes(2, &[member(1, 4), member(2, 5)].concat()),
    ]
    .concat();
    let trace = [
        bytes(1, b"t"),
        bytes(2, b"s"),
        bytes(3, b"r"),
        member(4, 6),
        member(5, 7),
        bytes(6, &set),
        bytes(7, &set),
        bytes(8, &stats),
    ]
    .concat();
    let more = [bytes(1, b"a"), member(2, 10)].concat();
    let figures: Vec<u8> = (1..10)
        .flat_map(|number| member(number, u64::from(number)))
        .collect();
    let figures = [figures, bytes(10, &more)].concat();
    let wire = [bytes(1, &trace), bytes(2, &figures)].concat();
    let set = SpanSet {
        spans: vec![FoundSpan {
            span_id: "i".into(),
            name: "n".into(),
            start_time_unix_nano: 1,
            duration_nanos: 2,
            attributes: vec![attribute.clone()],
        }],
        matched: 3,
        attributes: vec![attribute.clone()],
    };
    let metrics = SearchMetrics {
        inspected_traces: 1,
        inspected_bytes: 2,
        total_blocks: 3,
        completed_jobs: 4,
        total_jobs: 5,
        total_block_bytes: 6,
        inspected_spans: 7,
        backend_reads: 8,
        backend_bytes: 9,
        additional_metrics: [("a".to_owned(), 10)].into(),
    };
    let search = SearchResponse {
        traces: vec![TraceSearchMetadata {
            trace_id: "t".into(),
            root_service_name: "s".into(),
            root_trace_name: "r".into(),
            start_time_unix_nano: 6,
            duration_ms: 7,
            span_set: Some(set.clone()),
            span_sets: vec![set],
            service_stats: [(
                "svc".to_owned(),
                ServiceStats {
                    span_count: 4,
                    error_count: 5,
                },
            )]
            .into(),
        }],
        metrics: Some(metrics),
    };
    assert_eq!(search.encode_to_vec(), wire);
    assert_eq!(SearchResponse::decode(&*wire), Ok(search));

    let double =
        |number: u8, value: f64| [vec![number << 3 | 1], value.to_le_bytes().to_vec()].concat();
    let sample = [double(1, 0.5), member(2, 9)].concat();
    let exemplar = [bytes(1, &key), double(2, 0.5), member(3, 9)].concat();
    let series = [bytes(1, &key), bytes(2, &sample), bytes(4, &exemplar)].concat();
    let wire = [bytes(1, &series), member(3, 1), bytes(4, b"m")].concat();
    let range = QueryRangeResponse {
        series: vec![TimeSeries {
            labels: vec![attribute.clone()],
            samples: vec![Sample {
                value: 0.5,
                timestamp_ms: 9,
            }],
            exemplars: vec![Exemplar {
                labels: vec![attribute.clone()],
                value: 0.5,
                timestamp_ms: 9,
            }],
        }],
        metrics: None,
        status: 1,
        message: "m".into(),
    };
    assert_eq!(range.encode_to_vec(), wire);
    let wire = [
        bytes(1, &[bytes(1, &key), double(2, 0.5)].concat()),
        member(3, 1),
        bytes(4, b"m"),
    ]
    .concat();
    let instant = QueryInstantResponse {
        series: vec![InstantSeries {
            labels: vec![attribute],
            value: 0.5,
        }],
        metrics: None,
        status: 1,
        message: "m".into(),
    };
    assert_eq!(instant.encode_to_vec(), wire);
}

#[test]
fn tags_have_the_numbers_of_the_specification() {
    let figures: Vec<u8> = (1..8)
        .flat_map(|number| member(number, u64::from(number)))
        .collect();
    let metrics = Some(MetadataMetrics {
        inspected_bytes: 1,
        total_jobs: 2,
        completed_jobs: 3,
        total_blocks: 4,
        total_block_bytes: 5,
        backend_reads: 6,
        backend_bytes: 7,
        additional_metrics: Default::default(),
    });
    let tail = bytes(2, &figures);
    let names = SearchTagsResponse {
        tag_names: vec!["a".into()],
        metrics: metrics.clone(),
    };
    assert_eq!(
        names.encode_to_vec(),
        [bytes(1, b"a"), tail.clone()].concat()
    );
    let values = SearchTagValuesResponse {
        tag_values: vec!["a".into()],
        metrics: metrics.clone(),
    };
    assert_eq!(
        values.encode_to_vec(),
        [bytes(1, b"a"), tail.clone()].concat()
    );
    let pair = [bytes(1, b"x"), bytes(2, b"y")].concat();
    let scopes = SearchTagsV2Response {
        scopes: vec![SearchTagsV2Scope {
            name: "x".into(),
            tags: vec!["y".into()],
        }],
        metrics: metrics.clone(),
    };
    assert_eq!(
        scopes.encode_to_vec(),
        [bytes(1, &pair), tail.clone()].concat()
    );
    let values = SearchTagValuesV2Response {
        tag_values: vec![TagValue {
            r#type: "x".into(),
            value: "y".into(),
        }],
        metrics,
    };
    assert_eq!(values.encode_to_vec(), [bytes(1, &pair), tail].concat());
}
