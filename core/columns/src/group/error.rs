//! Why rows of a block can't be looked at.

use std::sync::Arc;

use thiserror::Error;
use vivace_block_reader::ReadError;

/// `file` is tenant/block/object.
#[derive(Debug, Error)]
pub enum LoadError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Read(#[from] ReadError<E>),
    /// Trace by id still works for such a block.
    #[error("{file}: search in vParquet3 is not supported")]
    Version3 { file: Arc<str> },
    /// The block has no such rows: a mistake of the caller, or a block that was opened again and is another one.
    #[error(
        "{file}: no rows {start}-{end} of row group {group}: the block has {groups} row groups, this one {rows} rows"
    )]
    NoRows {
        file: Arc<str>,
        group: usize,
        groups: usize,
        start: u32,
        end: u32,
        rows: u32,
    },
    /// Others use the memory at this moment.
    #[error("{file}: no memory for {bytes} bytes of column {column}")]
    NoRoom {
        file: Arc<str>,
        column: Box<str>,
        bytes: usize,
    },
    /// Fewer rows at once may do.
    #[error(
        "{file}: rows {start}-{end} of row group {group}: reading column {column} takes more than the {limit} bytes that these rows may take in memory"
    )]
    TooMuch {
        file: Arc<str>,
        group: usize,
        start: u32,
        end: u32,
        column: Box<str>,
        limit: usize,
    },
}

impl<E: std::error::Error + 'static> LoadError<E> {
    /// Whether another try may help: when the bytes did not come, or there was no memory.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Read(error) => error.is_retryable(),
            Self::NoRoom { .. } => true,
            Self::Version3 { .. } | Self::NoRows { .. } | Self::TooMuch { .. } => false,
        }
    }
}
