//! What is wrong with a file.

use crate::source::SourceError;

/// Why a part of `data.parquet` cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Not as Parquet has it.
    #[error("{0}")]
    Malformed(String),
}

impl FileError {
    pub fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }

    /// Whether another try may help: only where bytes did not come.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_retryable())
    }

    /// The same, with a place before it.
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        match self {
            Self::Malformed(what) => Self::Malformed(format!("{place}: {what}")),
            source => source,
        }
    }
}
