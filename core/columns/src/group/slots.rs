//! Values of attributes in the leaf of one type: where the values of a slot are.

use vivace_block_reader::{ColumnPage, Values};

use crate::strings::Strings;

/// Slots of a leaf by slots of the `Key` leaf beside it, which has one for each attribute.
pub(super) struct ValueSlots {
    /// Bit by slot: it has a value.
    present: Vec<u64>,
    /// By word of `present`: values before.
    ranks: Vec<u32>,
    /// By slot of `Key`: the first slot here, where attributes have several; one more than there are.
    starts: Option<Vec<u32>>,
    pub values: Values,
    pub strings: Strings,
}

/// Bits of the eight levels that equal `max`. Levels are at most 127.
fn equal_bits(levels: [u8; 8], max: u8) -> u8 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let differing = u64::from_le_bytes(levels) ^ (LOW * u64::from(max));
    // The high bit of each byte that is not 0.
    let differing = (differing + (0x7f * LOW)) & (0x80 * LOW);
    let equal = (differing ^ (0x80 * LOW)) >> 7;
    (equal.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

fn bitmap(levels: &[u8], max: u8) -> Vec<u64> {
    let mut words = Vec::with_capacity(levels.len().div_ceil(64));
    for word in levels.chunks(64) {
        let (groups, rest) = word.as_chunks::<8>();
        let mut bits = 0;
        for (number, group) in groups.iter().enumerate() {
            bits |= u64::from(equal_bits(*group, max)) << (8 * number);
        }
        for (number, &level) in rest.iter().enumerate() {
            bits |= u64::from(level == max) << (8 * groups.len() + number);
        }
        words.push(bits);
    }
    words
}

impl ValueSlots {
    /// `key_slots` are the slots of `Key`; None when the leaf does not have as many.
    pub fn new(
        page: ColumnPage,
        (max_rep, max_def): (u8, u8),
        key_slots: usize,
        strings: Strings,
    ) -> Option<Self> {
        let mut starts = None;
        if page.rep_levels.is_empty() {
            if page.slots != key_slots {
                return None;
            }
        } else {
            let mut firsts = Vec::with_capacity(key_slots + 1);
            let reps = (0..).zip(&page.rep_levels);
            firsts.extend(
                reps.filter(|(_, rep)| **rep < max_rep)
                    .map(|(slot, _)| slot),
            );
            if firsts.len() != key_slots {
                return None;
            }
            firsts.push(page.slots as u32);
            starts = Some(firsts);
        }
        let present = bitmap(&page.def_levels, max_def);
        let mut count = 0;
        let rank = |word: &u64| {
            let before = count;
            count += word.count_ones();
            before
        };
        let ranks: Vec<u32> = present.iter().map(rank).collect();
        // Without definition levels there is no value (`DefLevels::Present`).
        (count as usize == page.values.len()).then_some(Self {
            present,
            ranks,
            starts,
            values: page.values,
            strings,
        })
    }

    /// First value and number of values of a slot of `Key`.
    #[inline]
    pub fn find(&self, key_slot: usize) -> Option<(usize, usize)> {
        let (slot, count) = match &self.starts {
            None => (key_slot, 1),
            Some(starts) => {
                let first = *starts.get(key_slot)? as usize;
                (
                    first,
                    (*starts.get(key_slot + 1)? as usize).saturating_sub(first),
                )
            }
        };
        let word = *self.present.get(slot / 64)?;
        let bit = slot % 64;
        if word >> bit & 1 == 0 {
            return None;
        }
        let before = (word & ((1 << bit) - 1)).count_ones();
        Some(((self.ranks.get(slot / 64)? + before) as usize, count))
    }

    /// Strings not counted: dictionaries are by whoever keeps them.
    pub fn memory_bytes(&self) -> usize {
        let starts = self.starts.as_ref().map_or(0, Vec::capacity);
        self.present.capacity() * 8
            + (self.ranks.capacity() + starts) * 4
            + self.values.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_slots() {
        let def: Vec<u8> = (0..200)
            .map(|slot| if slot % 3 == 0 { 5 } else { slot as u8 % 5 })
            .collect();
        let count = def.iter().filter(|&&def| def == 5).count();
        let mut page = ColumnPage {
            rep_levels: Vec::new(),
            def_levels: def,
            values: Values::I64((0..count as i64).collect()),
            slots: 200,
        };
        let slots = ValueSlots::new(page.clone(), (5, 5), 200, Strings::none()).unwrap();
        for slot in 0..201 {
            let expected = (slot < 200 && slot % 3 == 0).then_some((slot / 3, 1));
            assert_eq!(slots.find(slot), expected, "{slot}");
        }
        assert!(ValueSlots::new(page.clone(), (5, 5), 199, Strings::none()).is_none());
        // Three slots a key, all with values.
        page.def_levels = vec![5; 200];
        page.values = Values::I64(vec![0; 200]);
        page.rep_levels = (0..200)
            .map(|slot| if slot % 3 == 0 { 4 } else { 5 })
            .collect();
        let slots = ValueSlots::new(page, (5, 5), 67, Strings::none()).unwrap();
        assert_eq!(slots.find(1), Some((3, 3)));
        assert_eq!(slots.find(66), Some((198, 2)));
        assert_eq!(slots.find(67), None);
    }
}
