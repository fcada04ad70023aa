use std::sync::Arc;

/// What can go wrong with a store. Each text names the store, the key where there is one, and the cause. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{store}: {key} does not exist")]
    NotFound { store: Arc<str>, key: String },

    #[error("{store}: access to {key:?} is denied: {cause}")]
    Permission {
        store: Arc<str>,
        key: String,
        cause: String,
    },

    /// The store as configured cannot work: no such bucket, wrong region, bad key file.
    #[error("{store}: {cause}")]
    Config { store: Arc<str>, cause: String },

    /// The store could not do it now, after all retries.
    #[error("{store}: cannot {operation} {key:?}: {cause}")]
    Unavailable {
        store: Arc<str>,
        operation: &'static str,
        key: String,
        cause: String,
    },

    /// The store understood, and will not do it.
    #[error("{store}: refuses to {operation} {key:?}: {cause}")]
    Refused {
        store: Arc<str>,
        operation: &'static str,
        key: String,
        cause: String,
    },

    #[error("{store}: {key}: {asked} bytes asked for, {got} received")]
    WrongLength {
        store: Arc<str>,
        key: String,
        asked: u64,
        got: u64,
    },

    #[error("{store}: {key} has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        store: Arc<str>,
        key: String,
        bytes: u64,
        limit: u64,
    },

    /// An object is not what its name says.
    #[error("{store}: {key} is damaged: {cause}")]
    Corrupt {
        store: Arc<str>,
        key: String,
        cause: String,
    },

    /// A key that no store can hold, such as `a//b` or `../x`.
    #[error("{store}: invalid key {key:?}")]
    InvalidKey { store: Arc<str>, key: String },
}

impl Error {
    /// Whether the same call can succeed later without a change of its arguments or the configuration.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            // Rights and credentials are repaired, or come late, behind our back.
            Self::Permission { .. } => true,
            Self::NotFound { .. }
            | Self::Config { .. }
            | Self::Refused { .. }
            | Self::WrongLength { .. }
            | Self::TooLarge { .. }
            | Self::Corrupt { .. }
            | Self::InvalidKey { .. } => false,
        }
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
