//! Files. Every call goes to other threads (the disk lane), so no shard ever waits in the kernel for a disk.
//!
//! Reads, writes and syncs take the lane: one storage thread on io_uring, or a few threads with pread and pwrite where io_uring is
//! refused. Short reads of what is in the page cache are answered at once. Everything else (open, rename, allocate, list) has threads of its own, so that none of it delays a group commit.
//! In the simulator the same calls work on a [`sim::SimDisk`].
//!
//! - Calls that are under way at the same time have no order; await one before you begin the next if the order matters.
//! - A call that is given up (its future dropped) may or may not take effect; its buffers live until the kernel is done with them.
//! - Errors are the system's own (`ErrorKind::StorageFull` when the disk is full). After a failed sync nobody can know which of the
//!   bytes written since the last good one will survive; a later sync that succeeds says nothing about them.
//! - A new, renamed or removed name survives a power loss only after [`sync_dir`] on its directory; syncing the file does not do it.

mod bell;
mod buffer;
mod fd;
mod file;
mod lane;
mod lock;
mod meta;
mod pwrite;
pub mod sim;
mod stats;
mod transfer;
mod uring;

use std::io;
use std::path::Path;

pub use file::File;
pub(crate) use lane::install;
pub use lock::Lock;

/// How to open a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Make it if it does not exist (needs `write`).
    pub create: bool,
    /// Make it, or fail if it exists (needs `write`).
    pub create_new: bool,
    /// Empty it (needs `write`).
    pub truncate: bool,
}

impl OpenOptions {
    /// For reading what exists.
    pub const READ: Self = Self {
        read: true,
        write: false,
        create: false,
        create_new: false,
        truncate: false,
    };
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name within the directory.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_dir: bool,
    /// Its length in bytes, if it is a file.
    pub len: u64,
}

/// Opens a file.
pub async fn open(path: &Path, options: OpenOptions) -> io::Result<File> {
    match sim::current() {
        Some(disk) => Ok(File::simulated(disk.open(path, options).await?)),
        None => Ok(File::real(lane::current()?.open(path, options).await?)),
    }
}

/// Makes a directory and its missing parents. They survive a power loss once this returns.
pub async fn create_dir_all(path: &Path) -> io::Result<()> {
    match sim::current() {
        Some(disk) => disk.create_dir_all(path).await,
        None => on_path(path, meta::create_dir_all).await,
    }
}

/// The entries of a directory by name; those whose names are not UTF-8 are left out.
pub async fn read_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    match sim::current() {
        Some(disk) => disk.read_dir(path).await,
        None => on_path(path, meta::read_dir).await,
    }
}

/// Gives a file another name, replacing the file that has it.
pub async fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match sim::current() {
        Some(disk) => disk.rename(from, to).await,
        None => {
            let to = to.to_owned();
            on_path(from, move |from| std::fs::rename(from, to)).await
        }
    }
}

/// Removes a file's name; its bytes go when nobody has it open any more.
pub async fn remove_file(path: &Path) -> io::Result<()> {
    match sim::current() {
        Some(disk) => disk.remove_file(path).await,
        None => on_path(path, |path| std::fs::remove_file(path)).await,
    }
}

/// Makes the names in a directory survive a power loss, as they are now.
pub async fn sync_dir(path: &Path) -> io::Result<()> {
    match sim::current() {
        Some(disk) => disk.sync_dir(path).await,
        None => on_path(path, meta::sync_dir).await,
    }
}

/// Locks a file, which is made if it is missing, for this process alone; it stays locked until the result is dropped.
/// Fails with `ErrorKind::WouldBlock` if another process (or an earlier call) has it.
pub async fn lock(path: &Path) -> io::Result<Lock> {
    match sim::current() {
        Some(_) => Ok(Lock::simulated()),
        None => on_path(path, Lock::take).await,
    }
}

/// Bytes that may still be used on the file system that holds `path`.
pub async fn free_space(path: &Path) -> io::Result<u64> {
    match sim::current() {
        Some(disk) => disk.free_space(path).await,
        None => on_path(path, meta::free_space).await,
    }
}

/// What files are read and written with: `io_uring`, `pwrite` or `sim`; `none` if nothing works.
pub fn lane_name() -> &'static str {
    match sim::current() {
        Some(_) => "sim",
        None => lane::current().map_or("none", |lane| lane.name()),
    }
}

async fn on_path<T: Send + 'static>(
    path: &Path,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.to_owned();
    let lane = lane::current()?;
    lane.meta().run(move || call(&path)).await
}

/// The lane, or the simulated machine, is gone.
fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the disk lane has stopped")
}

#[cfg(test)]
mod tests;
