//! Polling one tenant.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;
use vivace_block::BlockMeta;

use super::Poller;
use crate::blocklist::{CompactedBlock, IndexState, Poll, TenantBlocks, now};
use crate::blocks::BlockIds;
use crate::error::Error;
use crate::limits::META_ATTEMPTS;

/// Steps between two pauses while lists are put together.
const BLOCKS_PER_PAUSE: usize = 256;

impl Poller {
    /// Finds out a tenant's blocks and puts them into the list.
    pub(super) async fn poll_tenant(&self, poll: Poll, tenant: &str) -> Result<(), Error> {
        if !self.config.builder {
            match self.read_index(tenant).await {
                Ok((blocks, created_at)) => {
                    let index = IndexState {
                        builder: false,
                        created_at,
                    };
                    self.list.apply(poll, tenant, blocks, Some(index));
                    return Ok(());
                }
                Err(error) => {
                    // A tenant without blocks has no index: nothing is wrong with that.
                    if !error.is_not_found() {
                        self.index_failed(tenant);
                    }
                    if !self.config.fallback {
                        return Err(error);
                    }
                    tracing::warn!(tenant, %error, "failed to pull bucket index for tenant. falling back to polling");
                }
            }
            let blocks = self.look_through(tenant).await?;
            self.list.apply(poll, tenant, blocks, None);
            return Ok(());
        }
        let blocks = self.look_through(tenant).await?;
        let created_at = now();
        if blocks.is_empty() {
            self.tidy_up(tenant).await;
        } else if let Err(error) = self.write_index(tenant, &blocks, created_at).await {
            // Others read an older one, or list for themselves.
            self.index_failed(tenant);
            tracing::error!(tenant, %error, "failed to write tenant index");
        }
        let index = IndexState {
            builder: true,
            created_at,
        };
        self.list.apply(poll, tenant, blocks, Some(index));
        Ok(())
    }

    fn index_failed(&self, tenant: &str) {
        self.metrics.index_errors.with_label_values(&[tenant]).inc();
    }

    /// Lists a tenant's blocks and reads the metas of those that are not known yet; metas never change.
    async fn look_through(&self, tenant: &str) -> Result<TenantBlocks, Error> {
        let ids = self.storage.block_ids(tenant).await?;
        let known = self.list.snapshot(tenant);
        let known_live: HashMap<Uuid, &Arc<BlockMeta>> = known
            .live
            .iter()
            .map(|meta| (meta.block_id, meta))
            .collect();
        let known_compacted: HashMap<Uuid, &CompactedBlock> = known
            .compacted
            .iter()
            .map(|block| (block.meta.block_id, block))
            .collect();
        let meta_of = |block: &Uuid| {
            let compacted = || known_compacted.get(block).map(|block| &block.meta);
            known_live.get(block).copied().or_else(compacted).cloned()
        };
        let BlockIds {
            live: live_ids,
            compacted: compacted_ids,
        } = ids;
        let (mut live, mut compacted) = (Vec::new(), Vec::new());
        let (mut unknown_live, mut unknown_compacted) = (Vec::new(), Vec::new());
        for (step, block) in live_ids.into_iter().enumerate() {
            match meta_of(&block) {
                Some(meta) => live.push(meta),
                None => unknown_live.push(block),
            }
            pause(step).await;
        }
        for (step, (block, at)) in compacted_ids.into_iter().enumerate() {
            match (known_compacted.get(&block), meta_of(&block)) {
                (Some(known), _) => compacted.push((*known).clone()),
                // It was live a poll ago.
                (None, Some(meta)) => compacted.push(CompactedBlock {
                    meta,
                    compacted_time: now(),
                }),
                (None, None) => unknown_compacted.push((block, at)),
            }
            pause(step).await;
        }
        live.extend(self.read_live(tenant, unknown_live).await?);
        compacted.extend(self.read_compacted(tenant, unknown_compacted).await?);
        Ok(TenantBlocks::new(live, compacted))
    }

    async fn read_live(
        &self,
        tenant: &str,
        blocks: Vec<Uuid>,
    ) -> Result<Vec<Arc<BlockMeta>>, Error> {
        let reads = blocks.into_iter().map(|block| async move {
            // Compacted or deleted since it was listed: the next poll knows.
            let meta = again(|| self.storage.find_meta(tenant, block)).await?;
            Ok(meta.map(Arc::new))
        });
        stream::iter(reads)
            .buffer_unordered(self.config.metas_at_once)
            .try_filter_map(|meta| std::future::ready(Ok(meta)))
            .try_collect()
            .await
    }

    async fn read_compacted(
        &self,
        tenant: &str,
        blocks: Vec<(Uuid, DateTime<Utc>)>,
    ) -> Result<Vec<CompactedBlock>, Error> {
        let reads = blocks
            .into_iter()
            .map(|(block, compacted_time)| async move {
                let meta = again(|| self.storage.find_compacted_meta(tenant, block)).await?;
                Ok(meta.map(|meta| CompactedBlock {
                    meta: Arc::new(meta),
                    compacted_time,
                }))
            });
        stream::iter(reads)
            .buffer_unordered(self.config.metas_at_once)
            .try_filter_map(|block| std::future::ready(Ok(block)))
            .try_collect()
            .await
    }
}

/// Reads once more what failed, some times: of thousands of metas one that fails would otherwise cost all the others.
async fn again<T, F: Future<Output = Result<T, Error>>>(read: impl Fn() -> F) -> Result<T, Error> {
    let mut attempts = 1;
    loop {
        match read().await {
            Err(error) if error.is_retryable() && attempts < META_ATTEMPTS => attempts += 1,
            outcome => return outcome,
        }
    }
}

/// Lets others run every so many steps.
pub(super) async fn pause(step: usize) {
    if step % BLOCKS_PER_PAUSE == BLOCKS_PER_PAUSE - 1 {
        vivace_shards::breathe().await;
    }
}
