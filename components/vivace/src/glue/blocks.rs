//! The block builder's and the querier's way to the store and the blocklist.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_block_builder::{BoxError, Bucket, UploadStream};
use vivace_querier::{Blocks, StoreError};
use vivace_storage::{Blocklist, Error as StorageError, Storage, Upload};

use crate::node::Node;

/// Where blocks are uploaded to.
pub struct UploadBucket {
    storage: Storage,
    blocklist: Arc<Blocklist>,
}

impl UploadBucket {
    pub fn new(node: &Node, storage: &Storage) -> Self {
        Self {
            storage: storage.clone(),
            blocklist: Arc::clone(&node.blocklist),
        }
    }
}

impl Bucket for UploadBucket {
    fn existing<'a>(
        &'a self,
        tenant: &'a str,
        block: Uuid,
    ) -> LocalBoxFuture<'a, Result<Option<BlockMeta>, BoxError>> {
        async move {
            let (storage, id) = (&self.storage, block);
            if let Some(meta) = storage.find_meta(tenant, id).await? {
                return Ok(Some(meta));
            }
            Ok(storage.find_compacted_meta(tenant, id).await?)
        }
        .boxed_local()
    }

    fn upload<'a>(
        &'a self,
        key: &'a str,
    ) -> LocalBoxFuture<'a, Result<Box<dyn UploadStream>, BoxError>> {
        let upload = self.storage.upload(key);
        async move { Ok(Box::new(Stream(upload?)) as Box<dyn UploadStream>) }.boxed_local()
    }

    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> LocalBoxFuture<'a, Result<(), BoxError>> {
        async move { Ok(self.storage.put(key, bytes).await?) }.boxed_local()
    }

    fn publish(&self, meta: BlockMeta) {
        self.blocklist.add(meta);
    }
}

struct Stream(Upload);

impl UploadStream for Stream {
    fn write(&mut self, bytes: Bytes) -> LocalBoxFuture<'_, Result<(), BoxError>> {
        async move { Ok(self.0.write(bytes).await?) }.boxed_local()
    }

    fn finish(self: Box<Self>) -> LocalBoxFuture<'static, Result<(), BoxError>> {
        async move { Ok(self.0.finish().await?) }.boxed_local()
    }
}

/// The blocks that queries see.
pub struct ListedBlocks {
    storage: Storage,
    blocklist: Arc<Blocklist>,
}

impl ListedBlocks {
    pub fn new(node: &Node, storage: &Storage) -> Self {
        Self {
            storage: storage.clone(),
            blocklist: Arc::clone(&node.blocklist),
        }
    }
}

impl Blocks for ListedBlocks {
    fn of_tenant(&self, tenant: &str) -> Result<Arc<[Arc<BlockMeta>]>, String> {
        if let Some(why) = self.blocklist.missing(tenant) {
            return Err(why);
        }
        Ok(self.blocklist.for_trace_by_id(tenant))
    }

    fn is_listed(&self, meta: &BlockMeta) -> bool {
        self.blocklist.snapshot(&meta.tenant_id).is_live(meta)
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> LocalBoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let read = match range {
                Some(range) => self.storage.get_range(key, range).await,
                None => self.storage.get(key).await,
            };
            read.map_err(|error| store_error(&error))
        }
        .boxed_local()
    }
}

fn store_error(error: &StorageError) -> StoreError {
    match error {
        StorageError::NotFound { .. } => StoreError::NotFound,
        _ => StoreError::Other {
            text: error.to_string(),
            retryable: error.is_retryable(),
        },
    }
}
