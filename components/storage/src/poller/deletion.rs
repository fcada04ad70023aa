//! What is left of a tenant without blocks (block-format.md §1.3).

use chrono::TimeDelta;
use std::time::Duration;
use vivace_block::keys;

use super::Poller;
use crate::blocklist::now;
use crate::error::Error;

/// Limits that tenants have set for themselves; they look like a tenant when they lie in the same bucket.
const OVERRIDES: &str = "overrides.json";

impl Poller {
    /// Deletes the index of a tenant without blocks, and everything else if that is wanted. Errors are logged: the next poll comes.
    pub(super) async fn tidy_up(&self, tenant: &str) {
        if let Err(error) = self.delete_index(tenant).await {
            self.metrics.index_errors.with_label_values(&[tenant]).inc();
            tracing::warn!(tenant, %error, "failed to delete the index of a tenant without blocks");
            return;
        }
        let Some(age) = self.config.delete_empty else {
            return;
        };
        match self.delete_tenant(tenant, age).await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(tenant, objects, "deleted a tenant without blocks"),
            Err(error) => {
                tracing::warn!(tenant, %error, "failed to delete a tenant without blocks")
            }
        }
    }

    async fn delete_index(&self, tenant: &str) -> Result<(), Error> {
        self.storage
            .delete(&keys::tenant_index_protobuf(tenant))
            .await?;
        self.storage.delete(&keys::tenant_index_json(tenant)).await
    }

    /// Deletes what a tenant has if all of it is older than `age`, nobody has written an index again, and none of it is what its name
    /// does not say. Returns how many objects.
    async fn delete_tenant(&self, tenant: &str, age: Duration) -> Result<usize, Error> {
        let folder = keys::tenant_folder(tenant);
        let objects = self.storage.list(&folder).await?;
        let before = now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
        let index = [
            keys::tenant_index_protobuf(tenant),
            keys::tenant_index_json(tenant),
        ];
        let stays = objects.iter().any(|(key, info)| {
            info.last_modified >= before || index.contains(key) || key.ends_with(OVERRIDES)
        });
        if stays {
            return Ok(0);
        }
        let count = objects.len();
        self.storage.delete_folder(&folder, objects).await?;
        Ok(count)
    }
}
