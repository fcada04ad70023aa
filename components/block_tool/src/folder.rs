//! A bucket that is a folder.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use vivace_block::keys::{self, BlockObject};

use crate::limits::MAX_OBJECT_BYTES;
use crate::source::{ListedBlock, Source, SourceError};

/// A local folder as `storage.trace.local.path` has it: `<tenant>/<block>/<object>`.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn folders(&self, path: &Path) -> Result<Vec<String>, SourceError> {
        let failed = |error| SourceError::new(path.display().to_string(), error);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().is_dir()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

fn there<T>(path: &Path, found: std::io::Result<T>) -> Result<Option<T>, SourceError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SourceError::new(path.display().to_string(), error)),
    }
}

impl Source for Folder {
    fn tenants(&self) -> Result<Vec<String>, SourceError> {
        let mut names = self.folders(&self.root)?;
        names.retain(|name| keys::is_tenant_folder(name));
        Ok(names)
    }

    fn blocks(&self, tenant: &str) -> Result<Vec<ListedBlock>, SourceError> {
        let mut blocks = Vec::new();
        for folder in self.folders(&self.path(tenant))? {
            let Some(id) = keys::parse_block_id(&folder) else {
                continue;
            };
            let has = |object| self.path(&keys::block_object(tenant, id, object)).is_file();
            let live = has(BlockObject::Meta);
            if live || has(BlockObject::CompactedMeta) {
                blocks.push(ListedBlock {
                    id,
                    compacted: !live,
                });
            }
        }
        Ok(blocks)
    }

    fn size(&self, key: &str) -> Result<Option<u64>, SourceError> {
        let path = self.path(key);
        let found = there(&path, fs::metadata(&path))?;
        Ok(found.map(|metadata| metadata.len()))
    }

    fn read(&self, key: &str) -> Result<Option<Bytes>, SourceError> {
        let path = self.path(key);
        let Some(file) = there(&path, File::open(&path))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(MAX_OBJECT_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| SourceError::new(path.display().to_string(), error))?;
        if bytes.len() as u64 > MAX_OBJECT_BYTES {
            let reason = format!("more than {MAX_OBJECT_BYTES} bytes");
            return Err(SourceError::new(path.display().to_string(), reason));
        }
        Ok(Some(bytes.into()))
    }

    fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, SourceError> {
        let path = self.path(key);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end.saturating_sub(range.start))
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| SourceError::new(path.display().to_string(), error))?;
        Ok(bytes.into())
    }
}
