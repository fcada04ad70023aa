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

impl TraceResult {
    /// About what it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let services = self.services.iter();
        let services: usize = services
            .map(|stats| size_of_val(stats) + stats.service.len())
            .sum();
        let attributes = |attributes: &[(Arc<str>, Static)]| -> usize {
            let each = attributes.iter();
            each.map(|(_, value)| ATTRIBUTE_BYTES + text_bytes(value))
                .sum()
        };
        let spans = |spans: &[SpanResult]| -> usize {
            let each = spans.iter();
            each.map(|span| size_of_val(span) + attributes(&span.attributes))
                .sum()
        };
        let sets = self.span_sets.iter();
        let sets: usize = sets
            .map(|set| size_of_val(set) + attributes(&set.attributes) + spans(&set.spans))
            .sum();
        size_of_val(self) + self.root_service.len() + self.root_name.len() + services + sets
    }
}

/// A name that others share, and a value.
const ATTRIBUTE_BYTES: usize = size_of::<(Arc<str>, Static)>();

fn text_bytes(value: &Static) -> usize {
    match value {
        Static::String(text) => text.len(),
        Static::StringArray(texts) => texts.iter().map(|text| text.len() + 16).sum(),
        Static::IntArray(values) => values.len() * 8,
        Static::FloatArray(values) => values.len() * 8,
        _ => 0,
    }
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
