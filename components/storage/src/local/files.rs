//! Reading and writing single files.

// All of it runs on side threads, never on a shard.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Place, folders};
use crate::info::ObjectInfo;

/// Names of files that are still being written begin so; listings leave them out. Keys never do: no tenant, block or object has a
/// name like it.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// What is known of a file, if there is one.
pub(super) fn head(path: &Path) -> io::Result<Option<ObjectInfo>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(info(&meta)?)),
        Ok(_) => Ok(None),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn info(meta: &fs::Metadata) -> io::Result<ObjectInfo> {
    Ok(ObjectInfo {
        size: meta.len(),
        last_modified: DateTime::<Utc>::from(meta.modified()?),
    })
}

/// Whether there is nothing of that name; a file where a folder should be means that, too.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A whole file; its length instead if it is longer than `most`.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Result<Bytes, u64>> {
    let mut file = open(path)?;
    let len = file.metadata()?.len();
    if len > most {
        return Ok(Err(len));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(Ok(bytes.into()))
}

/// The bytes of a range, or as many as there are, in an empty buffer of the caller's: memory that one thread allocates and another
/// frees stays with the first one.
pub(super) fn read_range(
    path: &Path,
    offset: u64,
    len: u64,
    mut bytes: Vec<u8>,
) -> io::Result<Bytes> {
    let mut file = open(path)?;
    let there = file.metadata()?.len().saturating_sub(offset).min(len);
    file.seek(SeekFrom::Start(offset))?;
    file.take(there).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file)
}

/// A file that is being written next to where it will be. Dropped before [`Unfinished::publish`], it goes.
pub(super) struct Unfinished {
    file: File,
    path: Option<PathBuf>,
}

impl Unfinished {
    /// Makes missing folders and the file.
    pub(super) fn create(place: &Place, target: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = parent(target)?;
        place.folders.ensure(&place.root, folder)?;
        let mut again = true;
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{UNFINISHED}{}-{number}", std::process::id());
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let path = Some(path);
                    return Ok(Self { file, path });
                }
                // Left behind by a process of the same number that crashed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // Somebody has removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound && again => {
                    again = false;
                    place.folders.forget(folder);
                    place.folders.ensure(&place.root, folder)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name, for good.
    pub(super) fn publish(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        folders::sync(parent(target)?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove an unfinished file");
        }
    }
}

pub(super) fn put(place: &Place, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Unfinished::create(place, target)?;
    file.write(bytes)?;
    file.publish(target)
}

pub(super) fn copy(place: &Place, from: &Path, target: &Path) -> io::Result<()> {
    let mut source = open(from)?;
    let mut file = Unfinished::create(place, target)?;
    io::copy(&mut source, &mut file.file)?;
    file.publish(target)
}

/// Renames a file within its folder, for good. Its time of modification becomes now, as it would in an object store.
pub(super) fn rename_now(from: &Path, target: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(from)?
        .set_modified(SystemTime::now())?;
    fs::rename(from, target)?;
    folders::sync(parent(target)?)
}

pub(super) fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => folders::sync(parent(path)?),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a folder with all that is in it.
pub(super) fn delete_folder(place: &Place, path: &Path) -> io::Result<()> {
    place.folders.forget(path);
    match fs::remove_dir_all(path) {
        Ok(()) => folders::sync(parent(path)?),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
