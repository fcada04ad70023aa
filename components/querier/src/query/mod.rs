//! Queries over all spans of a tenant: live data and blocks as one.

mod gather;
mod metrics;
mod overlap;
mod search;
mod tags;
mod view;
mod walk;

pub use gather::matching_spans;
pub use metrics::{Counted, MetricsJob};
pub use overlap::Overlap;
pub use search::{SearchJob, Searched};
pub use tags::{TagsJob, TagsResult, WantedTags};
pub use view::{Planned, Unit, View};
pub use walk::Cost;
