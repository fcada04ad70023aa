//! What a search answers (traceql.md §6.3).

use std::sync::Arc;

use vivace_columns::ServiceStats;
use vivace_model::{SpanId, TraceId};
use vivace_traceql::Static;

/// One trace of a search's answer, evaluated whole.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceResult {
    pub trace_id: TraceId,
    /// Empty: no root span is there.
    pub root_service: Box<str>,
    pub root_name: Box<str>,
    pub start_unix_nano: u64,
    pub duration_nano: u64,
    /// By service, over all spans of the trace.
    pub services: Vec<ServiceStats>,
    /// At least one.
    pub span_sets: Vec<SpanSetResult>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpanSetResult {
    /// `by(...)` and aggregates, in the order in which they were added.
    pub attributes: Vec<(Arc<str>, Static)>,
    /// Spans of the set, also those that `spans` leaves out.
    pub matched: u32,
    pub spans: Vec<SpanResult>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpanResult {
    pub span_id: SpanId,
    /// Only if the query looks at names.
    pub name: Option<Box<str>>,
    pub start_unix_nano: u64,
    pub duration_nano: u64,
    /// Bare keys and canonical names of intrinsics with their values, never nil.
    pub attributes: Vec<(Arc<str>, Static)>,
}
