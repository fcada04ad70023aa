//! What the query frontend needs of others.

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

/// Finds the pieces of a trace, wherever they lie. Dropping the future gives the lookup up.
pub trait TraceSource {
    /// All pieces of the trace of one tenant that are acknowledged; empty when it is not known.
    fn find_trace<'a>(
        &'a self,
        tenant: &'a str,
        trace_id: TraceId,
    ) -> LocalBoxFuture<'a, Result<Vec<Fragment>, SourceError>>;
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
}
