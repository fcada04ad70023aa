//! The query frontend's way to all spans of a tenant: live data of every shard and blocks, as jobs over the shards.

mod apart;
mod jobs;
mod metrics;
mod search;
mod source;
mod tags;
mod view;

pub use source::{DedicatedOf, Queries, TargetBytes, Task};
