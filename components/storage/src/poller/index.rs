//! The index of a tenant: read when others write it, written for others (block-format.md §1.4).

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use vivace_block::keys;
use vivace_block::tenant_index::{CompactedBlockMeta, TenantIndex, TenantIndexError};

use super::Poller;
use super::tenant::pause;
use crate::blocklist::{CompactedBlock, TenantBlocks, now};
use crate::error::Error;

impl Poller {
    /// Reads the index in the first of its forms that there is. An index that is too old is an error.
    pub(super) async fn read_index(
        &self,
        tenant: &str,
    ) -> Result<(TenantBlocks, DateTime<Utc>), Error> {
        let key = keys::tenant_index_protobuf(tenant);
        let (key, parsed) = match self.storage.get(&key).await {
            Ok(bytes) => (
                key,
                TenantIndex::from_protobuf(&bytes, vivace_shards::breathe).await,
            ),
            Err(error) if error.is_not_found() => {
                let key = keys::tenant_index_json(tenant);
                let bytes = self.storage.get(&key).await?;
                let parsed = TenantIndex::from_json(&bytes, vivace_shards::breathe).await;
                (key, parsed)
            }
            Err(error) => return Err(error),
        };
        let index = parsed.map_err(|error| self.corrupt(&key, error.to_string()))?;
        let age = now() - index.created_at;
        let limit = self
            .config
            .stale
            .map(|stale| TimeDelta::from_std(stale).unwrap_or(TimeDelta::MAX));
        if limit.is_some_and(|limit| age > limit) {
            let cause = format!("written {} s ago, which is too long", age.num_seconds());
            return Err(self.corrupt(&key, cause));
        }
        let created_at = index.created_at;
        let (mut live, mut compacted) = (Vec::new(), Vec::new());
        for (step, mut meta) in index.meta.into_iter().enumerate() {
            // The folder says whose blocks these are, as when it is listed.
            meta.tenant_id = tenant.to_owned();
            live.push(Arc::new(meta));
            pause(step).await;
        }
        for (step, mut block) in index.compacted.into_iter().enumerate() {
            block.meta.tenant_id = tenant.to_owned();
            compacted.push(CompactedBlock {
                meta: Arc::new(block.meta),
                compacted_time: block.compacted_time,
            });
            pause(step).await;
        }
        Ok((TenantBlocks::new(live, compacted), created_at))
    }

    fn corrupt(&self, key: &str, cause: String) -> Error {
        Error::Corrupt {
            store: self.storage.name(),
            key: key.to_owned(),
            cause,
        }
    }

    /// Writes both forms, that of protobuf first.
    pub(super) async fn write_index(
        &self,
        tenant: &str,
        blocks: &TenantBlocks,
        created_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut index = TenantIndex {
            created_at,
            meta: Vec::with_capacity(blocks.live.len()),
            compacted: Vec::with_capacity(blocks.compacted.len()),
        };
        for (step, meta) in blocks.live.iter().enumerate() {
            index.meta.push((**meta).clone());
            pause(step).await;
        }
        for (step, block) in blocks.compacted.iter().enumerate() {
            index.compacted.push(CompactedBlockMeta {
                meta: (*block.meta).clone(),
                compacted_time: block.compacted_time,
            });
            pause(step).await;
        }
        let key = keys::tenant_index_protobuf(tenant);
        let bytes = index.to_protobuf(vivace_shards::breathe).await;
        self.write(&key, bytes).await?;
        let key = keys::tenant_index_json(tenant);
        let bytes = index.to_json(vivace_shards::breathe).await;
        self.write(&key, bytes).await
    }

    async fn write(
        &self,
        key: &str,
        bytes: Result<Vec<u8>, TenantIndexError>,
    ) -> Result<(), Error> {
        let bytes = bytes.map_err(|error| Error::Refused {
            store: self.storage.name(),
            operation: "write",
            key: key.to_owned(),
            cause: error.to_string(),
        })?;
        self.storage.put(key, Bytes::from(bytes)).await
    }
}
