//! What a store says of an object.

use chrono::{DateTime, Utc};

/// What a store says of an object without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// In bytes.
    pub size: u64,
    /// By the store's clock.
    pub last_modified: DateTime<Utc>,
}

/// A listing: keys, in order, with what is known of them.
pub type Objects = Vec<(String, ObjectInfo)>;
