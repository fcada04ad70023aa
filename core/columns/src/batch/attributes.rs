//! Attributes: one key of a level, all of a level, and which keys there are.

use vivace_block::WellKnown;
use vivace_model::{StringId, View};

use super::pause::{Pause, parts};
use super::text::find_string;
use super::values::{Place, Values, owner_of};
use crate::cells::{CellKind, Cells, Kinds};
use crate::column::Level;
use crate::strings::Strings;
use crate::table::AttributeTable;

/// Keys that are compared at once; the compiler makes one comparison of several.
const KEYS_AT_ONCE: usize = 32;

/// The column of one key.
pub(super) async fn column<P: AsyncFn()>(
    view: &View<'_>,
    strings: &Strings,
    (level, key): (Level, &str),
    pause: &mut Pause<P>,
) -> Cells {
    let Some(owner) = owner_of(level) else {
        return Cells::nil(level, view.trace_count() as u32);
    };
    let mut found = Found::new(view.owned_attributes(owner).owner_count());
    let mut values = Values::new(view, owner);
    if let Some(id) = find_string(view, key) {
        found.scan(view, id, &mut values, level, pause).await;
    }
    let is_service = is_service_name(level, key);
    if found.at.is_empty() && found.hidden.is_empty() && !is_service {
        return Cells::nil(level, found.owners as u32);
    }
    let hidden = std::mem::take(&mut found.hidden);
    let (at, kinds, bits) = if is_service {
        // A missing name is the empty one, which is string 0 of every batch.
        found.fill(CellKind::String)
    } else if found.at.len() * 2 >= found.owners {
        found.fill(CellKind::Nil)
    } else {
        (Some(found.at), found.kinds, found.bits)
    };
    pause.after(bits.len()).await;
    Cells {
        level,
        owners: found.owners as u32,
        at,
        kinds: kinds_of(kinds),
        bits,
        elements: values.elements,
        strings: strings.clone(),
        hidden,
    }
}

/// The one attribute that is never nil.
pub(super) fn is_service_name(level: Level, key: &str) -> bool {
    level == Level::Resource && key == WellKnown::ServiceName.attribute()
}

fn kinds_of(kinds: Vec<CellKind>) -> Kinds {
    match kinds.split_first() {
        Some((first, rest)) if rest.iter().any(|kind| kind != first) => Kinds::Each(kinds),
        Some((first, _)) => Kinds::All(*first),
        None => Kinds::All(CellKind::Nil),
    }
}

/// Which of the keys are the one with this id, by bit.
#[inline]
fn matches(keys: &[[u8; 4]], id: u32) -> u32 {
    let is_key = |key: &[u8; 4]| u32::from(u32::from_le_bytes(*key) >> 4 == id);
    match keys.first_chunk::<KEYS_AT_ONCE>() {
        Some(keys) if !keys.iter().fold(false, |any, key| any | (is_key(key) != 0)) => 0,
        _ => (keys.iter().zip(0..KEYS_AT_ONCE))
            .fold(0, |matches, (key, bit)| matches | is_key(key) << bit),
    }
}

/// Values of a key, by owner.
struct Found {
    owners: usize,
    at: Vec<u32>,
    kinds: Vec<CellKind>,
    bits: Vec<u64>,
    /// Owners with a value that queries don't know.
    hidden: Vec<u32>,
}

type Parts = (Option<Vec<u32>>, Vec<CellKind>, Vec<u64>);

impl Found {
    fn new(owners: usize) -> Self {
        Self {
            owners,
            at: Vec::new(),
            hidden: Vec::new(),
            kinds: Vec::new(),
            bits: Vec::new(),
        }
    }

    /// Of several attributes of an owner the first counts, also one without a type that queries know.
    async fn scan<P: AsyncFn()>(
        &mut self,
        view: &View<'_>,
        id: u32,
        values: &mut Values<'_>,
        level: Level,
        pause: &mut Pause<P>,
    ) {
        let Some(kind) = owner_of(level) else { return };
        let attributes = view.owned_attributes(kind);
        let (starts, bits) = (attributes.starts(), attributes.values());
        let keys_of = attributes.keys();
        let (keys, _) = keys_of.as_bytes().as_chunks::<4>();
        let (mut owner, mut last) = (0, None);
        for part in parts(keys.len()) {
            let some = keys.get(part.clone()).unwrap_or_default();
            for (number, group) in some.chunks(KEYS_AT_ONCE).enumerate() {
                let first = part.start + number * KEYS_AT_ONCE;
                let mut left = matches(group, id);
                while left != 0 {
                    let place = first + left.trailing_zeros() as usize;
                    left &= left - 1;
                    while owner + 1 < self.owners && starts.get(owner + 1) as usize <= place {
                        owner += 1;
                    }
                    if last.replace(owner) == Some(owner) {
                        continue;
                    }
                    let at = Place {
                        owner,
                        first: starts.get(owner) as usize,
                        at: place,
                    };
                    let (kind, bits) = values.cell(keys_of.get(place), bits.get(place), at);
                    if kind == CellKind::Nil {
                        self.hidden.push(owner as u32);
                    } else {
                        self.at.push(owner as u32);
                        self.kinds.push(kind);
                        self.bits.push(bits);
                    }
                }
            }
            pause.after(part.len()).await;
        }
    }

    /// One cell an owner; bits 0 of this kind for those that have none.
    fn fill(&mut self, missing: CellKind) -> Parts {
        if self.at.len() == self.owners {
            let kinds = std::mem::take(&mut self.kinds);
            return (None, kinds, std::mem::take(&mut self.bits));
        }
        let (mut kinds, mut bits) = (vec![missing; self.owners], vec![0; self.owners]);
        for ((&at, &kind), &value) in self.at.iter().zip(&self.kinds).zip(&self.bits) {
            if let Some(place) = kinds.get_mut(at as usize) {
                *place = kind;
            }
            if let Some(place) = bits.get_mut(at as usize) {
                *place = value;
            }
        }
        (None, kinds, bits)
    }
}

/// All attributes of a level.
pub(super) async fn table<P: AsyncFn()>(
    view: &View<'_>,
    strings: &Strings,
    level: Level,
    pause: &mut Pause<P>,
) -> AttributeTable {
    let mut table = AttributeTable {
        level,
        owners: Vec::new(),
        keys: Vec::new(),
        key_strings: strings.clone(),
        kinds: Vec::new(),
        bits: Vec::new(),
        elements: Vec::new(),
        strings: strings.clone(),
    };
    let Some(kind) = owner_of(level) else {
        return table;
    };
    let attributes = view.owned_attributes(kind);
    let (starts, keys, bits) = (attributes.starts(), attributes.keys(), attributes.values());
    let count = keys.len();
    table.owners.reserve_exact(count);
    table.keys.reserve_exact(count);
    table.kinds.reserve_exact(count);
    table.bits.reserve_exact(count);
    let mut values = Values::new(view, kind);
    let mut first = 0;
    for owner in 0..attributes.owner_count() {
        let end = starts.get(owner + 1) as usize;
        for at in first..end {
            let place = Place { owner, first, at };
            let key = keys.get(at);
            let (kind, bits) = values.cell(key, bits.get(at), place);
            if kind != CellKind::Nil {
                table.owners.push(owner as u32);
                table.keys.push(key >> 4);
                table.kinds.push(kind);
                table.bits.push(bits);
            }
        }
        pause.after(end - first + 1).await;
        first = end;
    }
    table.elements = values.elements;
    table
}

/// Keys of a level, sorted, each once.
pub(super) async fn keys<P: AsyncFn()>(
    view: &View<'_>,
    level: Level,
    pause: &mut Pause<P>,
) -> Vec<Box<str>> {
    let Some(kind) = owner_of(level) else {
        return Vec::new();
    };
    let keys = view.owned_attributes(kind).keys();
    let mut seen = vec![false; view.string_count()];
    for part in parts(keys.len()) {
        for place in part.clone() {
            if let Some(seen) = seen.get_mut(keys.get(place) as usize >> 4) {
                *seen = true;
            }
        }
        pause.after(part.len()).await;
    }
    let seen = seen.iter().enumerate().filter(|(_, seen)| **seen);
    let texts = seen.map(|(id, _)| view.string(StringId(id as u32)));
    let mut texts: Vec<Box<str>> = texts.map(Box::from).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}
