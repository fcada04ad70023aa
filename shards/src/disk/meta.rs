//! Calls about files rather than their bytes: open, rename, list, allocate. They run on threads of their own,
//! since any of them may take long and none may delay a group commit.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{DirEntry, OpenOptions};
use crate::limits::{DISK_DIR_ENTRIES, DISK_META_QUEUE, DISK_META_THREADS};
use crate::mailbox::oneshot;
use crate::runtime::affinity::spawn_beside;

type Job = Box<dyn FnOnce() + Send>;

/// Hands calls to the threads. They end when the last clone is gone.
#[derive(Clone)]
pub(super) struct Meta {
    jobs: flume::Sender<Job>,
}

impl Meta {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = flume::bounded::<Job>(DISK_META_QUEUE);
        for n in 0..DISK_META_THREADS {
            let queue = queue.clone();
            spawn_beside(&format!("disk-meta-{n}"), move || {
                queue.iter().for_each(|job| job())
            })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `call` on one of the threads. Once begun it runs to its end, awaited or not.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (reply, promise) = oneshot();
        let job: Job = Box::new(move || {
            // Nobody waits any more: fine.
            let _ = reply.send(call());
        });
        if self.jobs.send_async(job).await.is_err() {
            return Err(super::stopped());
        }
        promise.await.unwrap_or_else(|_| Err(super::stopped()))
    }

    /// Closes a file, here if the threads have no room for it.
    pub(super) fn close(&self, file: File) {
        let _ = self.jobs.try_send(Box::new(move || drop(file)));
    }
}

pub(super) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    fs::OpenOptions::new()
        .read(options.read)
        .write(options.write)
        .create(options.create)
        .create_new(options.create_new)
        .truncate(options.truncate)
        .open(path)
}

/// Makes the directory and its missing parents, and syncs every directory that got an entry: what exists after this, exists
/// after a power loss.
pub(super) fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut at = path;
    while !at.as_os_str().is_empty() && !at.exists() {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    // Also says so when what is there already is not a directory.
    fs::create_dir_all(path)?;
    for made in missing.iter().rev() {
        sync_dir(&parent_of(made))?;
    }
    Ok(())
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn read_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Names that are not UTF-8 are nobody's: every name of ours is ASCII.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if entries.len() == DISK_DIR_ENTRIES {
            return Err(io::Error::other(format!(
                "{} has more than {DISK_DIR_ENTRIES} entries",
                path.display()
            )));
        }
        entries.push(DirEntry {
            name,
            is_dir: metadata.is_dir(),
            len: metadata.len(),
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Bytes an unprivileged process may still use on the file system that holds `path`.
#[allow(unsafe_code, reason = "statvfs has no wrapper in std")]
pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: all-zero bytes are a valid value of this C structure of integers.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    retry(|| {
        // SAFETY: `path` ends in a NUL byte and `stat` is a writable statvfs; both outlive the call.
        unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) }
    })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Reserves blocks for `length` bytes from `offset` on; the file grows to hold them, reading as zeros.
#[allow(unsafe_code, reason = "fallocate has no wrapper in std")]
pub(super) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let offset = libc::off_t::try_from(offset).map_err(invalid)?;
    let length = libc::off_t::try_from(length).map_err(invalid)?;
    retry(|| {
        // SAFETY: takes a descriptor, which `file` keeps open, and numbers; touches no memory of ours.
        unsafe { libc::fallocate(file.as_raw_fd(), 0, offset, length) }
    })
}

/// Repeats a call that answers -1 and sets errno, as long as signals interrupt it.
fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<()> {
    loop {
        if call() == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
