//! What a metrics query asks for and answers.

use std::sync::Arc;

use vivace_traceql::Static;

/// Names with values, in the order of the query (traceql.md §7.4).
pub type Labels = Vec<(Arc<str>, Static)>;

/// One series of a final answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    /// By time. Of an instant query at most one.
    pub samples: Vec<Sample>,
    pub exemplars: Vec<Exemplar>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub unix_milli: i64,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub labels: Labels,
    pub unix_milli: i64,
    pub value: f64,
}

/// The time that a metrics query looks at, aligned (traceql.md §7.2): interval i is (start + i * step, start + (i + 1) * step].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsRequest {
    /// Unix nanoseconds, not included.
    pub start: u64,
    /// Unix nanoseconds, included.
    pub end: u64,
    /// Nanoseconds, not 0. An instant query has one step as long as its range.
    pub step: u64,
    pub is_instant: bool,
    /// Exemplars of the whole answer; 0: none.
    pub exemplars: u32,
    /// Series of the whole answer; 0: as many as there are.
    pub max_series: u32,
}
