//! What the querier needs of others.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use thiserror::Error;
use vivace_block::BlockMeta;

/// An object that could not be read.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    #[error("it is not there")]
    NotFound,
    #[error("{text}")]
    Other { text: String, retryable: bool },
}

impl StoreError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Other { retryable, .. } => *retryable,
        }
    }
}

/// The blocks of all tenants, and the bytes of their objects.
pub trait Blocks {
    /// Every block that may hold a trace of the tenant: live ones, and those compacted so recently that what replaced them may
    /// not be listed yet. An error says why the list is not known.
    fn of_tenant(&self, tenant: &str) -> Result<Arc<[Arc<BlockMeta>]>, String>;

    /// Whether the block is listed now.
    fn is_listed(&self, meta: &BlockMeta) -> bool;

    /// A whole object, or a part of it; fewer bytes than asked for are an error.
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> LocalBoxFuture<'a, Result<Bytes, StoreError>>;
}
