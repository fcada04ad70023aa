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
