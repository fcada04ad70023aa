//! Names in the log's directory, and what I/O errors there mean.
//!
//! ```text
//! log.meta                                     see `meta`
//! log.lock                                     held while a process uses the directory
//! partition-00000/groups.state                 see `groups`
//! partition-00000/segment-00000000000000000000.log   named by its first offset
//! partition-00000/next-segment                 reserved space, becomes a segment by its rename
//! partition-00000/old-segment-00000000000000000000   was a segment, becomes `next-segment`
//! ```
//! A segment's name also bounds the one before it: frames there at or above this offset were
//! never acknowledged and do not count.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vivace_shards::disk;

use crate::Error;
use crate::error::is_full;

pub(crate) const LOCK: &str = "log.lock";
pub(crate) const SPARE: &str = "next-segment";
pub(crate) const TEMPORARY: &str = ".tmp";

const PARTITION: &str = "partition-";
const SEGMENT: &str = "segment-";
const SEGMENT_END: &str = ".log";
const OLD_SEGMENT: &str = "old-segment-";

pub(crate) fn partition(root: &Path, partition: u32) -> PathBuf {
    root.join(format!("{PARTITION}{partition:05}"))
}

pub(crate) fn is_partition(name: &str) -> bool {
    name.starts_with(PARTITION)
}

pub(crate) fn segment(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{SEGMENT}{base:020}{SEGMENT_END}"))
}

/// What becomes of a segment that is not needed any more.
pub(crate) fn old_segment(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{OLD_SEGMENT}{base:020}"))
}

/// Whether the file only takes space: it belongs to a process that has ended.
pub(crate) fn is_left_over(name: &str) -> bool {
    name == SPARE || name.starts_with(OLD_SEGMENT) || name.ends_with(TEMPORARY)
}

/// The first offset of a segment of this name.
pub(crate) fn segment_base(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SEGMENT)?.strip_suffix(SEGMENT_END)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Wraps an error of the operating system.
pub(crate) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        what,
        path: path.to_path_buf(),
        source: Arc::new(source),
    }
}

/// Like [`failed`] for something that takes `needed_bytes` of space in the directory `dir`.
pub(crate) async fn failed_writing(
    what: &'static str,
    dir: &Path,
    path: &Path,
    needed_bytes: u64,
    error: io::Error,
) -> Error {
    if !is_full(&error) {
        return failed(what, path)(error);
    }
    Error::DiskFull {
        path: dir.to_path_buf(),
        free_bytes: disk::free_space(dir).await.unwrap_or(0),
        needed_bytes,
    }
}

/// Opens a file that did not exist, for writing, in the place of one that did.
pub(crate) async fn create_fresh(path: &Path) -> io::Result<disk::File> {
    match disk::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let options = disk::OpenOptions {
        read: true,
        write: true,
        create_new: true,
        ..Default::default()
    };
    disk::open(path, options).await
}

/// Writes a small file so that it is there whole or not at all, after a crash as well.
pub(crate) async fn write_atomically(
    dir: &Path,
    name: &str,
    content: Vec<u8>,
) -> Result<(), Error> {
    let path = dir.join(name);
    let temporary = dir.join(format!("{name}{TEMPORARY}"));
    let needed_bytes = content.len() as u64;
    let written = async {
        let file = create_fresh(&temporary).await?;
        file.write_and_sync_at(0, vec![content.into()]).await?;
        disk::rename(&temporary, &path).await?;
        disk::sync_dir(dir).await
    };
    match written.await {
        Ok(()) => Ok(()),
        Err(error) => Err(failed_writing("write", dir, &path, needed_bytes, error).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_round_trip_and_sort_by_offset() {
        let dir = Path::new("d");
        let mut last = PathBuf::new();
        for base in [0, 1, 999, 1_000, u64::from(u32::MAX), u64::MAX] {
            let path = segment(dir, base);
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(segment_base(&name), Some(base));
            assert!(path > last);
            last = path;
        }
    }

    #[test]
    fn other_names_are_no_segments() {
        for name in [
            "segment-1.log",
            "segment-0000000000000000000x.log",
            "segment-+0000000000000000001.log",
            "segment-99999999999999999999.log",
            "next-segment",
            "groups.state",
            "",
        ] {
            assert_eq!(segment_base(name), None, "{name}");
        }
    }
}
