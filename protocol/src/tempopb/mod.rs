//! Protobuf messages of Tempo's API (http-api.md §13.2) and of OTLP traces, as prost structs.

pub mod otlp;
mod query;
mod search;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use otlp::*;
pub use query::*;
pub use search::*;
pub use tags::*;

/// A whole trace: the body of a v1 trace answer, and the unit inside a [`PushBytesRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Trace {
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

/// The body of a v2 trace answer. `trace` is always set, also when nothing was found: clients
/// dereference it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    pub trace: Option<Trace>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<TraceByIdMetrics>,
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    #[prost(string, tag = "4")]
    pub message: String,
}

/// What answering a trace request cost.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceByIdMetrics {
    #[prost(uint64, tag = "1")]
    pub inspected_bytes: u64,
    #[prost(uint64, tag = "2")]
    pub backend_reads: u64,
    #[prost(uint64, tag = "3")]
    pub backend_bytes: u64,
    #[prost(btree_map = "string, int64", tag = "4")]
    pub additional_metrics: BTreeMap<String, i64>,
}

/// Whether an answer holds everything that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PartialStatus {
    Complete = 0,
    Partial = 1,
}

impl PartialStatus {
    /// The name in JSON answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Partial => "PARTIAL",
        }
    }
}

/// What an upstream distributor writes into the log: `traces` are encoded [`Trace`]s, `ids` stand
/// parallel to them (write-path.md §5).
#[derive(Clone, PartialEq, prost::Message)]
pub struct PushBytesRequest {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub traces: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub ids: Vec<Bytes>,
    #[prost(bool, tag = "5")]
    pub skip_metrics_generation: bool,
}
