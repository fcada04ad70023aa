//! One simulated file: what is in it, and what of that would survive.

use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// Chooses a number below its argument, by seed.
pub(super) type Below<'a> = &'a mut dyn FnMut(u64) -> u64;

/// A change of a file since its last sync.
enum Change {
    Write { offset: u64, bytes: Bytes },
    SetLen(u64),
    GrowTo(u64),
}

struct Pending {
    sequence: u64,
    change: Change,
    /// A sync of it has failed: the system has forgotten that it has to be written, so no later sync will.
    forgotten: bool,
}

#[derive(Default)]
pub(super) struct Inode {
    current: Content,
    synced: Content,
    pending: Vec<Pending>,
    /// The end of what is written or reserved: what the file takes from the disk.
    pub(super) reserved: u64,
    /// Names it has now.
    pub(super) links: u32,
    /// Held by open files as well.
    pub(super) handle: Arc<()>,
}

impl Inode {
    pub(super) fn is_open(&self) -> bool {
        Arc::strong_count(&self.handle) > 1
    }

    pub(super) fn len(&self) -> u64 {
        self.current.len()
    }

    pub(super) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        self.current.read(offset, len)
    }

    pub(super) fn write(&mut self, sequence: u64, offset: u64, bytes: Bytes) {
        self.reserved = self.reserved.max(offset + bytes.len() as u64);
        self.change(sequence, Change::Write { offset, bytes });
    }

    pub(super) fn set_len(&mut self, sequence: u64, len: u64) {
        self.reserved = self.reserved.min(len);
        self.change(sequence, Change::SetLen(len));
    }

    pub(super) fn allocate(&mut self, sequence: u64, end: u64) {
        self.reserved = self.reserved.max(end);
        self.change(sequence, Change::GrowTo(end));
    }

    fn change(&mut self, sequence: u64, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(Pending {
            sequence,
            change,
            forgotten: false,
        });
    }

    /// Makes the changes before `sequence` survive.
    pub(super) fn sync(&mut self, before: u64) {
        let synced = &mut self.synced;
        self.pending.retain(|pending| {
            let syncs = pending.sequence < before && !pending.forgotten;
            if syncs {
                pending.change.apply(synced);
            }
            !syncs
        });
    }

    /// A sync has failed: the changes before `sequence` will not be written by a later one.
    pub(super) fn sync_failed(&mut self, before: u64) {
        let affected = self.pending.iter_mut();
        for pending in affected.filter(|pending| pending.sequence < before) {
            pending.forgotten = true;
        }
    }

    /// Power loss: the synced bytes, and of each change since all, nothing, or some of its sectors.
    pub(super) fn crash(&mut self, below: Below<'_>) {
        for pending in self.pending.drain(..) {
            match below(3) {
                0 => {}
                1 => pending.change.apply(&mut self.synced),
                _ => pending.change.tear(&mut self.synced, below),
            }
        }
        self.current = self.synced.clone();
        self.reserved = self.current.len();
    }

    /// Changes bytes behind everybody's back, as a failing disk does.
    pub(super) fn overwrite(&mut self, offset: u64, bytes: &[u8]) {
        self.current.write(offset, bytes);
        self.synced.write(offset, bytes);
    }
}

impl Change {
    fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { offset, bytes } => content.write(*offset, bytes),
            Self::SetLen(len) => content.set_len(*len),
            Self::GrowTo(len) => content.grow_to(*len),
        }
    }

    /// Some sectors of a write arrive. The length may arrive without the bytes, which are zeros then.
    fn tear(&self, content: &mut Content, below: Below<'_>) {
        let Self::Write { offset, bytes } = self else {
            return;
        };
        let end = offset + bytes.len() as u64;
        let mut at = *offset;
        while at < end {
            let next = end.min((at / SECTOR + 1) * SECTOR);
            if below(2) == 0 {
                // Both lie within the buffer.
                let range = (at - offset) as usize..(next - offset) as usize;
                content.write(at, &bytes[range]);
            }
            at = next;
        }
        if below(2) == 0 {
            content.grow_to(end);
        }
    }
}
