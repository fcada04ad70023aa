//! Where blocks come from.

use std::ops::Range;

use bytes::Bytes;
use uuid::Uuid;

/// Why something did not come.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SourceError {
    /// A key, or what was listed.
    pub place: String,
    pub reason: String,
    /// Whether another try may help.
    pub retryable: bool,
}

impl SourceError {
    pub fn new(place: impl Into<String>, reason: impl ToString) -> Self {
        Self {
            place: place.into(),
            reason: reason.to_string(),
            retryable: false,
        }
    }

    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

/// A block that was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedBlock {
    pub id: Uuid,
    /// It has a `meta.compacted.json` and no `meta.json`.
    pub compacted: bool,
}

/// A bucket. Keys are those of [`vivace_block::keys`]. Calls may block: commands have nothing else to do.
pub trait Source {
    /// In any order.
    fn tenants(&self) -> Result<Vec<String>, SourceError>;

    /// Those with one of the metas, in any order.
    fn blocks(&self, tenant: &str) -> Result<Vec<ListedBlock>, SourceError>;

    /// Bytes of an object; none: there is no such object.
    fn size(&self, key: &str) -> Result<Option<u64>, SourceError>;

    /// A whole object; none: there is no such object.
    fn read(&self, key: &str) -> Result<Option<Bytes>, SourceError>;

    /// Bytes of an object. Fewer come only if it ends before.
    fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, SourceError>;
}
