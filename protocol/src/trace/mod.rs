//! Pieces of a trace, from wherever they lie, put together into one answer.

mod combine;
mod content;
mod groups;
mod shared_ids;
#[cfg(test)]
mod tests;

use std::ops::Range;

use vivace_model::SpanBatch;

pub use crate::json::{
    to_json_llm, to_json_llm_pausing, to_json_v1, to_json_v1_pausing, to_json_v2,
    to_json_v2_pausing,
};
pub use combine::{combine, combine_pausing};

use crate::tempopb::{PartialStatus, Trace, TraceByIdMetrics, TraceByIdResponse};

/// Rows of a batch that belong to the trace asked for.
#[derive(Debug, Clone)]
pub struct Fragment {
    pub batch: SpanBatch,
    pub rows: Range<usize>,
}

/// How to read a trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CombineOptions {
    /// Largest protobuf of the trace; spans that start later are left out. 0 = no limit.
    pub max_bytes: u64,
    /// Gives the server span of a Zipkin-style shared span id an id of its own, below the client span.
    /// Reading a trace by id always does.
    pub split_shared_ids: bool,
}

impl CombineOptions {
    /// What an answer to trace by id needs.
    pub fn trace_by_id(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            split_shared_ids: true,
        }
    }
}

/// A trace put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    pub trace: Trace,
    /// Spans in `trace`.
    pub spans: usize,
    /// Spans that the size limit kept out.
    pub left_out: usize,
    /// The limit, as in [`CombineOptions`].
    pub max_bytes: u64,
}

impl Combined {
    /// Nothing was found at all.
    pub fn is_empty(&self) -> bool {
        self.spans == 0 && self.left_out == 0
    }

    /// Whether the size limit kept spans out.
    pub fn is_partial(&self) -> bool {
        self.left_out > 0
    }

    /// What a v2 answer says about a partial trace, empty for a complete one (http-api.md §4.2).
    pub fn message(&self) -> String {
        if !self.is_partial() {
            return String::new();
        }
        format!(
            "Trace exceeds maximum size of {} bytes, a partial trace is returned",
            self.max_bytes
        )
    }

    /// What v1, which knows no partial answers, says instead of a partial trace: with status 422.
    pub fn too_large_error(&self) -> Option<String> {
        self.is_partial().then(|| {
            format!(
                "error querying live-stores in Querier.FindTraceByID: trace exceeds max size (max bytes: {})",
                self.max_bytes
            )
        })
    }

    /// The v2 answer.
    pub fn into_response(self, metrics: TraceByIdMetrics) -> TraceByIdResponse {
        let status = if self.is_partial() {
            PartialStatus::Partial
        } else {
            PartialStatus::Complete
        };
        TraceByIdResponse {
            message: self.message(),
            status: status as i32,
            metrics: Some(metrics),
            trace: Some(self.trace),
        }
    }
}
