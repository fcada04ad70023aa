//! The query API of the single process; see README.md.

mod accept;
mod answer;
mod metrics;
mod params;
mod query;
mod routes;
mod source;

pub use params::{BadParameter, Mode, TraceByIdParams, parse_trace_by_id};
pub use routes::{Deps, routes};
pub use source::{BlockLookup, FromBlocks, SourceError, TenantRefusal, Tenants, TraceSource};
