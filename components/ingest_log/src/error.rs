use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What can go wrong with the log. Cheap to clone: one failed write answers a whole group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("ingest log: {0}")]
    Config(String),

    #[error(
        "ingest log: {} has format version {found}; this program reads version {supported}. \
         Start the version that wrote it, or point the log at another directory",
        file.display()
    )]
    UnknownVersion {
        file: PathBuf,
        found: String,
        supported: u32,
    },

    #[error("ingest log: {} is damaged: {what}", file.display())]
    Damaged { file: PathBuf, what: String },

    #[error("ingest log: {} is in use by another process", path.display())]
    Locked { path: PathBuf },

    #[error(
        "ingest log: disk full at {}: {free_bytes} bytes free, {needed_bytes} needed",
        path.display()
    )]
    DiskFull {
        path: PathBuf,
        free_bytes: u64,
        needed_bytes: u64,
    },

    #[error(
        "ingest log: partition {partition} has {used_bytes} bytes on the disk, its limit is {limit_bytes}: \
         what is in it has to be taken over first"
    )]
    Full {
        partition: u32,
        used_bytes: u64,
        limit_bytes: u64,
    },

    #[error(
        "ingest log: partition {partition} has {pending_bytes} bytes waiting for the disk \
         (limit {limit_bytes})"
    )]
    Busy {
        partition: u32,
        pending_bytes: u64,
        limit_bytes: u64,
    },

    #[error("ingest log: record of {bytes} bytes is larger than the limit of {limit_bytes}")]
    TooLarge { bytes: u64, limit_bytes: u64 },

    #[error("ingest log: partition {partition} does not belong to shard {shard}")]
    NotOwned { partition: u32, shard: usize },

    #[error("ingest log: consumer group {group:?}: {what}")]
    Group { group: String, what: String },

    #[error(
        "ingest log: partition {partition} has no record {offset} \
         (it holds {start_offset}..{end_offset})"
    )]
    NotFound {
        partition: u32,
        offset: u64,
        start_offset: u64,
        end_offset: u64,
    },

    #[error("ingest log: closed")]
    Closed,

    #[error("ingest log: cannot {what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: Arc<io::Error>,
    },
}

impl Error {
    /// Whether the same call can succeed later, without a change of its arguments or a restart.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::DiskFull { .. } | Error::Full { .. } | Error::Busy { .. } | Error::Io { .. } => {
                true
            }
            // The process is going down: a client does well to try again, elsewhere or later.
            Error::Closed => true,
            Error::Config(_)
            | Error::UnknownVersion { .. }
            | Error::Damaged { .. }
            | Error::Locked { .. }
            | Error::TooLarge { .. }
            | Error::NotOwned { .. }
            | Error::Group { .. }
            | Error::NotFound { .. } => false,
        }
    }
}

/// Whether the disk, or the quota on it, is exhausted.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
