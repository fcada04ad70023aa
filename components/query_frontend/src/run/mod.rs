//! Running queries: the queue of jobs, a query's jobs, and what is made of their results.

mod held;
mod metrics;
mod queue;
mod runner;
mod search;
mod tags;
#[cfg(test)]
mod tests;

pub use metrics::MetricsRun;
pub use queue::Queue;
pub use runner::{Progress, Rules, Runner};
pub use search::{Found, SearchRun};
pub use tags::{TagBounds, TagsRun};
