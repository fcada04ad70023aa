//! Queries over all spans of a tenant: live data and blocks as one.

mod found;
mod gather;
mod metrics;
mod overlap;
mod room;
mod search;
mod tags;
mod view;
mod walk;

pub use found::FoundMemory;
pub use gather::{Gathered, matching_spans};
pub use metrics::{Counted, MetricsJob};
pub use overlap::Overlap;
pub(crate) use room::Gate;
pub use search::{SearchJob, Searched};
pub use tags::{TagsJob, TagsResult, WantedTags};
pub use view::{Planned, Unit, View};
pub use walk::Cost;
