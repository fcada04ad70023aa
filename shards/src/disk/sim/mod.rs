//! The simulated disk: files in memory, of which a crash keeps what was synced and, by seed, parts of the rest.
//!
//! Every process of a simulation has one. Each operation takes at least one wait and is a point at which the process may crash
//! (see [`crate::sim::io_step`]); writing and syncing are two such points.
//!
//! What survives a crash is as bad as a real disk may make it:
//! - synced bytes always; of each write since the last sync all, nothing, or any of its 512-byte sectors, each write for itself,
//!   so a later one may survive an earlier one. Lost parts within the file's length are zeros. Lengths survive like writes.
//! - names (new, renamed, removed) once their directory was synced; of the rest some first part. A file's own sync does not keep
//!   its name. [`crate::disk::create_dir_all`] syncs what it makes, here as on real disks.
//! - A sync that fails leaves what it should have synced to chance for ever: a later good sync does not cover it.

mod content;
mod fault;
mod file;
mod inode;
mod names;
mod state;

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::path::Path;
use std::rc::Rc;

pub use fault::{Effect, Fault, Operation};
pub(super) use file::SimFile;

use self::fault::Faults;
use self::state::State;
use super::{DirEntry, OpenOptions};
use crate::sim::Durable;
use crate::{rand, sim, time};

/// A simulated disk. Tests get hold of it with `sim.durable(process, SimDisk::new)`.
#[derive(Default)]
pub struct SimDisk {
    state: RefCell<State>,
    faults: RefCell<Faults>,
}

/// The current simulated process's disk; none on real shards and outside of shards.
pub fn current() -> Option<Rc<SimDisk>> {
    sim::durable(SimDisk::new)
}

impl SimDisk {
    /// An empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the disk to this many bytes, in blocks of 4 KiB; none lifts the limit. What is there stays.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.state.borrow_mut().set_capacity(capacity);
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.state.borrow().used()
    }

    /// Lets a fault happen from now on.
    pub fn inject(&self, fault: Fault) {
        self.faults.borrow_mut().add(fault);
    }

    /// Lets no fault happen any more.
    pub fn clear_faults(&self) {
        self.faults.borrow_mut().clear();
    }

    /// What a file holds now, synced or not; none if there is no such file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        self.state.borrow().contents(path)
    }

    /// Changes bytes of a file behind everybody's back, as a failing disk does. They stay changed after a crash.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.state.borrow_mut().overwrite(path, offset, bytes)
    }

    /// The names in a directory, in order; empty if there is no such directory.
    pub fn names(&self, path: &Path) -> Vec<String> {
        let entries = self.state.borrow().list(path).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    /// Waits as long as a fault asks for; then says with which error to fail, if any.
    async fn strike(&self, operation: Operation, path: &str) -> Option<io::Error> {
        let effect = self
            .faults
            .borrow_mut()
            .strike(operation, path, rand::below);
        match effect? {
            Effect::Error(errno) => Some(io::Error::from_raw_os_error(errno)),
            Effect::Delay(delay) => {
                time::sleep(delay).await;
                None
            }
        }
    }

    /// One operation that happens whole or not at all.
    async fn perform<T>(
        &self,
        operation: Operation,
        path: &str,
        action: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let failure = self.strike(operation, path).await;
        let crashes = sim::io_step().await;
        if let Some(error) = failure {
            return Err(error);
        }
        if crashes {
            if rand::below(2) == 0 {
                // Nobody will ever hear of how it went.
                let _ = action(&mut self.state.borrow_mut());
            }
            return crash().await;
        }
        action(&mut self.state.borrow_mut())
    }

    pub(super) async fn open(
        self: Rc<Self>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<SimFile> {
        let name = path.to_string_lossy();
        let open = |state: &mut State| state.open(path, options);
        let open = self.perform(Operation::Open, &name, open).await?;
        Ok(SimFile::new(open, name.as_ref(), options))
    }

    pub(super) async fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let action = |state: &mut State| state.create_dir_all(path);
        self.perform(Operation::CreateDir, &path.to_string_lossy(), action)
            .await
    }

    pub(super) async fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let action = |state: &mut State| state.list(path);
        self.perform(Operation::ReadDir, &path.to_string_lossy(), action)
            .await
    }

    pub(super) async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let action = |state: &mut State| state.rename(from, to);
        self.perform(Operation::Rename, &from.to_string_lossy(), action)
            .await
    }

    pub(super) async fn remove_file(&self, path: &Path) -> io::Result<()> {
        let action = |state: &mut State| state.remove_file(path);
        self.perform(Operation::Remove, &path.to_string_lossy(), action)
            .await
    }

    pub(super) async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let action = |state: &mut State| state.sync_dir(path);
        self.perform(Operation::SyncDir, &path.to_string_lossy(), action)
            .await
    }

    pub(super) async fn free_space(&self, path: &Path) -> io::Result<u64> {
        let action = |state: &mut State| Ok(state.free());
        self.perform(Operation::ReadDir, &path.to_string_lossy(), action)
            .await
    }
}

/// Ends the process here: whoever waits for the operation never hears of it.
async fn crash<T>() -> io::Result<T> {
    sim::crash_now().await;
    pending().await
}

impl Durable for SimDisk {
    fn on_crash(&self, below: &mut dyn FnMut(u64) -> u64) {
        self.state.borrow_mut().crash(below);
    }
}

#[cfg(test)]
mod tests;
