//! Why a block could not be written.

use thiserror::Error;

/// What can go wrong in encoding, whatever the sink is.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// There is nothing to write: a block has at least one span.
    #[error("no spans to write")]
    Empty,
    /// Only versions 4 and 5 are written.
    #[error("blocks of format {0} are not written")]
    Format(vivace_block::Format),
    #[error("zstd: {0}")]
    Zstd(std::io::Error),
    /// A trace so large that one leaf of it takes more than a page may have.
    #[error("a page of {0} bytes: a page may have 2 GiB")]
    PageTooLarge(usize),
    #[error("footer: {0}")]
    Footer(#[from] parquet::errors::ParquetError),
}

/// Why a block could not be written.
#[derive(Debug, Error)]
pub enum WriteError<E> {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// What the sink said.
    #[error("{0}")]
    Sink(E),
}

impl EncodeError {
    /// The same spans fail again.
    pub fn is_retryable(&self) -> bool {
        false
    }
}
