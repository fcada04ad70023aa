//! Blocks in a store (block-format.md §1): who has some, which there are, and how one is marked and deleted.

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_block::keys::{self, BlockObject};

use crate::error::Error;
use crate::info::{ObjectInfo, Objects};
use crate::limits::DELETES_AT_ONCE;
use crate::remote::Remote;
use crate::storage::{Backend, Storage};

/// The blocks of a tenant as the store lists them. A block can be in both lists: somebody crashed between the two steps of marking it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockIds {
    /// In order.
    pub live: Vec<Uuid>,
    /// In order, with the time at which each was marked.
    pub compacted: Vec<(Uuid, DateTime<Utc>)>,
}

impl BlockIds {
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.compacted.is_empty()
    }

    fn add(&mut self, block: Uuid, object: BlockObject, info: &ObjectInfo) {
        match object {
            BlockObject::Meta => self.live.push(block),
            BlockObject::CompactedMeta => self.compacted.push((block, info.last_modified)),
            _ => {}
        }
    }

    fn sorted(mut self) -> Self {
        self.live.sort_unstable();
        self.compacted.sort_unstable();
        self
    }
}

/// What a listing of blocks looks for.
const METAS: &[&str] = &[keys::META, keys::COMPACTED_META];

impl Storage {
    /// The tenants that have a folder, in order. Folders whose names no tenant can have are left out.
    pub async fn tenants(&self) -> Result<Vec<String>, Error> {
        let mut folders = self.list_folders("").await?;
        folders.retain(|name| keys::is_tenant_folder(name) && keys::check_tenant(name).is_ok());
        Ok(folders)
    }

    /// The blocks of a tenant. Folders that are no block's are passed over.
    pub async fn block_ids(&self, tenant: &str) -> Result<BlockIds, Error> {
        let folder = keys::tenant_folder(tenant);
        self.check(&folder)?;
        let mut ids = BlockIds::default();
        match &self.0 {
            Backend::Local(local) => {
                for (name, index, info) in local.in_folders(&folder, METAS).await? {
                    let object = METAS.get(index).and_then(|name| BlockObject::parse(name));
                    if let (Some(block), Some(object)) = (keys::parse_block_id(&name), object) {
                        ids.add(block, object, &info);
                    }
                }
            }
            Backend::Remote(remote) => {
                for (key, info) in list_split(remote, tenant).await? {
                    if let Some((block, object)) = keys::parse_block_object(tenant, &key) {
                        ids.add(block, object, &info);
                    }
                }
            }
            Backend::Sim => {
                for (key, info) in self.list(&folder).await? {
                    if let Some((block, object)) = keys::parse_block_object(tenant, &key) {
                        ids.add(block, object, &info);
                    }
                }
            }
        }
        Ok(ids.sorted())
    }

    /// The meta of a live block.
    pub async fn read_meta(&self, tenant: &str, block: Uuid) -> Result<BlockMeta, Error> {
        self.meta(tenant, block, BlockObject::Meta).await
    }

    /// The meta of a live block; none if there is no such block.
    pub async fn find_meta(&self, tenant: &str, block: Uuid) -> Result<Option<BlockMeta>, Error> {
        found(self.meta(tenant, block, BlockObject::Meta).await)
    }

    /// The meta of a compacted block; none if there is no such block.
    pub async fn find_compacted_meta(
        &self,
        tenant: &str,
        block: Uuid,
    ) -> Result<Option<BlockMeta>, Error> {
        found(self.meta(tenant, block, BlockObject::CompactedMeta).await)
    }

    async fn meta(
        &self,
        tenant: &str,
        block: Uuid,
        object: BlockObject,
    ) -> Result<BlockMeta, Error> {
        let key = keys::block_object(tenant, block, object);
        let bytes = self.get(&key).await?;
        let corrupt = |cause: String| Error::Corrupt {
            store: self.name(),
            key: key.clone(),
            cause,
        };
        let mut meta = BlockMeta::from_json(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if meta.block_id != block {
            return Err(corrupt(format!("it is of block {}", meta.block_id)));
        }
        // Blocks may have been copied from another tenant's folder; they belong to the one they lie in.
        meta.tenant_id = tenant.to_owned();
        Ok(meta)
    }

    /// Marks a live block compacted: it is in no search any more, and will be deleted later. Done before, it does nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such block, live or compacted.
    pub async fn mark_compacted(&self, tenant: &str, block: Uuid) -> Result<(), Error> {
        let live = keys::block_object(tenant, block, BlockObject::Meta);
        let compacted = keys::block_object(tenant, block, BlockObject::CompactedMeta);
        self.check(&live)?;
        let moved = match &self.0 {
            Backend::Local(local) => local.rename(&live, &compacted).await,
            _ => self.copy(&live, &compacted).await,
        };
        match moved {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {
                return match self.head(&compacted).await? {
                    Some(_) => Ok(()),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
        self.delete(&live).await
    }

    /// Deletes a block, live or compacted. Its metas go first, so that a block that is half deleted is none; calling this again deletes
    /// the rest.
    pub async fn delete_block(&self, tenant: &str, block: Uuid) -> Result<(), Error> {
        for object in [BlockObject::Meta, BlockObject::CompactedMeta] {
            self.delete(&keys::block_object(tenant, block, object))
                .await?;
        }
        let folder = keys::block_folder(tenant, block);
        let objects = match &self.0 {
            // The folder goes as a whole.
            Backend::Local(_) => Objects::new(),
            _ => self.list(&folder).await?,
        };
        self.delete_folder(&folder, objects).await
    }

    /// Deletes the listed objects of a folder; where folders exist for themselves, the folder.
    pub(crate) async fn delete_folder(&self, folder: &str, objects: Objects) -> Result<(), Error> {
        self.check(folder)?;
        if let Backend::Local(local) = &self.0 {
            return local.delete_folder(folder).await;
        }
        let deletes = objects
            .into_iter()
            .map(|(key, _)| async move { self.delete(&key).await });
        stream::iter(deletes)
            .buffer_unordered(DELETES_AT_ONCE)
            .try_collect()
            .await
    }
}

fn found(meta: Result<BlockMeta, Error>) -> Result<Option<BlockMeta>, Error> {
    match meta {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists the metas of a tenant in several ranges of ids at once.
async fn list_split(remote: &Remote, tenant: &str) -> Result<Vec<(String, ObjectInfo)>, Error> {
    let folder = keys::tenant_folder(tenant);
    let bounds = bounds(remote.listings());
    let listings = bounds.into_iter().map(|(after, until)| {
        let wanted = |key: &str| METAS.iter().any(|name| key.ends_with(name));
        let folder = folder.as_str();
        async move {
            remote
                .list_between(folder, after.as_deref(), until.as_deref(), wanted)
                .await
        }
    });
    let found: Vec<_> = stream::iter(listings)
        .buffer_unordered(usize::try_from(remote.listings()).unwrap_or(1))
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Splits the ids into `n` ranges: where each begins (none: at the beginning) and ends (none: at the end). A bound is the text of an id,
/// without anything behind it, so that all keys of the id come after it.
fn bounds(n: u32) -> Vec<(Option<String>, Option<String>)> {
    let bound = |i: u32| {
        let at = u128::from(u64::MAX) * u128::from(i) / u128::from(n.max(1));
        (i != 0 && i < n).then(|| Uuid::from_u128(at << 64).hyphenated().to_string())
    };
    (0..n.max(1)).map(|i| (bound(i), bound(i + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ids_cover_everything_once() {
        assert_eq!(bounds(1), [(None, None)]);
        assert_eq!(bounds(0), [(None, None)]);
        for n in 2..=64 {
            let ranges = bounds(n);
            assert_eq!(ranges.len(), n as usize);
            assert_eq!((&ranges[0].0, &ranges[n as usize - 1].1), (&None, &None));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].1, pair[1].0);
                assert!(pair[0].0 < pair[0].1);
            }
        }
        let third = "55555555-5555-5555-0000-000000000000".to_owned();
        assert_eq!(bounds(3)[0].1, Some(third));
    }
}
