//! Why a block can't be read.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

/// What is wrong with bytes, without knowing where they lie.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) Cow<'static, str>);

impl Malformed {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// At a place of the file.
    pub(crate) fn at(self, offset: u64) -> Corrupt {
        Corrupt {
            column: None,
            offset,
            reason: self.0,
        }
    }

    /// At a place of a column.
    pub(crate) fn in_column(self, column: &str, offset: u64) -> Corrupt {
        Corrupt {
            column: Some(column.into()),
            ..self.at(offset)
        }
    }

    /// The same bytes are malformed next time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// A place of `data.parquet` that is not as the format says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Path of the leaf, when it is about one.
    pub column: Option<Box<str>>,
    /// Where in the file: of the page or of the structure in question.
    pub offset: u64,
    pub reason: Cow<'static, str>,
}

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(column) = &self.column {
            write!(f, "column {column}, ")?;
        }
        write!(f, "offset {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for Corrupt {}

impl Corrupt {
    /// The same bytes are corrupt next time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Why a block can't be read. `file` is tenant/block/object.
#[derive(Debug, Error)]
pub enum ReadError<E: std::error::Error + 'static> {
    /// The bytes did not come.
    #[error("{file}: bytes {start}-{end}: {source}")]
    Ranges {
        file: Arc<str>,
        start: u64,
        end: u64,
        source: E,
    },
    /// The bytes are not what the meta and the format say.
    #[error("{file}: {corrupt}")]
    Corrupt { file: Arc<str>, corrupt: Corrupt },
    /// The format of the block is none that is read here.
    #[error("{file}: {source}")]
    Format {
        file: Arc<str>,
        source: vivace_block::UnknownFormat,
    },
}

impl<E: std::error::Error + 'static> ReadError<E> {
    /// Whether another try may help: only when the bytes did not come. Whether it does then, the source knows.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Ranges { .. })
    }
}
