//! Why a lookup in blocks failed. An answer without one of its blocks would look complete, so one failure fails it.

use thiserror::Error;
use uuid::Uuid;
use vivace_engine::{PlanError, QueryError};

use crate::source::StoreError;

#[derive(Debug, Error)]
pub enum Error {
    /// The list of blocks has not been read since the start.
    #[error("the list of blocks is not known yet: {why}")]
    NotListed { why: String },
    /// An object cannot be read.
    #[error("cannot read {object} of block {block} of tenant {tenant}: {source}")]
    Read {
        tenant: String,
        block: Uuid,
        object: String,
        source: StoreError,
    },
    /// A block is not what it should be.
    #[error("block {block} of tenant {tenant} cannot be searched: {why}")]
    Corrupt {
        tenant: String,
        block: Uuid,
        why: String,
    },
    /// There is no memory for what has to be read.
    #[error("not enough memory to read block {block}: {why}")]
    Memory { block: Uuid, why: String },
    /// Traces that lie in several places can't be put together.
    #[error("not enough memory to put the spans of traces together: {why}")]
    Gather { why: String },
    /// There is no memory for what the query finds.
    #[error("not enough memory for what the query finds: {why}")]
    Found { why: String },
    /// The query can't be evaluated on the data.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The query is none that runs.
    #[error(transparent)]
    Plan(PlanError),
    /// A mistake of ours.
    #[error("internal error: {why}")]
    Internal { why: String },
}

impl Error {
    /// Whether the same lookup may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotListed { .. }
            | Self::Memory { .. }
            | Self::Gather { .. }
            | Self::Found { .. } => true,
            Self::Read { source, .. } => source.is_retryable(),
            Self::Corrupt { .. } | Self::Query(_) | Self::Plan(_) | Self::Internal { .. } => false,
        }
    }
}
