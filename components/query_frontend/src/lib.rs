//! The query API of the single process; see README.md.

mod accept;
mod answer;
mod answers;
mod api;
mod by_id;
mod config;
mod convert;
mod error;
mod execute;
mod jobs;
mod legacy;
pub mod limits;
mod metrics;
mod params;
mod query;
mod routes;
mod run;
mod source;
mod stream;
mod trace_filter;

pub use api::{Deps, Queries};
pub use config::{MetricsConfig, QueryConfig, SearchConfig};
pub use error::QueryError;
pub use jobs::{
    Job, JobCost, Jobs, MetricsSpec, QuerySource, Remembered, SearchSpec, Start, TagScope,
    TagValue, TagsFound, TagsSpec,
};
pub use metrics::Objective;
pub use params::{BadParameter, Mode, TraceByIdParams, TraceFilter, parse_trace_by_id};
pub use routes::{Frontend, routes};
pub use source::{
    BlockLookup, FromBlocks, QueryLimits, SourceError, TenantRefusal, Tenants, TraceSource,
};
