//! Runs TraceQL over chunks of spans; see README.md.

mod result;

pub use result::{SpanResult, SpanSetResult, TraceResult};
