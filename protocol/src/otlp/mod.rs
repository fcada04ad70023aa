//! OTLP in: JSON to protobuf, and protobuf to [`vivace_model::SpanBatch`]es.

mod json;
mod scan;

pub use json::{JsonError, json_to_protobuf};
pub use scan::{Rejected, ScanError, ScanOptions, Scanned, Scanner, Truncated};
