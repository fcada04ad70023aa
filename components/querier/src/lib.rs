//! Finds traces in blocks, and runs queries over all spans of a tenant; see README.md.

mod cache;
mod error;
mod limits;
mod lookup;
mod metrics;
mod query;
mod source;

pub use cache::Caches;
pub use error::Error;
pub use lookup::{Found, Lookup, Querier};
pub use query::{
    Cost, Counted, FoundMemory, Gathered, MetricsJob, Overlap, Planned, SearchJob, Searched,
    TagsJob, TagsResult, Unit, View, WantedTags, matching_spans,
};
pub use source::{Blocks, StoreError};
