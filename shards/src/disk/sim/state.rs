//! The simulated disk as values: every operation happens at once, no time passes and nothing is random but what `below` says.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::inode::{Below, Inode};
use super::names::{Id, Names, Node};
use crate::disk::{DirEntry, OpenOptions};

/// Space is taken in blocks.
const BLOCK: u64 = 4096;

#[derive(Default)]
pub(super) struct State {
    names: Names,
    inodes: BTreeMap<Id, Inode>,
    next_inode: Id,
    /// Counts changes of files, so that a sync knows which came before it.
    sequence: u64,
    /// Counts crashes; an open file of an earlier life is of no use.
    life: u64,
    capacity: Option<u64>,
}

/// What an open file is known by.
#[derive(Clone)]
pub(super) struct Open {
    inode: Id,
    life: u64,
    _handle: Arc<()>,
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

impl State {
    pub(super) fn open(&mut self, path: &Path, options: OpenOptions) -> io::Result<Open> {
        let changes = options.create || options.create_new || options.truncate;
        if !options.write && (changes || !options.read) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let id = match self.names.file(path)? {
            Some(_) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(id) => id,
            None if options.create || options.create_new => {
                let id = self.next_inode;
                self.names.add_file(path, id)?;
                self.next_inode += 1;
                self.inodes.entry(id).or_default().links = 1;
                id
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let sequence = self.next_sequence();
        let inode = self.inodes.entry(id).or_default();
        if options.truncate && inode.len() > 0 {
            inode.set_len(sequence, 0);
        }
        Ok(Open {
            inode: id,
            life: self.life,
            _handle: Arc::clone(&inode.handle),
        })
    }

    /// The number that changes from now on have at least.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn inode(&mut self, open: &Open) -> io::Result<&mut Inode> {
        if open.life != self.life {
            return Err(crate::disk::stopped());
        }
        self.inodes
            .get_mut(&open.inode)
            .ok_or_else(crate::disk::stopped)
    }

    pub(super) fn read(&mut self, open: &Open, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(self.inode(open)?.read(offset, len))
    }

    pub(super) fn len(&mut self, open: &Open) -> io::Result<u64> {
        Ok(self.inode(open)?.len())
    }

    /// Writes all of it, or what there is room for.
    pub(super) fn write(&mut self, open: &Open, offset: u64, mut bytes: Bytes) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let room = self.room_of(open, end)?;
        let fits = end <= room;
        if !fits {
            let some = usize::try_from(room.saturating_sub(offset)).unwrap_or(usize::MAX);
            bytes.truncate(some);
        }
        if !bytes.is_empty() {
            let sequence = self.next_sequence();
            self.inode(open)?.write(sequence, offset, bytes);
        }
        if fits { Ok(()) } else { Err(no_space()) }
    }

    pub(super) fn allocate(&mut self, open: &Open, end: u64) -> io::Result<()> {
        if end > self.room_of(open, end)? {
            return Err(no_space());
        }
        let sequence = self.next_sequence();
        self.inode(open)?.allocate(sequence, end);
        Ok(())
    }

    pub(super) fn set_len(&mut self, open: &Open, len: u64) -> io::Result<()> {
        let sequence = self.next_sequence();
        self.inode(open)?.set_len(sequence, len);
        Ok(())
    }

    pub(super) fn sync(&mut self, open: &Open, before: u64) -> io::Result<()> {
        self.inode(open)?.sync(before);
        Ok(())
    }

    pub(super) fn sync_failed(&mut self, open: &Open, before: u64) {
        if let Ok(inode) = self.inode(open) {
            inode.sync_failed(before);
        }
    }

    /// How far the file may reach; only looked up if `end` is beyond what it has reserved.
    fn room_of(&mut self, open: &Open, end: u64) -> io::Result<u64> {
        let reserved = self.inode(open)?.reserved;
        let Some(capacity) = self.capacity else {
            return Ok(u64::MAX);
        };
        let reserved = reserved.next_multiple_of(BLOCK);
        if end <= reserved {
            return Ok(reserved);
        }
        let free = capacity.saturating_sub(self.used());
        Ok(reserved + free / BLOCK * BLOCK)
    }

    /// Bytes taken by files that have a name or are open.
    pub(super) fn used(&self) -> u64 {
        let alive = |inode: &&Inode| inode.links > 0 || inode.is_open();
        let inodes = self.inodes.values().filter(alive);
        inodes
            .map(|inode| inode.reserved.next_multiple_of(BLOCK))
            .sum()
    }

    pub(super) fn free(&self) -> u64 {
        let capacity = self.capacity.unwrap_or(u64::MAX / 2);
        capacity.saturating_sub(self.used())
    }

    pub(super) fn set_capacity(&mut self, capacity: Option<u64>) {
        self.capacity = capacity;
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        self.names.create_dir_all(path)
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let entries = self.names.list(path)?.into_iter();
        let entry = |(name, node)| match node {
            Node::Directory(_) => DirEntry {
                name,
                is_dir: true,
                len: 0,
            },
            Node::File(id) => DirEntry {
                name,
                is_dir: false,
                len: self.inodes.get(&id).map_or(0, Inode::len),
            },
        };
        Ok(entries.map(entry).collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let replaced = self.names.rename(from, to)?;
        self.unlink(replaced);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let removed = self.names.remove_file(path)?;
        self.unlink(Some(removed));
        Ok(())
    }

    fn unlink(&mut self, id: Option<Id>) {
        if let Some(inode) = id.and_then(|id| self.inodes.get_mut(&id)) {
            inode.links = inode.links.saturating_sub(1);
        }
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.names.sync_dir(path)?;
        self.sweep();
        Ok(())
    }

    /// Forgets files that nothing leads to any more.
    fn sweep(&mut self) {
        let reachable = self.names.reachable();
        self.inodes
            .retain(|id, inode| reachable.contains(id) || inode.is_open());
    }

    /// Power loss.
    pub(super) fn crash(&mut self, below: Below<'_>) {
        self.life += 1;
        self.names.crash(below);
        for inode in self.inodes.values_mut() {
            inode.crash(below);
            inode.links = 0;
            inode.handle = Arc::default();
        }
        for id in self.names.named() {
            self.inodes.entry(id).or_default().links += 1;
        }
        self.sweep();
    }

    /// What a file holds now; none if there is no such file.
    pub(super) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let id = self.names.file(path).ok()??;
        let inode = self.inodes.get(&id)?;
        Some(inode.read(0, usize::try_from(inode.len()).ok()?))
    }

    pub(super) fn overwrite(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let id = self.names.file(path)?;
        let inode = id.and_then(|id| self.inodes.get_mut(&id));
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        inode.overwrite(offset, bytes);
        Ok(())
    }
}
