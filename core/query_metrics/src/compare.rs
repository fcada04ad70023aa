//! Counts of every attribute's values on two sides (traceql.md §7.7).

use std::cmp::Reverse;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vivace_traceql::{MetricsFunction, Static};

use crate::accumulate::{Count, Room, Slot as _, Window};
use crate::labels::{ValueKey, value_text};
use crate::limits::{MAX_COMPARE_ATTRIBUTES, MAX_COMPARE_VALUES};

/// Values of an attribute that are kept of many, at least so many times those that are asked for.
const KEPT_FOR_EACH_SHOWN: usize = 4;

/// A side: 0 the baseline, 1 the selection.
pub(crate) type Sides = [Window<Count>; 2];

/// Names of the sides' series, and of their totals.
pub(crate) const META: [(&str, &str); 2] = [
    ("baseline", "baseline_total"),
    ("selection", "selection_total"),
];

/// All counts of one `compare`; of other functions nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    /// Values shown of an attribute and side.
    top: usize,
    pub(crate) attributes: Vec<AttributeCounts>,
    index: HashMap<Arc<str>, u32, RandomState>,
    /// Values of all attributes.
    values: usize,
    /// There were too many attributes.
    pub(crate) is_cut: bool,
}

/// Counts of one attribute.
#[derive(Clone, Debug)]
pub(crate) struct AttributeCounts {
    /// Canonical text.
    pub(crate) name: Arc<str>,
    /// Spans that have it.
    pub(crate) totals: Sides,
    values: Vec<(Static, Sides)>,
    index: HashMap<ValueKey, u32, RandomState>,
}

impl Comparison {
    pub(crate) fn of(function: &MetricsFunction) -> Self {
        let top = match function {
            MetricsFunction::Compare { top, .. } => usize::try_from(*top).unwrap_or(0),
            _ => 0,
        };
        Self {
            top,
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The number of an attribute, None if there are too many.
    pub(crate) fn attribute(&mut self, name: &Arc<str>) -> Option<u32> {
        if let Some(&number) = self.index.get(name) {
            return Some(number);
        }
        if self.attributes.len() >= MAX_COMPARE_ATTRIBUTES {
            self.is_cut = true;
            return None;
        }
        let number = self.attributes.len() as u32;
        self.attributes.push(AttributeCounts {
            name: name.clone(),
            totals: Sides::default(),
            values: Vec::new(),
            index: HashMap::default(),
        });
        self.index.insert(name.clone(), number);
        Some(number)
    }

    /// The number of a value of an attribute; good until `prune`.
    pub(crate) fn value(&mut self, attribute: u32, value: Static) -> u32 {
        let Some(counts) = self.attributes.get_mut(attribute as usize) else {
            return u32::MAX;
        };
        let next = counts.values.len() as u32;
        let number = *counts.index.entry(ValueKey(value.clone())).or_insert(next);
        if number == next {
            counts.values.push((value, Sides::default()));
            self.values += 1;
        }
        number
    }

    /// Counts spans of one interval. False: there is no room for them.
    #[inline]
    pub(crate) fn add(
        &mut self,
        (attribute, value): (u32, u32),
        side: usize,
        (interval, weight): (u32, f64),
        room: &mut Room,
    ) -> bool {
        let Some(counts) = self.attributes.get_mut(attribute as usize) else {
            return true;
        };
        let mut fits = counts.totals[side].add(interval, Count(weight), room);
        if let Some((_, sides)) = counts.values.get_mut(value as usize) {
            fits &= sides[side].add(interval, Count(weight), room);
        }
        fits
    }

    /// Counts all spans that share an owner.
    pub(crate) fn add_all(
        &mut self,
        (attribute, value): (u32, u32),
        sides: &Sides,
        room: &mut Room,
    ) -> bool {
        let Some(counts) = self.attributes.get_mut(attribute as usize) else {
            return true;
        };
        let mut fits = merge_sides(&mut counts.totals, sides, room);
        if let Some((_, mine)) = counts.values.get_mut(value as usize) {
            fits &= merge_sides(mine, sides, room);
        }
        fits
    }

    /// False: some of it had no room.
    pub(crate) fn merge(&mut self, other: Self, room: &mut Room) -> bool {
        self.is_cut |= other.is_cut;
        let mut fits = true;
        for theirs in other.attributes {
            let Some(attribute) = self.attribute(&theirs.name) else {
                continue;
            };
            for (value, sides) in theirs.values {
                let number = self.value(attribute, value);
                let mine = self.attributes.get_mut(attribute as usize);
                let mine = mine.and_then(|mine| mine.values.get_mut(number as usize));
                if let Some((_, mine)) = mine {
                    fits &= merge_sides(mine, &sides, room);
                }
            }
            if let Some(mine) = self.attributes.get_mut(attribute as usize) {
                fits &= merge_sides(&mut mine.totals, &theirs.totals, room);
            }
        }
        self.prune(room);
        fits
    }

    pub(crate) fn multiply(&mut self, factor: f64) {
        for counts in &mut self.attributes {
            let values = counts.values.iter_mut().map(|(_, sides)| sides);
            for sides in values.chain([&mut counts.totals]) {
                sides.iter_mut().for_each(|side| side.multiply(factor));
            }
        }
    }

    /// Forgets the rarest values if there are too many: those that are shown in the end are among the most frequent ones of a part,
    /// unless a part has very many.
    pub(crate) fn prune(&mut self, room: &mut Room) {
        if self.values <= MAX_COMPARE_VALUES {
            return;
        }
        let share = MAX_COMPARE_VALUES / 2 / self.attributes.len().max(1);
        let keep = share.max(self.top.saturating_mul(KEPT_FOR_EACH_SHOWN));
        self.values = 0;
        for counts in &mut self.attributes {
            counts.keep(keep, room);
            self.values += counts.values.len();
        }
    }

    /// What it takes in memory, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        const VALUE_BYTES: usize = 200;
        let points: usize = self
            .attributes
            .iter()
            .map(|counts| {
                let values = counts.values.iter().map(|(_, sides)| sides);
                let all = values.chain([&counts.totals]).flatten();
                all.map(Window::points).sum::<usize>()
            })
            .sum();
        self.values * VALUE_BYTES + points * size_of::<Count>()
    }
}

fn merge_sides(mine: &mut Sides, theirs: &Sides, room: &mut Room) -> bool {
    let sides = mine.iter_mut().zip(theirs);
    sides.fold(true, |fits, (mine, theirs)| {
        mine.merge(theirs, room) && fits
    })
}

fn sum(side: &Window<Count>) -> f64 {
    let mut sum = Count::EMPTY;
    side.iter().for_each(|(_, count)| sum.merge(count));
    sum.0
}

/// Orders counts, which are never NaN and never below 0.
fn order_of(count: f64) -> u64 {
    count.max(0.0).to_bits()
}

impl AttributeCounts {
    /// Series of an answer: values of both sides, and their totals.
    pub(crate) fn series(&self, top: usize) -> usize {
        let of_side = |side: usize| {
            let values = self.values.iter();
            let counted = values
                .filter(|(_, sides)| sum(&sides[side]) > 0.0)
                .take(top);
            match counted.count() {
                0 => 0,
                values => values + 1,
            }
        };
        of_side(0) + of_side(1)
    }

    /// The values with the largest sums of a side, with their counts; among equal ones the first by text.
    pub(crate) fn top(&self, side: usize, top: usize) -> Vec<(&Static, &Window<Count>)> {
        let mut found: Vec<_> = self
            .values
            .iter()
            .map(|(value, sides)| (sum(&sides[side]), value, &sides[side]))
            .filter(|(sum, ..)| *sum > 0.0)
            .collect();
        found.sort_by_cached_key(|(sum, value, _)| {
            (Reverse(order_of(*sum)), value_text(value).into_owned())
        });
        found.truncate(top);
        found
            .into_iter()
            .map(|(_, value, counts)| (value, counts))
            .collect()
    }

    fn keep(&mut self, most: usize, room: &mut Room) {
        if self.values.len() <= most {
            return;
        }
        let rank = |sides: &Sides| order_of(sum(&sides[0]).max(sum(&sides[1])));
        self.values
            .sort_by_cached_key(|(_, sides)| Reverse(rank(sides)));
        let dropped = self.values.drain(most..);
        room.0 += dropped
            .map(|(_, sides)| sides.iter().map(Window::points).sum::<usize>())
            .sum::<usize>();
        self.index.clear();
        let numbered = (0u32..).zip(&self.values);
        self.index
            .extend(numbered.map(|(number, (value, _))| (ValueKey(value.clone()), number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pruning_keeps_the_most_frequent_and_the_totals() {
        let mut room = Room(10_000_000);
        let mut comparison = Comparison {
            top: 2,
            ..Comparison::default()
        };
        let name: Arc<str> = "span.a".into();
        let attribute = comparison.attribute(&name).unwrap();
        for number in 0..=MAX_COMPARE_VALUES as i64 {
            let value = comparison.value(attribute, Static::Int(number));
            let weight = if number % 1000 == 0 { 2.0 } else { 1.0 };
            assert!(comparison.add((attribute, value), 0, (3, weight), &mut room));
        }
        comparison.prune(&mut room);
        assert!(comparison.values <= MAX_COMPARE_VALUES / 2);
        let counts = &comparison.attributes[0];
        let top = counts.top(0, 300);
        let doubled = |value: &Static| matches!(value, Static::Int(number) if number % 1000 == 0);
        assert_eq!(top.iter().filter(|(value, _)| doubled(value)).count(), 201);
        let total = (MAX_COMPARE_VALUES + 1 + 201) as f64;
        assert_eq!(counts.totals[0].get(3), Count(total));
        let points: usize = counts
            .values
            .iter()
            .map(|(_, sides)| sides[0].points())
            .sum();
        assert_eq!(room.0, 10_000_000 - points - 1);
        let again = comparison.value(attribute, Static::Int(0));
        assert!((again as usize) < comparison.values);
    }

    #[test]
    fn attributes_are_bounded() {
        let mut comparison = Comparison::default();
        for number in 0..MAX_COMPARE_ATTRIBUTES + 1 {
            comparison.attribute(&number.to_string().into());
        }
        assert!(comparison.is_cut);
        assert_eq!(comparison.attribute(&"0".into()), Some(0));
        assert_eq!(comparison.attribute(&"new".into()), None);
    }
}
