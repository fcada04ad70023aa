//! The texts of all batches, each once, by number.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use vivace_model::{StringId, View, prefetch};

use crate::pause::Pause;

/// Looking up some strings takes as long as writing a span.
const STRINGS_PER_STEP: u32 = 16;

/// A text of the pool. 0 is the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Text(pub(crate) u32);

impl Text {
    pub(crate) const EMPTY: Self = Self(0);
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    text: u32,
}

/// Numbers texts in the order in which they are first seen. The hash is seeded per process; no number depends on it.
pub(crate) struct Pool<'b> {
    texts: Vec<&'b str>,
    slots: HashTable<Slot>,
    state: RandomState,
}

impl<'b> Pool<'b> {
    pub(crate) fn new() -> Self {
        let mut pool = Self {
            texts: Vec::new(),
            slots: HashTable::new(),
            state: RandomState::default(),
        };
        pool.number("");
        pool
    }

    pub(crate) fn number(&mut self, text: &'b str) -> Text {
        let hash = self.state.hash_one(text);
        let texts = &self.texts;
        let same = |slot: &Slot| slot.hash == hash as u32 && texts[slot.text as usize] == text;
        // The table takes its places from the upper bits, so that the lower ones tell something new.
        match self
            .slots
            .entry(spread(hash as u32), same, |slot| spread(slot.hash))
        {
            Entry::Occupied(slot) => Text(slot.get().text),
            Entry::Vacant(place) => {
                let number = self.texts.len() as u32;
                place.insert(Slot {
                    hash: hash as u32,
                    text: number,
                });
                self.texts.push(text);
                Text(number)
            }
        }
    }

    /// The number of a text that is known to be there; that of the empty one otherwise.
    pub(crate) fn find(&self, text: &str) -> Text {
        let hash = self.state.hash_one(text) as u32;
        let same = |slot: &Slot| slot.hash == hash && self.texts[slot.text as usize] == text;
        let found = self.slots.find(spread(hash), same);
        found.map_or(Text::EMPTY, |slot| Text(slot.text))
    }

    #[inline]
    pub(crate) fn text(&self, text: Text) -> &'b str {
        self.texts.get(text.0 as usize).copied().unwrap_or_default()
    }
}

/// 64 bits from the 32 that a slot keeps.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The numbers of a batch's strings.
pub(crate) struct Numbers {
    texts: Vec<Text>,
}

impl Numbers {
    /// Looks up every string of a batch, once.
    pub(crate) async fn of<'b, F: AsyncFn()>(
        view: &View<'b>,
        pool: &mut Pool<'b>,
        pause: &mut Pause<F>,
    ) -> Self {
        let count = view.string_count() as u32;
        let mut texts = Vec::with_capacity(count as usize);
        for id in 0..count {
            texts.push(pool.number(view.string(StringId(id))));
            if id % STRINGS_PER_STEP == 0 {
                pause.step().await;
            }
        }
        Self { texts }
    }

    /// Asks for a number that will be read soon.
    #[inline]
    pub(crate) fn prefetch(&self, id: u32) {
        if let Some(text) = self.texts.get(id as usize) {
            prefetch(text);
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Text {
        self.texts.get(id as usize).copied().unwrap_or(Text::EMPTY)
    }
}
