//! A query that failed, for both kinds of clients (http-api.md §13.1, §15).

use http::StatusCode;
use thiserror::Error;
use vivace_shards::grpc::{Code, Gone, Status};

use crate::params::{BadMetrics, BadParameter};
use crate::source::{SourceError, TenantRefusal};

/// Why a query has no answer. The text goes to the client as it is.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The request is wrong.
    #[error(transparent)]
    Bad(#[from] BadParameter),
    /// A metrics query that can't be read; 400 as well, but streams have another code for it.
    #[error("{0}")]
    Text(String),
    /// The tenant can't be told.
    #[error(transparent)]
    Tenant(#[from] TenantRefusal),
    /// The tenant has too many jobs waiting.
    #[error("job queue full")]
    QueueFull,
    /// Searches run one query.
    #[error("math expressions not supported")]
    Math,
    /// `query_frontend.api_timeout` has passed.
    #[error("unable to process request in the configured timeout")]
    Timeout,
    /// A job failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The client has gone.
    #[error("context canceled")]
    Gone,
}

impl From<BadMetrics> for QueryError {
    fn from(error: BadMetrics) -> Self {
        match error {
            BadMetrics::Text(text) => Self::Text(text),
            BadMetrics::Parameter(bad) => Self::Bad(bad),
        }
    }
}

impl From<Gone> for QueryError {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl QueryError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Bad(_) | Self::Text(_) | Self::Tenant(_) | Self::Math | Self::Gone => false,
            Self::QueueFull | Self::Timeout => true,
            Self::Source(error) => error.is_retryable(),
        }
    }

    /// For HTTP.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) | Self::Text(_) => StatusCode::BAD_REQUEST,
            Self::Tenant(refusal) => refusal.status,
            Self::QueueFull => StatusCode::TOO_MANY_REQUESTS,
            Self::Math => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Source(error) => error.status(),
            // Nobody reads it.
            Self::Gone => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        }
    }

    /// For streams.
    pub fn grpc(&self) -> Status {
        let code = match self {
            Self::Bad(_) => Code::InvalidArgument,
            Self::Text(_) => Code::Unknown,
            Self::Tenant(refusal) if refusal.status == StatusCode::UNAUTHORIZED => Code::Unknown,
            Self::Tenant(_) => Code::InvalidArgument,
            Self::QueueFull | Self::Source(SourceError::Busy(_)) => Code::ResourceExhausted,
            Self::Source(SourceError::Unavailable(_)) => Code::Unavailable,
            Self::Source(SourceError::Failed(_)) | Self::Math => Code::Internal,
            Self::Timeout => {
                return Status::new(Code::DeadlineExceeded, "context deadline exceeded");
            }
            Self::Gone => Code::Cancelled,
        };
        Status::new(code, self.to_string())
    }
}
