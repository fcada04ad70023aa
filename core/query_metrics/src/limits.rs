//! Every limit of this crate.

/// Sub-queries of one expression.
pub const MAX_LEAVES: usize = 64;

/// Levels of an expression of sub-queries: what walks it by recursion needs no more stack than this many calls.
pub const MAX_DEPTH: usize = 256;

/// Fields of a `by` (traceql.md §4.2).
pub const MAX_BY: usize = 5;

/// Quantiles of one function.
pub const MAX_QUANTILES: usize = 100;

/// Intervals of a request. Front ends allow far fewer (10,000) unless they are told not to check.
pub const MAX_INTERVALS: u64 = 2_000_000;

/// Groups of one sub-query, whatever `maxSeries` says.
pub const MAX_SERIES: u32 = 100_000;

/// Values by interval that the partial results of a query hold, all groups together: 24 bytes each at most.
pub const MAX_POINTS: usize = 16 << 20;

/// Values by interval of a final answer, 8 bytes each.
pub const MAX_SAMPLES: usize = 32 << 20;

/// Values of attributes that `compare` counts exactly. Above it the rarest are forgotten; totals stay exact.
pub const MAX_COMPARE_VALUES: usize = 200_000;

/// Attributes that `compare` looks at.
pub const MAX_COMPARE_ATTRIBUTES: usize = 10_000;

/// Exemplars of an answer (traceql.md §7.8).
pub const MAX_EXEMPLARS: u32 = 100;

/// Exemplars of one time slot.
pub const EXEMPLARS_PER_SLOT: usize = 2;

/// Spans, or attributes, between two pauses: well below a millisecond.
pub const PAUSE_EVERY: usize = 4096;

/// Spans or traces that an adaptive sampler reads whole first.
pub const ADAPTIVE_WARM_UP: u64 = 1000;

/// The adaptive sampler reads at least one of so many (traceql.md §7.11).
pub const ADAPTIVE_MAX_EVERY: u64 = 10;

/// Characters of a trace state that are looked at. W3C asks for 512.
pub const MAX_TRACE_STATE_BYTES: usize = 4096;
