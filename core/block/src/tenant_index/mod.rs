//! The index of a tenant: the metas of all its blocks in one object, which is stored in two forms (block-format.md §1.4).
//!
//! An index may have ten thousands of blocks, so that both directions of both forms call `pause` every few of them, and
//! after every piece that is compressed or decompressed.

mod json;
mod json_split;
mod protobuf;

use std::io;

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::BlockMeta;
use crate::limits::{MAX_TENANT_INDEX_BLOCKS, MAX_TENANT_INDEX_BYTES};

/// Blocks between two pauses: some 100 us of work.
const BLOCKS_PER_PAUSE: usize = 16;
/// Bytes decompressed between two pauses.
const BYTES_PER_PAUSE: usize = 64 << 10;

/// A block that was merged into another, or whose time was up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactedBlockMeta {
    pub meta: BlockMeta,
    pub compacted_time: DateTime<Utc>,
}

/// All blocks of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantIndex {
    pub created_at: DateTime<Utc>,
    /// Live blocks.
    pub meta: Vec<BlockMeta>,
    pub compacted: Vec<CompactedBlockMeta>,
}

/// Why bytes are not a tenant index, or why an index cannot become bytes.
#[derive(Debug, Error)]
pub enum TenantIndexError {
    #[error("tenant index: cannot be decompressed: {0}")]
    Decompress(#[source] io::Error),
    #[error("tenant index: cannot be compressed: {0}")]
    Compress(#[source] io::Error),
    #[error("tenant index: more than {MAX_TENANT_INDEX_BYTES} bytes when decompressed")]
    TooLong,
    #[error("tenant index: more than {MAX_TENANT_INDEX_BLOCKS} blocks")]
    TooManyBlocks,
    #[error("tenant index: {place}: {error}")]
    Protobuf {
        /// Such as `meta 3`, counted from 0.
        place: String,
        error: prost::DecodeError,
    },
    #[error("tenant index: {place}: {what}")]
    Value {
        /// Such as `meta 3`, counted from 0.
        place: String,
        what: String,
    },
    #[error("tenant index: {place}: {error}")]
    Json {
        /// Such as `meta 3`, counted from 0.
        place: String,
        error: serde_json::Error,
    },
}

impl TenantIndexError {
    /// The same bytes fail again.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl TenantIndex {
    /// Nothing to store: an empty index is deleted and not written.
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty() && self.compacted.is_empty()
    }

    /// The bytes of `index.pb.zst`.
    pub async fn to_protobuf(&self, pause: impl AsyncFn()) -> Result<Vec<u8>, TenantIndexError> {
        protobuf::encode(self, &pause).await
    }

    /// Reads `index.pb.zst`.
    pub async fn from_protobuf(
        bytes: &[u8],
        pause: impl AsyncFn(),
    ) -> Result<Self, TenantIndexError> {
        let decoder =
            zstd::stream::read::Decoder::new(bytes).map_err(TenantIndexError::Decompress)?;
        let bytes = decompress(decoder, MAX_TENANT_INDEX_BYTES, &pause).await?;
        protobuf::decode(&bytes, &pause).await
    }

    /// The bytes of `index.json.gz`.
    pub async fn to_json(&self, pause: impl AsyncFn()) -> Result<Vec<u8>, TenantIndexError> {
        json::encode(self, &pause).await
    }

    /// Reads `index.json.gz`.
    pub async fn from_json(bytes: &[u8], pause: impl AsyncFn()) -> Result<Self, TenantIndexError> {
        let decoder = flate2::read::MultiGzDecoder::new(bytes);
        let bytes = decompress(decoder, MAX_TENANT_INDEX_BYTES, &pause).await?;
        json::decode(&bytes, &pause).await
    }

    fn check_room(&self) -> Result<(), TenantIndexError> {
        match self.meta.len() + self.compacted.len() < MAX_TENANT_INDEX_BLOCKS {
            true => Ok(()),
            false => Err(TenantIndexError::TooManyBlocks),
        }
    }
}

async fn decompress(
    mut from: impl io::Read,
    max_bytes: usize,
    pause: &impl AsyncFn(),
) -> Result<Vec<u8>, TenantIndexError> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; BYTES_PER_PAUSE];
    loop {
        let read = from
            .read(&mut piece)
            .map_err(TenantIndexError::Decompress)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        if bytes.len() + read.len() > max_bytes {
            return Err(TenantIndexError::TooLong);
        }
        bytes.extend_from_slice(read);
        pause().await;
    }
}

#[cfg(test)]
mod tests;
