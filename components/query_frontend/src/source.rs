//! What the query frontend needs of others.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, StatusCode};
use thiserror::Error;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;

/// A lookup that failed.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The stores have no room or time for this now.
    #[error("{0}")]
    Busy(String),
    /// It does not work at the moment: starting or stopping.
    #[error("{0}")]
    Unavailable(String),
    /// Data could not be read.
    #[error("{0}")]
    Failed(String),
}

impl SourceError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }

    /// The status that the client gets (http-api.md §15).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What of the blocks is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockLookup {
    pub trace_id: TraceId,
    /// Ids of blocks, both ends included.
    pub blocks: RangeInclusive<u128>,
    /// Unix seconds; blocks that end before are left out. 0 = none is.
    pub start_seconds: i64,
    /// Unix seconds; blocks that start later are left out. 0 = none is.
    pub end_seconds: i64,
}

/// What blocks had, and what it cost.
#[derive(Debug, Default)]
pub struct FromBlocks {
    pub fragments: Vec<Fragment>,
    /// Reads of the object store.
    pub reads: u64,
    /// Bytes of these reads.
    pub read_bytes: u64,
}

/// Finds the pieces of a trace, wherever they lie. Dropping a future gives its lookup up.
///
/// Spans move from recent data to blocks, never back. Whoever wants all of a trace asks for recent data first and, after that
/// answer, for blocks: then nothing is missed that moves in between.
pub trait TraceSource {
    /// All pieces of the trace of one tenant that are acknowledged and not yet in listed blocks; empty when it is not known.
    fn find_recent<'a>(
        &'a self,
        tenant: &'a str,
        trace_id: TraceId,
    ) -> LocalBoxFuture<'a, Result<Vec<Fragment>, SourceError>>;

    /// All pieces of the trace in the tenant's blocks.
    fn find_in_blocks<'a>(
        &'a self,
        tenant: &'a str,
        lookup: &'a BlockLookup,
    ) -> LocalBoxFuture<'a, Result<FromBlocks, SourceError>>;
}

/// A request whose tenant can't be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct TenantRefusal {
    /// 401 or 400.
    pub status: StatusCode,
    /// The body, without a line end.
    pub text: String,
}

/// Who asks, and what they may have.
pub trait Tenants {
    /// The tenants of a request, sorted, each once; several for `a|b` (configuration.md §9).
    fn of_request(&self, headers: &HeaderMap) -> Result<Vec<String>, TenantRefusal>;

    /// Largest trace in bytes of protobuf; 0 = no limit.
    fn max_bytes_per_trace(&self, tenant: &str) -> u64;

    /// The other limits of a tenant's queries.
    fn query_limits(&self, tenant: &str) -> QueryLimits;
}

/// What a tenant's queries may do (configuration.md §8.2, `read`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryLimits {
    /// Longest range of a search; zero: that of the front end.
    pub max_search_duration: Duration,
    /// Longest range of a metrics query; zero: that of the front end.
    pub max_metrics_duration: Duration,
    /// Bytes of names or values in an answer; 0: any.
    pub max_bytes_per_tag_values_query: u64,
    /// OR groups of a filter of tags; 0: the default.
    pub max_condition_groups_per_tag_query: u32,
    /// Trace ids have all 32 digits.
    pub left_pad_trace_ids: bool,
    /// Hints that only operators should use count.
    pub unsafe_query_hints: bool,
}
