//! Who belongs to whom in a chunk.

use std::ops::Range;

use crate::column::Level;

/// Traces with their spans, spans with their resource and scope. Spans are numbered in the order of the chunk, trace after trace.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The first span of each trace, and the number of spans.
    pub trace_starts: Vec<u32>,
    /// By span.
    pub resource_of_span: Vec<u32>,
    /// By span.
    pub scope_of_span: Vec<u32>,
    pub resources: u32,
    pub scopes: u32,
}

impl Shape {
    pub fn traces(&self) -> u32 {
        self.trace_starts.len().saturating_sub(1) as u32
    }

    pub fn spans(&self) -> u32 {
        self.trace_starts.last().copied().unwrap_or(0)
    }

    /// The spans of a trace.
    pub fn spans_of(&self, trace: u32) -> Range<u32> {
        let start = self.trace_starts.get(trace as usize).copied();
        let end = self.trace_starts.get(trace as usize + 1).copied();
        start.unwrap_or(0)..end.unwrap_or(0)
    }

    /// The trace of each span.
    pub fn trace_of_span(&self) -> Vec<u32> {
        let mut of_span = Vec::with_capacity(self.spans() as usize);
        for trace in 0..self.traces() {
            of_span.resize(self.spans_of(trace).end as usize, trace);
        }
        of_span
    }

    /// Owners of a level; None for events and links, which `Members` count.
    pub fn owners(&self, level: Level) -> Option<u32> {
        match level {
            Level::Trace => Some(self.traces()),
            Level::Resource => Some(self.resources),
            Level::Scope => Some(self.scopes),
            Level::Span => Some(self.spans()),
            Level::Event | Level::Link => None,
        }
    }
}

/// Events or links of spans, numbered in the order of the chunk.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// The first of each span, and the number of all.
    pub starts: Vec<u32>,
}

impl Members {
    pub fn count(&self) -> u32 {
        self.starts.last().copied().unwrap_or(0)
    }

    pub fn of_span(&self, span: u32) -> Range<u32> {
        let start = self.starts.get(span as usize).copied();
        let end = self.starts.get(span as usize + 1).copied();
        start.unwrap_or(0)..end.unwrap_or(0)
    }
}
