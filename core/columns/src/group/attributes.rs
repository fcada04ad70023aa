//! Generic attributes of one level: `Key`, and the leaves beside it. What was decoded serves all keys.

use std::ops::Range;

use vivace_block_reader::{DefLevels, Dictionary, Ranges, RepLevels, Values, Wanted};

use super::error::LoadError;
use super::limits::{KEYS_AT_ONCE, SLOTS_PER_PAUSE};
use super::owners::Levels;
use super::places::{AttributeLeaves, Extent, kinds_of};
use super::slots::ValueSlots;
use super::source::Source;
use super::strings::texts;
use crate::cells::{CellKind, Cells, array_bits};
use crate::strings::Strings;

/// Cells of one element and of several, in the order of `AttributeLeaves::values`.
const KINDS: [(CellKind, CellKind); 4] = [
    (CellKind::String, CellKind::StringArray),
    (CellKind::Int, CellKind::IntArray),
    (CellKind::Float, CellKind::FloatArray),
    (CellKind::Bool, CellKind::BoolArray),
];

/// The `Key` leaf.
pub(super) struct Keys {
    /// By attribute: number of `names`.
    pub codes: Vec<u32>,
    pub names: Strings,
    /// First attribute of each owner that was read, and the number of all.
    pub starts: Vec<u32>,
    slots: usize,
    /// By attribute; None: the same number, because each slot has one.
    slot_of: Option<Vec<u32>>,
}

/// What was decoded of a level.
pub(super) struct LevelAttributes {
    pub leaves: AttributeLeaves,
    /// What the rest is of; None: nothing was decoded.
    extent: Option<Extent>,
    pub keys: Option<Keys>,
    is_array: Option<Vec<bool>>,
    /// Inner None: the leaf has no value at all.
    values: [Option<Option<ValueSlots>>; 4],
    held: usize,
}

/// The number of a string; None if there is none.
pub(super) fn number_of(strings: &Strings, text: &str) -> Option<u32> {
    let mut numbers = 0..strings.len() as u32;
    numbers.find(|&number| strings.get(number.into()) == text.as_bytes())
}

fn has(dictionary: &Dictionary, text: &str) -> bool {
    match dictionary {
        Dictionary::Bytes(bytes) => bytes.iter().any(|bytes| bytes == text.as_bytes()),
        Dictionary::Numbers(_) => false,
    }
}

impl LevelAttributes {
    pub fn new(leaves: AttributeLeaves) -> Self {
        Self {
            leaves,
            extent: None,
            keys: None,
            is_array: None,
            values: [const { None }; 4],
            held: 0,
        }
    }

    /// Whether the row group has no attribute with this key on this level, as far as that is known without reading more.
    pub fn is_known_to_lack<R: Ranges, P: AsyncFn()>(
        &self,
        source: &Source<R, P>,
        key: &str,
    ) -> bool {
        let dictionary = source.known_dictionary(self.leaves.key);
        dictionary.is_some_and(|dictionary| !has(dictionary, key))
    }

    /// Leaves that are not decoded for these traces.
    pub fn missing(&self, traces: &Range<u32>) -> Vec<usize> {
        if !self.covers(traces) {
            return self.leaves.all().into();
        }
        let mut missing = Vec::new();
        missing.extend(self.keys.is_none().then_some(self.leaves.key));
        missing.extend(self.is_array.is_none().then_some(self.leaves.is_array));
        let values = self.leaves.values.iter().zip(&self.values);
        missing.extend(
            values
                .filter(|(_, read)| read.is_none())
                .map(|(leaf, _)| *leaf),
        );
        missing
    }

    fn covers(&self, traces: &Range<u32>) -> bool {
        self.extent.as_ref().is_some_and(|extent| {
            extent.traces.start <= traces.start && traces.end <= extent.traces.end
        })
    }

    /// Decodes the keys, unless that was done for these owners and perhaps more.
    async fn read_keys<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        wanted: &Extent,
    ) -> Result<Extent, LoadError<R::Error>> {
        if let Some(extent) = &self.extent
            && self.covers(&wanted.traces)
        {
            return Ok(extent.clone());
        }
        source.release(self.held);
        *self = Self::new(self.leaves);
        let leaf = self.leaves.key;
        let levels = source.leaf(leaf).map(|leaf| (leaf.max_rep, leaf.max_def));
        let (max_rep, max_def) = levels.unwrap_or((0, 0));
        let parts = Wanted {
            rep: RepLevels::Repeats,
            def: DefLevels::All,
            values: true,
        };
        let data = source.read(leaf, wanted.rows.clone(), parts).await?;
        let page = data.page;
        let levels = Levels {
            rep: &page.rep_levels,
            def: &page.def_levels,
            max_rep,
            max_def,
            owner_def: max_def.saturating_sub(1),
        };
        let starts = levels.starts(wanted.owners.len());
        let starts = starts.ok_or_else(|| source.corrupt(leaf, "attributes of other owners"))?;
        source.worked(page.slots).await;
        let slots = page.slots;
        let slot_of = (page.values.len() != slots).then(|| {
            let defs = (0..).zip(&page.def_levels);
            let with_one = defs.filter(|(_, def)| **def == max_def);
            with_one.map(|(slot, _)| slot).collect::<Vec<u32>>()
        });
        let (codes, names) = match (page.values, data.dictionary) {
            (Values::Codes(codes), Some(dictionary)) => (codes, Strings::of_dictionary(dictionary)),
            (values @ Values::Bytes(_), _) => distinct(&values),
            _ => return Err(source.corrupt(leaf, "keys that are no strings")),
        };
        let keys = Keys {
            codes,
            names,
            starts,
            slots,
            slot_of,
        };
        self.hold(source, leaf, keys.memory_bytes())?;
        self.keys = Some(keys);
        self.extent = Some(wanted.clone());
        Ok(wanted.clone())
    }

    fn hold<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        leaf: usize,
        bytes: usize,
    ) -> Result<(), LoadError<R::Error>> {
        source.hold(leaf, bytes)?;
        self.held += bytes;
        Ok(())
    }

    async fn read_is_array<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        rows: &Range<u32>,
    ) -> Result<(), LoadError<R::Error>> {
        if self.is_array.is_some() {
            return Ok(());
        }
        let leaf = self.leaves.is_array;
        let data = source.read(leaf, rows.clone(), Wanted::VALUES).await?;
        let attributes = self.keys.as_ref().map_or(0, |keys| keys.codes.len());
        match data.page.values {
            Values::Bool(values) if values.len() == attributes => {
                self.hold(source, leaf, values.len())?;
                self.is_array = Some(values);
                Ok(())
            }
            _ => Err(source.corrupt(leaf, "another number of values than keys")),
        }
    }

    /// Decodes the values of a type.
    async fn read_values<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        kind: usize,
        rows: &Range<u32>,
    ) -> Result<(), LoadError<R::Error>> {
        let (Some(&leaf), Some(None)) = (self.leaves.values.get(kind), self.values.get(kind))
        else {
            return Ok(());
        };
        let parts = Wanted {
            rep: RepLevels::Repeats,
            def: DefLevels::Present,
            values: true,
        };
        let is_empty = source
            .known_dictionary(leaf)
            .is_some_and(|known| known.is_empty());
        let mut slots = None;
        if !is_empty {
            let levels = source.leaf(leaf).map(|leaf| (leaf.max_rep, leaf.max_def));
            let mut data = source.read(leaf, rows.clone(), parts).await?;
            if !data.page.values.is_empty() {
                let strings = match (&mut data.page.values, data.dictionary) {
                    (Values::Codes(_), Some(dictionary)) => Strings::of_dictionary(dictionary),
                    (values @ Values::Bytes(_), _) => {
                        let taken = std::mem::replace(values, Values::Codes(Vec::new()));
                        let Some((numbers, strings)) = texts(taken, None) else {
                            return Err(source.corrupt(leaf, "values of another type"));
                        };
                        *values = Values::Codes((0..numbers.len() as u32).collect());
                        strings
                    }
                    _ => Strings::none(),
                };
                let keys = self.keys.as_ref().map_or(0, |keys| keys.slots);
                let read = ValueSlots::new(data.page, levels.unwrap_or((0, 0)), keys, strings);
                let other =
                    || source.corrupt(leaf, "values of other attributes than there are keys");
                let read = read.ok_or_else(other)?;
                source.worked(keys).await;
                self.hold(source, leaf, read.memory_bytes())?;
                slots = Some(read);
            }
        }
        if let Some(place) = self.values.get_mut(kind) {
            *place = Some(slots);
        }
        Ok(())
    }

    /// The keys of these owners, and perhaps of more; for leaves without a dictionary.
    pub async fn names<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        wanted: &Extent,
    ) -> Result<Strings, LoadError<R::Error>> {
        self.read_keys(source, wanted).await?;
        let keys = self.keys.as_ref();
        Ok(keys.map_or_else(Strings::none, |keys| keys.names.clone()))
    }

    /// Decodes everything of the level, for `value`.
    pub async fn read_all<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        wanted: &Extent,
    ) -> Result<Extent, LoadError<R::Error>> {
        let extent = self.read_keys(source, wanted).await?;
        self.read_is_array(source, &extent.rows).await?;
        for kind in 0..KINDS.len() {
            self.read_values(source, kind, &extent.rows).await?;
        }
        Ok(extent)
    }

    fn slots(&self, kind: usize) -> Option<&ValueSlots> {
        self.values.get(kind)?.as_ref()?.as_ref()
    }

    /// What strings of this level stand for.
    pub fn strings(&self) -> Strings {
        self.slots(0)
            .map_or_else(Strings::none, |slots| slots.strings.clone())
    }

    /// The value of an attribute in the leaf of a type; elements of arrays are appended. Nil: it has none there.
    #[inline]
    fn value_in(&self, kind: usize, attribute: usize, elements: &mut Vec<u64>) -> (CellKind, u64) {
        const NONE: (CellKind, u64) = (CellKind::Nil, 0);
        let (Some(keys), Some(slots)) = (&self.keys, self.slots(kind)) else {
            return NONE;
        };
        let slot = match &keys.slot_of {
            None => attribute,
            Some(slot_of) => slot_of
                .get(attribute)
                .map_or(usize::MAX, |&slot| slot as usize),
        };
        let (Some((first, count)), Some(&(one, many))) = (slots.find(slot), KINDS.get(kind)) else {
            return NONE;
        };
        if !self.is_array_at(attribute) {
            return (one, bits_at(&slots.values, first));
        }
        let start = elements.len();
        elements.extend((first..first + count).map(|index| bits_at(&slots.values, index)));
        (many, array_bits(start, count))
    }

    #[inline]
    fn is_array_at(&self, attribute: usize) -> bool {
        let flags = self.is_array.as_ref();
        flags.is_some_and(|flags| flags.get(attribute) == Some(&true))
    }

    /// What an attribute is that has no value in any leaf.
    fn without_value(&self, attribute: usize) -> (CellKind, u64) {
        match self.is_array_at(attribute) {
            true => (CellKind::StringArray, array_bits(0, 0)),
            false => (CellKind::Nil, 0),
        }
    }

    /// The value of an attribute after `read_all`; elements of arrays are appended. Nil: none that queries know.
    pub fn value(&self, attribute: usize, elements: &mut Vec<u64>) -> (CellKind, u64) {
        for kind in 0..KINDS.len() {
            let found = self.value_in(kind, attribute, elements);
            if found.0 != CellKind::Nil {
                return found;
            }
        }
        self.without_value(attribute)
    }

    /// The column of a key. Of several attributes of an owner the first counts, also one without a type that queries know.
    pub async fn cells<R: Ranges, P: AsyncFn()>(
        &mut self,
        source: &mut Source<R, P>,
        key: &str,
        wanted: &Extent,
    ) -> Result<Cells, LoadError<R::Error>> {
        let nil = || Ok(Cells::nil(wanted.level, wanted.total));
        if self.is_known_to_lack(source, key) {
            return nil();
        }
        let extent = self.read_keys(source, wanted).await?;
        let keys = self.keys.as_ref();
        let code = keys.and_then(|keys| number_of(&keys.names, key));
        let (Some(keys), Some(code)) = (keys, code) else {
            return nil();
        };
        let (mut at, attributes) = scan(keys, code, source).await;
        if at.is_empty() {
            return nil();
        }
        let mut kinds = vec![CellKind::Nil; at.len()];
        let mut bits = vec![0; at.len()];
        let mut elements = Vec::new();
        let mut left = at.len();
        self.read_is_array(source, &extent.rows).await?;
        for kind in 0..KINDS.len() {
            if left == 0 {
                break;
            }
            self.read_values(source, kind, &extent.rows).await?;
            if self.slots(kind).is_none() {
                continue;
            }
            let places = kinds
                .chunks_mut(SLOTS_PER_PAUSE)
                .zip(bits.chunks_mut(SLOTS_PER_PAUSE));
            for ((kinds, bits), attributes) in places.zip(attributes.chunks(SLOTS_PER_PAUSE)) {
                for ((of_cell, value), &attribute) in kinds.iter_mut().zip(bits).zip(attributes) {
                    if *of_cell == CellKind::Nil {
                        (*of_cell, *value) = self.value_in(kind, attribute as usize, &mut elements);
                        left -= usize::from(*of_cell != CellKind::Nil);
                    }
                }
                source.worked(attributes.len()).await;
            }
        }
        let mut hidden = Vec::new();
        if left > 0 {
            for ((kind, value), &attribute) in kinds.iter_mut().zip(&mut bits).zip(&attributes) {
                if *kind == CellKind::Nil {
                    (*kind, *value) = self.without_value(attribute as usize);
                }
            }
            let without = at
                .iter()
                .zip(&kinds)
                .filter(|(_, kind)| **kind == CellKind::Nil);
            hidden.extend(without.map(|(owner, _)| owner + extent.owners.start));
            let mut is_there = kinds.iter().map(|kind| *kind != CellKind::Nil);
            at.retain(|_| is_there.next().unwrap_or(false));
            let mut is_there = kinds.iter().map(|kind| *kind != CellKind::Nil);
            bits.retain(|_| is_there.next().unwrap_or(false));
            kinds.retain(|kind| *kind != CellKind::Nil);
        }
        let mut cells = extent.sparse(at, kinds_of(kinds), bits);
        cells.elements = elements;
        cells.strings = self.strings();
        cells.hidden = hidden;
        Ok(cells)
    }
}

/// Owners that have a key, and the first attribute of each with it.
async fn scan<R: Ranges, P: AsyncFn()>(
    keys: &Keys,
    code: u32,
    source: &mut Source<R, P>,
) -> (Vec<u32>, Vec<u32>) {
    let (mut at, mut attributes) = (Vec::new(), Vec::new());
    let mut owner = 0_usize;
    let mut ends = keys.starts.get(1..).unwrap_or_default().iter();
    let mut end = ends.next().copied().unwrap_or(u32::MAX);
    let parts = keys.codes.chunks(SLOTS_PER_PAUSE);
    for (part, codes) in parts.enumerate() {
        for (number, group) in codes.chunks(KEYS_AT_ONCE).enumerate() {
            if !group.iter().fold(false, |any, &key| any | (key == code)) {
                continue;
            }
            let first = (part * SLOTS_PER_PAUSE + number * KEYS_AT_ONCE) as u32;
            for (&key, attribute) in group.iter().zip(first..) {
                if key != code {
                    continue;
                }
                while end <= attribute {
                    owner += 1;
                    end = ends.next().copied().unwrap_or(u32::MAX);
                }
                if at.last() != Some(&(owner as u32)) {
                    at.push(owner as u32);
                    attributes.push(attribute);
                }
            }
        }
        source.worked(codes.len()).await;
    }
    (at, attributes)
}

impl Keys {
    fn memory_bytes(&self) -> usize {
        let slots = self.slot_of.as_ref().map_or(0, Vec::capacity);
        (self.codes.capacity() + self.starts.capacity() + slots) * 4
    }
}

#[inline]
fn bits_at(values: &Values, index: usize) -> u64 {
    match values {
        Values::Codes(values) => values.get(index).copied().unwrap_or(0).into(),
        Values::I64(values) => values.get(index).copied().unwrap_or(0).cast_unsigned(),
        Values::F64(values) => values.get(index).copied().unwrap_or(0.0).to_bits(),
        Values::Bool(values) => values.get(index).copied().unwrap_or(false).into(),
        Values::I32(values) => i64::from(values.get(index).copied().unwrap_or(0)).cast_unsigned(),
        Values::Bytes(_) => 0,
    }
}

/// Codes for strings that have no dictionary.
fn distinct(values: &Values) -> (Vec<u32>, Strings) {
    let Values::Bytes(values) = values else {
        return (Vec::new(), Strings::none());
    };
    let mut known = std::collections::HashMap::new();
    let mut names = Vec::new();
    let mut code = |value| {
        *known.entry(value).or_insert_with(|| {
            names.push(value);
            names.len() as u32 - 1
        })
    };
    let codes = values.iter().map(&mut code).collect();
    (
        codes,
        Strings::of_values(std::sync::Arc::new(names.into_iter().collect())),
    )
}
