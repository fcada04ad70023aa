//! The committed offsets of the consumer groups of a partition: `groups.state`.
//!
//! Two slots of 4 KiB, written in turn. Each carries a sequence number and a checksum; the newer
//! sound one counts. A crash can tear only the slot being written, the other holds what was
//! acknowledged before. Committing needs no space, so it works (and retention can go on) on a
//! full disk.
//!
//! ```text
//! byte  0 magic u32 "VLG1"   4 crc32c u32 of bytes 8..length   8 sequence u64
//!      16 length u32        20 count u32   then: name length u8, name, next offset u64
//! ```

use std::collections::BTreeMap;

use crate::limits::{MAX_GROUP_NAME_BYTES, MAX_GROUPS};

/// Name of the file in a partition's directory.
pub const FILE: &str = "groups.state";
pub const SLOT_BYTES: usize = 4096;

const MAGIC: u32 = u32::from_le_bytes(*b"VLG1");
const HEADER_BYTES: usize = 24;
const _: () = assert!(HEADER_BYTES + MAX_GROUPS * (1 + MAX_GROUP_NAME_BYTES + 8) <= SLOT_BYTES);
const _: () = assert!(MAX_GROUP_NAME_BYTES <= u8::MAX as usize);

/// What a slot holds: the next offset each group wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    pub sequence: u64,
    pub next_offsets: BTreeMap<String, u64>,
}

impl Committed {
    /// A full slot. The caller keeps to the maxima of groups and their names.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        for (name, next) in &self.next_offsets {
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&next.to_le_bytes());
        }
        let length = out.len() as u32;
        let count = self.next_offsets.len() as u32;
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..20].copy_from_slice(&length.to_le_bytes());
        out[20..24].copy_from_slice(&count.to_le_bytes());
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out.resize(SLOT_BYTES, 0);
        out
    }

    /// `None` for anything that `encode` did not write.
    pub fn decode(slot: &[u8]) -> Option<Committed> {
        let word = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let length = word(16)? as usize;
        let covered = slot.get(8..length)?;
        if word(0)? != MAGIC || crc32c::crc32c(covered) != word(4)? {
            return None;
        }
        let mut next_offsets = BTreeMap::new();
        let mut at = HEADER_BYTES;
        for _ in 0..word(20)? {
            let name_bytes = usize::from(*slot.get(at)?);
            let name = slot.get(at + 1..at + 1 + name_bytes)?;
            at += 1 + name_bytes;
            next_offsets.insert(std::str::from_utf8(name).ok()?.to_owned(), long(at)?);
            at += 8;
        }
        (at == length).then_some(Committed {
            sequence: long(8)?,
            next_offsets,
        })
    }

    /// The newer of the two slots of a file; `None` if neither is sound.
    pub fn newest(file: &[u8]) -> Option<Committed> {
        file.chunks(SLOT_BYTES)
            .take(2)
            .filter_map(Committed::decode)
            .max_by_key(|committed| committed.sequence)
    }

    /// Where in the file this sequence number is written.
    pub fn slot_position(&self) -> u64 {
        (self.sequence % 2) * SLOT_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn committed() -> impl Strategy<Value = Committed> {
        let groups = proptest::collection::btree_map("[a-zé-]{1,20}", any::<u64>(), 0..MAX_GROUPS);
        (any::<u64>(), groups).prop_map(|(sequence, next_offsets)| Committed {
            sequence,
            next_offsets,
        })
    }

    proptest! {
        #[test]
        fn round_trips(committed in committed()) {
            let slot = committed.encode();
            prop_assert_eq!(slot.len(), SLOT_BYTES);
            prop_assert_eq!(Committed::decode(&slot), Some(committed));
        }

        #[test]
        fn a_torn_slot_leaves_the_other(old in committed(), torn: u16, sector in 0usize..8) {
            let old = Committed { sequence: old.sequence >> 1, ..old };
            let mut next = old.clone();
            next.sequence += 1;
            next.next_offsets.insert("x".into(), 5);
            let mut file = vec![0; SLOT_BYTES * 2];
            let put = |file: &mut Vec<u8>, what: &Committed| {
                let at = what.slot_position() as usize;
                file[at..at + SLOT_BYTES].copy_from_slice(&what.encode());
            };
            put(&mut file, &old);
            put(&mut file, &next);
            prop_assert_eq!(Committed::newest(&file), Some(next.clone()));
            // The first sector holds the checksum; without it, or with it and a changed rest.
            let at = next.slot_position() as usize + sector * 512;
            let end = next.encode().iter().rposition(|b| *b != 0).unwrap_or(0) + 1;
            if sector * 512 < end {
                file[at] = file[at].wrapping_add((torn % 255) as u8 + 1);
                prop_assert_eq!(Committed::newest(&file), Some(old));
            }
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
            prop_assert_eq!(Committed::newest(&bytes), None);
        }

        #[test]
        fn forged_counts_never_panic(committed in committed(), count: u32, length in 0u32..5000) {
            let mut slot = committed.encode();
            slot[16..20].copy_from_slice(&length.to_le_bytes());
            slot[20..24].copy_from_slice(&count.to_le_bytes());
            if length as usize >= 8 && length as usize <= slot.len() {
                let crc = crc32c::crc32c(&slot[8..length as usize]);
                slot[4..8].copy_from_slice(&crc.to_le_bytes());
            }
            let _ = Committed::decode(&slot);
        }
    }
}
