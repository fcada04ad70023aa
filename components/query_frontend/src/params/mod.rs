//! Parameters of the endpoints and the texts of their refusals (http-api.md §4, §6-8).

mod logfmt;
mod metrics;
mod numbers;
mod search;
mod tags;
#[cfg(test)]
mod tests;
mod time;
mod trace;

use thiserror::Error;

pub use metrics::{BadMetrics, MetricsCall, RawMetrics, plan_metrics};
pub use search::{RawSearch, SearchPlan, is_constant_false, plan_search};
pub use tags::{RawTags, TagsPlan, What, plan_names, plan_values};
pub use time::{Asked, Bounds};
pub use trace::{Mode, TraceByIdParams, TraceFilter, parse_trace_by_id};

/// A parameter that could not be used. The text goes to the client as it is, with status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadParameter(pub String);

impl BadParameter {
    /// Repeating the same request can't help.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Decoded names and values of a URL's query.
pub type Pairs = [(String, String)];

/// The first value of a parameter, unless that is empty.
fn value<'a>(query: &'a Pairs, name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}
