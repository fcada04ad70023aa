//! What a local bucket holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// Bytes and blocks of all tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Blocks with rows.
    pub blocks: u64,
    /// Bytes of all objects.
    pub bytes: u64,
    /// Bytes of the objects with the rows.
    pub data_bytes: u64,
    /// Bytes of all objects of a name; numbers at the end of names are left out.
    pub by_name: BTreeMap<String, u64>,
    /// The objects with the rows.
    pub data: Vec<PathBuf>,
}

impl Bucket {
    /// Walks the folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut bucket = Self::default();
        bucket.walk(folder)?;
        Ok(bucket)
    }

    fn walk(&mut self, folder: &Path) -> Result<(), Error> {
        let shown = folder.display().to_string();
        for entry in fs::read_dir(folder).map_err(Error::io(&shown))? {
            let entry = entry.map_err(Error::io(&shown))?;
            let metadata = entry.metadata().map_err(Error::io(&shown))?;
            if metadata.is_dir() {
                self.walk(&entry.path())?;
                continue;
            }
            self.bytes += metadata.len();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
            *self.by_name.entry(kind.to_owned()).or_default() += metadata.len();
            if name == "data.parquet" {
                self.data.push(entry.path());
                self.blocks += 1;
                self.data_bytes += metadata.len();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_all_objects_are_told_apart() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io("folder"))?;
        for (name, bytes) in [
            ("a/1/data.parquet", 100),
            ("a/1/meta.json", 7),
            ("b/2/data.parquet", 50),
            ("b/index.pb.zst", 3),
            ("b/2/bloom-0", 4),
            ("b/2/bloom-11", 5),
        ] {
            let path = folder.path().join(name);
            let parent = path.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).map_err(Error::io(name))?;
            fs::write(path, vec![0; bytes]).map_err(Error::io(name))?;
        }
        let bucket = Bucket::read(folder.path())?;
        assert_eq!(
            (bucket.blocks, bucket.bytes, bucket.data_bytes),
            (2, 169, 150)
        );
        assert_eq!((bucket.by_name["bloom-"], bucket.data.len()), (9, 2));
        Ok(())
    }
}
