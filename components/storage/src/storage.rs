//! The store that the configuration names.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use vivace_config::blocks::object_stores::StoreKind;
use vivace_config::blocks::storage::TraceStorage;

use crate::error::Error;
use crate::info::{ObjectInfo, Objects};
use crate::local::Local;
use crate::remote::{Patience, Remote};
use crate::sim::{self, SimUpload};
use crate::upload::{Kind, Upload};

/// A store of objects. Cheap to clone, usable on any shard.
///
/// Keys are below the configured prefix, with `/` between their parts and none at their beginning. Methods wait, retries included, for
/// at most some minutes; a call that is given up may or may not take effect.
#[derive(Clone, Debug)]
pub struct Storage(pub(crate) Backend);

#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Local(Local),
    Remote(Remote),
    Sim,
}

impl Storage {
    /// The store that a configuration names. Nothing is sent to it yet. In the simulator, it is a simulated one.
    ///
    /// # Errors
    /// [`Error::Config`], with what is wrong.
    pub fn open(config: &TraceStorage) -> Result<Self, Error> {
        Self::open_with(config, |_| {})
    }

    /// As [`Storage::open`], for a client of another patience than the configuration's and ours.
    pub fn open_with(config: &TraceStorage, change: impl Fn(&mut Patience)) -> Result<Self, Error> {
        if sim::current().is_some() {
            return Ok(Self(Backend::Sim));
        }
        Ok(Self(match config.backend {
            StoreKind::Unset => {
                return Err(Error::Config {
                    store: "store".into(),
                    cause: "storage.trace.backend is not set".to_owned(),
                });
            }
            StoreKind::Local => Backend::Local(Local::new(&config.local.path)),
            StoreKind::S3 => Backend::Remote(Remote::s3(&config.s3, change)?),
            StoreKind::Gcs => Backend::Remote(Remote::gcs(&config.gcs, change)?),
            StoreKind::Azure => Backend::Remote(Remote::azure(&config.azure, change)?),
        }))
    }

    /// The store as its errors name it, such as `s3 bucket traces`.
    pub fn name(&self) -> Arc<str> {
        match &self.0 {
            Backend::Local(local) => local.name().clone(),
            Backend::Remote(remote) => remote.name().clone(),
            Backend::Sim => "simulated store".into(),
        }
    }

    /// Keys come from names of tenants; none may lead elsewhere, into another tenant's folder or out of the store.
    pub(crate) fn check(&self, key: &str) -> Result<(), Error> {
        let whole = key.strip_suffix('/').unwrap_or(key);
        let sound = |part: &str| {
            !matches!(part, "" | "." | "..") && !part.chars().any(|c| c.is_ascii_control())
        };
        if key.is_empty() || whole.split('/').all(sound) {
            return Ok(());
        }
        Err(Error::InvalidKey {
            store: self.name(),
            key: key.to_owned(),
        })
    }

    /// Writes an object, or replaces it. Once this is `Ok` it survives a power loss.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.check(key)?;
        match &self.0 {
            Backend::Local(local) => local.put(key, bytes).await,
            Backend::Remote(remote) => remote.put(key, bytes.into()).await,
            Backend::Sim => sim::put(key, bytes).await,
        }
    }

    /// Begins to write an object piece by piece. Nothing is sent yet.
    ///
    /// # Errors
    /// If no store could have such a key.
    pub fn upload(&self, key: &str) -> Result<Upload, Error> {
        self.check(key)?;
        Ok(Upload(match &self.0 {
            Backend::Local(local) => Kind::Local(local.upload(key)),
            Backend::Remote(remote) => Kind::Remote(remote.upload(key)?),
            Backend::Sim => Kind::Sim(SimUpload::new(key)),
        }))
    }

    /// Reads a whole object of at most 512 MiB.
    pub async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.check(key)?;
        match &self.0 {
            Backend::Local(local) => local.get(key).await,
            Backend::Remote(remote) => remote.get(key).await,
            Backend::Sim => sim::get(key).await,
        }
    }

    /// Reads a range of an object of at most 1 GiB: all of it, or [`Error::WrongLength`].
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        self.check(key)?;
        match &self.0 {
            Backend::Local(local) => local.get_range(key, range).await,
            Backend::Remote(remote) => remote.get_range(key, range).await,
            Backend::Sim => sim::get_range(key, range).await,
        }
    }

    /// Size and time of an object; none if there is none.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, Error> {
        self.check(key)?;
        match &self.0 {
            Backend::Local(local) => local.head(key).await,
            Backend::Remote(remote) => remote.head(key).await,
            Backend::Sim => sim::head(key).await,
        }
    }

    /// Removes an object; it may be absent already.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.check(key)?;
        match &self.0 {
            Backend::Local(local) => local.delete(key).await,
            Backend::Remote(remote) => remote.delete(key).await,
            Backend::Sim => sim::delete(key).await,
        }
    }

    /// Copies an object within the store.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        self.check(from)?;
        self.check(to)?;
        match &self.0 {
            Backend::Local(local) => local.copy(from, to).await,
            Backend::Remote(remote) => remote.copy(from, to).await,
            Backend::Sim => sim::copy(from, to).await,
        }
    }

    /// Names of the folders in a folder, in order. `prefix` is empty, or ends with a slash.
    pub async fn list_folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.check(prefix)?;
        match &self.0 {
            Backend::Local(local) => local.folders(prefix).await,
            Backend::Remote(remote) => remote.folders(prefix).await,
            Backend::Sim => sim::folders(prefix).await,
        }
    }

    /// All objects below a folder, in order of their keys. `prefix` is empty, or ends with a slash.
    pub async fn list(&self, prefix: &str) -> Result<Objects, Error> {
        self.check(prefix)?;
        match &self.0 {
            Backend::Local(local) => local.list(prefix).await,
            Backend::Remote(remote) => remote.list(prefix).await,
            Backend::Sim => sim::list(prefix).await,
        }
    }
}
