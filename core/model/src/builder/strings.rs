//! The dictionary of a batch under construction.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::limits::{MAX_BATCH_BYTES, MAX_STRINGS};
use crate::value::StringId;

/// 32 bits of the hash beside the id: a lookup then reads the text of (almost) only the right string.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    id: u32,
}

/// Strings by id. The hash is seeded per process (a sender can't prepare collisions); ids follow first use, so what
/// is built does not depend on the seed.
pub(super) struct Strings {
    pub(super) starts: Vec<u32>,
    pub(super) data: Vec<u8>,
    slots: HashTable<Slot>,
    pub(super) state: RandomState,
    /// A string did not fit the format any more; the span that brought it is refused.
    pub(super) overflow: bool,
}

impl Strings {
    pub(super) fn new() -> Self {
        let mut strings = Self {
            starts: Vec::new(),
            data: Vec::new(),
            slots: HashTable::new(),
            state: RandomState::default(),
            overflow: false,
        };
        strings.clear();
        strings
    }

    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.starts.extend([0, 0]);
        self.data.clear();
        self.slots.clear();
        self.overflow = false;
    }

    /// Number of strings, the empty one included.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.starts.capacity() * 4 + self.data.capacity() + self.slots.allocation_size()
    }

    #[inline]
    fn text(starts: &[u32], data: &[u8], id: u32) -> Option<(usize, usize)> {
        let start = *starts.get(id as usize)? as usize;
        let end = *starts.get(id as usize + 1)? as usize;
        (start <= end && end <= data.len()).then_some((start, end))
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> &[u8] {
        Self::text(&self.starts, &self.data, id).map_or(&[], |(start, end)| &self.data[start..end])
    }

    #[inline]
    fn hash(state: &RandomState, text: &[u8]) -> u64 {
        let mut hasher = state.build_hasher();
        hasher.write(text);
        hasher.finish()
    }

    #[inline]
    pub(super) fn intern(&mut self, text: &str) -> StringId {
        self.intern_as(text.as_bytes(), || true).unwrap_or_default()
    }

    /// The id of the text, with U+FFFD in place of what is not UTF-8; true when there was such a place.
    #[inline]
    pub(super) fn intern_lossy(&mut self, text: &[u8]) -> (StringId, bool) {
        match self.intern_utf8(text) {
            Some(id) => (id, false),
            None => self.intern_repaired(text),
        }
    }

    /// None when the text is not UTF-8.
    #[inline]
    pub(super) fn intern_utf8(&mut self, text: &[u8]) -> Option<StringId> {
        // Only a string that is new has to be checked.
        self.intern_as(text, || simdutf8::basic::from_utf8(text).is_ok())
    }

    #[cold]
    fn intern_repaired(&mut self, text: &[u8]) -> (StringId, bool) {
        let repaired = String::from_utf8_lossy(text);
        (self.intern(&repaired), matches!(repaired, Cow::Owned(_)))
    }

    /// None when the string is new and not `valid`.
    #[inline]
    fn intern_as(&mut self, text: &[u8], valid: impl FnOnce() -> bool) -> Option<StringId> {
        if text.is_empty() {
            return Some(StringId(0));
        }
        let Self {
            starts,
            data,
            slots,
            state,
            ..
        } = self;
        let hash = Self::hash(state, text);
        let short = (hash >> 16) as u32;
        let entry = slots.entry(
            hash,
            |slot| {
                slot.hash == short
                    && Self::text(starts, data, slot.id)
                        .is_some_and(|(start, end)| equal(&data[start..end], text))
            },
            |slot| {
                let (start, end) = Self::text(starts, data, slot.id).unwrap_or_default();
                Self::hash(state, &data[start..end])
            },
        );
        match entry {
            Entry::Occupied(slot) => Some(StringId(slot.get().id)),
            Entry::Vacant(place) => {
                if !valid() {
                    return None;
                }
                if data.len() + text.len() > MAX_BATCH_BYTES || starts.len() >= MAX_STRINGS {
                    self.overflow = true;
                    return Some(StringId(0));
                }
                let id = starts.len() as u32 - 1;
                data.extend_from_slice(text);
                starts.push(data.len() as u32);
                place.insert(Slot { hash: short, id });
                Some(StringId(id))
            }
        }
    }

    /// Forgets the strings from id `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.overflow = false;
        for id in len..self.len() {
            let hash = Self::hash(&self.state, self.get(id as u32));
            if let Ok(entry) = self.slots.find_entry(hash, |slot| slot.id as usize == id) {
                entry.remove();
            }
        }
        self.starts.truncate(len + 1);
        self.data
            .truncate(self.starts.last().map_or(0, |&end| end as usize));
    }
}

/// Most texts are short, and then two loads each beat a call of memcmp.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    let len = a.len();
    if len != b.len() {
        return false;
    }
    match (
        a.first_chunk::<8>(),
        a.last_chunk::<8>(),
        b.first_chunk::<8>(),
        b.last_chunk::<8>(),
    ) {
        (Some(a_first), Some(a_last), Some(b_first), Some(b_last)) if len <= 16 => {
            a_first == b_first && a_last == b_last
        }
        (None, ..) => match (
            a.first_chunk::<4>(),
            a.last_chunk::<4>(),
            b.first_chunk::<4>(),
            b.last_chunk::<4>(),
        ) {
            (Some(a_first), Some(a_last), Some(b_first), Some(b_last)) => {
                a_first == b_first && a_last == b_last
            }
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        },
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_equal_ids_and_the_empty_one_is_0() {
        let mut strings = Strings::new();
        let a = strings.intern("a");
        assert_eq!(strings.intern(""), StringId(0));
        assert_ne!(strings.intern("b"), a);
        assert_eq!(strings.intern("a"), a);
        assert_eq!(strings.len(), 3);
        strings.clear();
        assert_eq!(strings.len(), 1);
        assert_eq!(strings.get(7), b"");
    }

    #[test]
    fn forgotten_strings_are_new_again() {
        let mut strings = Strings::new();
        let kept = strings.intern("kept");
        let mark = strings.len();
        for n in 0..1000 {
            strings.intern(&format!("gone {n}"));
        }
        strings.truncate(mark);
        assert_eq!(strings.len(), mark);
        assert_eq!(strings.intern("kept"), kept);
        assert_eq!(strings.intern("gone 7").0 as usize, mark);
        assert_eq!(strings.get(mark as u32), b"gone 7");
    }

    #[test]
    fn texts_of_every_length_are_compared_whole() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..=text.len() {
            let a = &text[..len];
            assert!(equal(a, a));
            assert!(!equal(a, &text[..(len + 1) % 41]));
            for at in 0..len {
                let mut b = a.to_vec();
                b[at] ^= 1;
                assert!(!equal(a, &b), "{len} {at}");
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_repaired() {
        let mut strings = Strings::new();
        let (id, repaired) = strings.intern_lossy(b"a\xffb");
        assert!(repaired);
        assert_eq!(strings.get(id.0), "a\u{fffd}b".as_bytes());
        assert_eq!(strings.intern_lossy("a\u{fffd}b".as_bytes()), (id, false));
    }
}
