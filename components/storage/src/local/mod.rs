//! A folder as store. What a write has resolved for survives a power loss: the file is synced, renamed into place, and the folder
//! that holds its name is synced, as are folders that had to be made.
//!
//! Everything here blocks and runs on the side runtime's threads.

mod files;
mod folders;
mod list;
mod upload;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use vivace_shards::side;

use folders::Folders;
pub(crate) use upload::LocalUpload;

use crate::error::Error;
use crate::info::{ObjectInfo, Objects};
use crate::limits::{GET_BYTES, RANGE_BYTES};

#[derive(Clone, Debug)]
pub(crate) struct Local {
    store: Arc<str>,
    place: Arc<Place>,
}

/// Where the store is, and what is known of its folders.
#[derive(Debug)]
struct Place {
    root: PathBuf,
    folders: Folders,
}

impl Local {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            store: format!("local store {path}").into(),
            place: Arc::new(Place {
                root: PathBuf::from(path),
                folders: Folders::default(),
            }),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.store
    }

    fn path(&self, key: &str) -> PathBuf {
        self.place.root.join(key)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.path(key);
        match side::blocking(move || call(&path)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.error(operation, key, &error)),
            Err(error) => Err(self.unavailable(operation, key, error.to_string())),
        }
    }

    fn unavailable(&self, operation: &'static str, key: &str, cause: String) -> Error {
        Error::Unavailable {
            store: self.store.clone(),
            operation,
            key: key.to_owned(),
            cause,
        }
    }

    fn error(&self, operation: &'static str, key: &str, error: &io::Error) -> Error {
        let (store, key) = (self.store.clone(), key.to_owned());
        let cause = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Error::NotFound { store, key },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::Permission { store, key, cause }
            }
            _ => Error::Unavailable {
                store,
                operation,
                key,
                cause,
            },
        }
    }

    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let place = self.place.clone();
        self.blocking("write", key, move |path| files::put(&place, path, &bytes))
            .await
    }

    pub(crate) fn upload(&self, key: &str) -> LocalUpload {
        LocalUpload::new(self.clone(), key)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let read = self.blocking("read", key, |path| files::read(path, GET_BYTES));
        read.await?.map_err(|bytes| Error::TooLarge {
            store: self.store.clone(),
            key: key.to_owned(),
            bytes,
            limit: GET_BYTES,
        })
    }

    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let asked = range.end.saturating_sub(range.start);
        if asked > RANGE_BYTES {
            return Err(Error::TooLarge {
                store: self.store.clone(),
                key: key.to_owned(),
                bytes: asked,
                limit: RANGE_BYTES,
            });
        }
        let buffer = Vec::with_capacity(usize::try_from(asked).unwrap_or(0));
        let read = move |path: &Path| files::read_range(path, range.start, asked, buffer);
        let bytes = self.blocking("read", key, read).await?;
        let got = bytes.len() as u64;
        if got == asked {
            Ok(bytes)
        } else {
            Err(Error::WrongLength {
                store: self.store.clone(),
                key: key.to_owned(),
                asked,
                got,
            })
        }
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, Error> {
        self.blocking("look at", key, files::head).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.blocking("delete", key, files::delete).await
    }

    pub(crate) async fn delete_folder(&self, key: &str) -> Result<(), Error> {
        let place = self.place.clone();
        let delete = move |path: &Path| files::delete_folder(&place, path);
        self.blocking("delete", key, delete).await
    }

    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (place, target) = (self.place.clone(), self.path(to));
        let copy = move |from: &Path| files::copy(&place, from, &target);
        self.blocking("copy", from, copy).await
    }

    /// Renames a file within its folder and makes now its time of modification.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let target = self.path(to);
        let rename = move |from: &Path| files::rename_now(from, &target);
        self.blocking("rename", from, rename).await
    }

    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.blocking("list", prefix, list::folders).await
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Objects, Error> {
        let base = prefix.trim_end_matches('/').to_owned();
        let walk = move |path: &Path| list::walk(path, &base);
        self.blocking("list", prefix, walk).await
    }

    /// Which of the named files the folders under `prefix` hold: (folder, index of the name, information).
    pub(crate) async fn in_folders(
        &self,
        prefix: &str,
        names: &'static [&'static str],
    ) -> Result<Vec<(String, usize, ObjectInfo)>, Error> {
        let look = move |path: &Path| list::in_folders(path, names);
        self.blocking("list", prefix, look).await
    }
}
