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
    /// A sync of it has failed: the system has forgotten that it has to be written, so no later sync will write it.
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

    /// Makes the changes before `sequence` survive. Where they cover forgotten bytes, those are gone for good: the system has
    /// only the newer ones left to write.
    pub(super) fn sync(&mut self, before: u64) {
        let mut kept: Vec<Pending> = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            if pending.sequence < before && !pending.forgotten {
                pending.change.apply(&mut self.synced);
                let (from, to) = pending.change.covers();
                kept = kept
                    .into_iter()
                    .flat_map(|older| older.without(from, to))
                    .collect();
            } else {
                kept.push(pending);
            }
        }
        self.pending = kept;
    }

    /// A sync has failed: the bytes written before `sequence` will not be written by a later one. (Lengths will: they are in the
    /// file system's journal.)
    pub(super) fn sync_failed(&mut self, before: u64) {
        for pending in &mut self.pending {
            let data = matches!(pending.change, Change::Write { .. });
            pending.forgotten |= data && pending.sequence < before;
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

impl Pending {
    /// What is left of it when the bytes `from..to` are overruled.
    fn without(self, from: u64, to: u64) -> Vec<Pending> {
        let Change::Write { offset, bytes } = &self.change else {
            return vec![self];
        };
        let end = offset + bytes.len() as u64;
        if to <= *offset || end <= from {
            return vec![self];
        }
        let part = |part_from: u64, part_to: u64| {
            // Both lie within the buffer.
            let range = (part_from - offset) as usize..(part_to - offset) as usize;
            Pending {
                sequence: self.sequence,
                change: Change::Write {
                    offset: part_from,
                    bytes: bytes.slice(range),
                },
                forgotten: self.forgotten,
            }
        };
        let mut left = Vec::new();
        if *offset < from {
            left.push(part(*offset, from));
        }
        if to < end {
            left.push(part(to, end));
        }
        left
    }
}

impl Change {
    /// The bytes it decides, from and to.
    fn covers(&self) -> (u64, u64) {
        match self {
            Self::Write { offset, bytes } => (*offset, offset + bytes.len() as u64),
            Self::SetLen(len) => (*len, u64::MAX),
            Self::GrowTo(_) => (0, 0),
        }
    }

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
