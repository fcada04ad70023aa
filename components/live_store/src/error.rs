//! What can go wrong in the live-store.

/// The error of something outside (the log) that the live-store had to ask.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "live-store: the trace index of this shard uses {used} of {limit} bytes; it shrinks when the log's retention removes records"
    )]
    IndexFull { used: u64, limit: u64 },
    #[error("live-store: {limit} tenants already have live data")]
    TooManyTenants { limit: usize },
    #[error("live-store: partition {partition}, offset {offset} could not be read back: {source}")]
    Read {
        partition: u32,
        offset: u64,
        source: BoxError,
    },
    #[error(
        "live-store: partition {partition}, offset {offset} was read back but is not a valid record: {reason}"
    )]
    Corrupt {
        partition: u32,
        offset: u64,
        reason: String,
    },
    #[error("live-store: not enough memory for this lookup: {0}")]
    Memory(String),
    #[error("live-store: replay of partition {partition} stopped at offset {offset}: {source}")]
    Replay {
        partition: u32,
        offset: u64,
        source: BoxError,
    },
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::IndexFull { .. }
            | Self::TooManyTenants { .. }
            | Self::Read { .. }
            | Self::Memory(_)
            | Self::Replay { .. } => true,
            Self::Corrupt { .. } => false,
        }
    }
}
