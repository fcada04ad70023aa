//! OTLP in: JSON to protobuf, and protobuf to [`vivace_model::SpanBatch`]es.

mod json;

pub use json::{JsonError, json_to_protobuf};
