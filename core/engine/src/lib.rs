//! Runs TraceQL over chunks of spans; see README.md.

mod answer;
mod dedicated;
mod error;
mod filter;
mod keep;
mod pipeline;
mod result;
mod tags;
mod value;

pub use answer::{AnswerOptions, answer};
pub use dedicated::Dedicated;
pub use error::{EngineError, PlanError, QueryError};
pub use filter::{Compiler, Filter, select};
pub use keep::{Keep, traces_of};
pub use pipeline::{Matches, Plan, Scope, Spanset, find};
pub use result::{SpanResult, SpanSetResult, TraceResult};
pub use tags::{FoundTags, Tag, tag_filters, tag_names, tag_values};
