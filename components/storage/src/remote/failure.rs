//! What our HTTP layer says of a request that failed, and how it becomes an [`Error`].

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use object_store::Error as StoreError;

use crate::error::Error;

/// Why a request failed for good. Travels through `object_store` as the source of its errors.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{last}, {attempts} attempts in {within:?}")]
    Exhausted {
        attempts: u32,
        within: Duration,
        last: String,
    },
    #[error("HTTP {status}: {text}")]
    Refused { status: u16, text: String },
    #[error("HTTP {status}: {text}; is its name right, and has it been made?")]
    NoBucket { status: u16, text: String },
    #[error("answer of {bytes} bytes, at most {limit} are read")]
    TooLong { bytes: u64, limit: u64 },
}

/// How the text of a failure begins when a range lies behind the end of its object.
pub(super) const BEYOND_END: &str = "HTTP 416";

/// Which operation failed on what; turned into an error by [`Subject::error`].
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub store: Arc<str>,
    pub operation: &'static str,
    pub key: String,
}

impl Subject {
    pub(super) fn unavailable(self, cause: impl Into<String>) -> Error {
        Error::Unavailable {
            store: self.store,
            operation: self.operation,
            key: self.key,
            cause: cause.into(),
        }
    }

    pub(super) fn error(self, error: StoreError) -> Error {
        let Self {
            store,
            operation,
            key,
        } = self;
        if let Some(failure) = find(&error) {
            let cause = failure.to_string();
            return match failure {
                Failure::Exhausted { .. } => Error::Unavailable {
                    store,
                    operation,
                    key,
                    cause,
                },
                Failure::NoBucket { .. } => Error::Config { store, cause },
                Failure::Refused { .. } => Error::Refused {
                    store,
                    operation,
                    key,
                    cause,
                },
                Failure::TooLong { bytes, limit } => Error::TooLarge {
                    store,
                    key,
                    bytes: *bytes,
                    limit: *limit,
                },
            };
        }
        let cause = chain(&error);
        match error {
            StoreError::NotFound { .. } => Error::NotFound { store, key },
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                Error::Permission { store, key, cause }
            }
            StoreError::InvalidPath { .. } => Error::InvalidKey { store, key },
            StoreError::NotSupported { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::AlreadyExists { .. }
            | StoreError::Precondition { .. }
            | StoreError::NotModified { .. } => Error::Refused {
                store,
                operation,
                key,
                cause,
            },
            StoreError::UnknownConfigurationKey { .. } => Error::Config { store, cause },
            // Answers that make no sense, of a gateway for example, and credentials that cannot be had: both can pass.
            _ => Error::Unavailable {
                store,
                operation,
                key,
                cause,
            },
        }
    }
}

/// Our own failure among an error's sources.
fn find(error: &StoreError) -> Option<&Failure> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        source = error.source();
    }
    None
}

/// An error's text with those of its sources that it does not contain already.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
