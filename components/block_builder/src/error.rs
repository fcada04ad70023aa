//! Why a section is not in blocks yet. All of it is tried again, for ever: the log keeps the records until it is done.

use std::path::PathBuf;

use thiserror::Error;
use uuid::Uuid;

use crate::source::BoxError;

#[derive(Debug, Error)]
pub enum Error {
    /// The log does not give the records, or does not take the commit.
    #[error("cannot {what} the ingest log: {source}")]
    Log {
        what: &'static str,
        source: BoxError,
    },
    /// The folder of local blocks.
    #[error("cannot {what} {}: {source}", path.display())]
    Folder {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// The block cannot be made.
    #[error("cannot build block {block} of tenant {tenant}: {why}")]
    Build {
        tenant: String,
        block: Uuid,
        why: String,
    },
    /// The store refuses.
    #[error("cannot upload block {block} of tenant {tenant}: {source}")]
    Upload {
        tenant: String,
        block: Uuid,
        source: BoxError,
    },
    /// The store takes too long.
    #[error(
        "the upload of block {block} of tenant {tenant} took longer than live_store.flush_op_timeout ({seconds} s)"
    )]
    Slow {
        tenant: String,
        block: Uuid,
        seconds: u64,
    },
}

impl Error {
    /// Whether another attempt can help: always, since disks and stores get mended while the log keeps the records.
    pub fn is_retryable(&self) -> bool {
        true
    }
}
