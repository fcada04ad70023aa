//! What jobs have counted so far.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::accumulate::{Points, Room};
use crate::compare::Comparison;
use crate::exemplars::Reservoir;
use crate::group::IGNORED;
use crate::labels::GroupKey;

/// Partial results of all leaves of one plan: owned, and free to go to another thread. Those of one plan merge in any order.
#[derive(Clone, Debug)]
pub struct Partials {
    pub(crate) leaves: Vec<LeafPartial>,
    pub(crate) room: Room,
    /// Whether a job stands behind them, though it may have found nothing.
    pub(crate) has_run: bool,
}

impl Partials {
    /// Adds what another job of the same plan found. Parts without room are left out, and make the answer partial.
    pub fn merge(&mut self, other: Self) {
        self.has_run |= other.has_run;
        for (leaf, other) in self.leaves.iter_mut().zip(other.leaves) {
            leaf.merge(other, &mut self.room);
        }
    }

    /// Counts, sums and weights of averages times the factor: spans that were read stand for others (`Sampler::factor`).
    pub fn multiply(&mut self, factor: f64) {
        if factor == 1.0 {
            return;
        }
        for leaf in &mut self.leaves {
            for (_, points) in &mut leaf.groups.all {
                points.multiply(factor);
            }
            leaf.comparison.multiply(factor);
        }
    }

    /// Series so far, and whether some were left out.
    pub fn series(&self) -> (usize, bool) {
        let count = self.leaves.iter().map(|leaf| leaf.groups.all.len()).sum();
        let is_partial = self.leaves.iter().any(LeafPartial::is_partial);
        (count, is_partial)
    }

    /// About what they take in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        const GROUP_BYTES: usize = 200;
        const POINT_BYTES: usize = 24;
        let leaves = self.leaves.iter().map(|leaf| {
            let groups = leaf.groups.all.iter();
            let points: usize = groups.map(|(_, points)| points.points()).sum();
            leaf.groups.all.len() * GROUP_BYTES
                + points * POINT_BYTES
                + leaf.comparison.memory_bytes()
        });
        leaves.sum()
    }
}

/// Partial results of one leaf.
#[derive(Clone, Debug)]
pub(crate) struct LeafPartial {
    pub(crate) groups: Groups,
    /// Of `compare`; empty for all others.
    pub(crate) comparison: Comparison,
    pub(crate) exemplars: Reservoir,
    /// Values by interval had no room.
    pub(crate) is_cut: bool,
}

impl LeafPartial {
    pub(crate) fn is_partial(&self) -> bool {
        self.is_cut || self.groups.is_cut || self.comparison.is_cut
    }

    fn merge(&mut self, other: Self, room: &mut Room) {
        self.is_cut |= other.is_cut;
        self.groups.is_cut |= other.groups.is_cut;
        let mut numbers = Vec::with_capacity(other.groups.all.len());
        for (key, points) in other.groups.all {
            let number = self.groups.number_of(key);
            numbers.push(number);
            if let Some((_, mine)) = self.groups.all.get_mut(number as usize) {
                self.is_cut |= !mine.merge(&points, room);
            }
        }
        let of_comparison = !other.comparison.is_empty();
        self.is_cut |= !self.comparison.merge(other.comparison, room);
        self.exemplars.merge(other.exemplars, |series| {
            if of_comparison {
                return Some(series);
            }
            let number = numbers.get(series as usize).copied();
            number.filter(|&number| number != IGNORED)
        });
    }
}

/// Groups of spans with their values, numbered in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    index: HashTable<u32>,
    hasher: RandomState,
    pub(crate) all: Vec<(GroupKey, Points)>,
    /// What a new group begins with.
    empty: Points,
    max: u32,
    /// There were more groups than `max`.
    pub(crate) is_cut: bool,
}

impl Groups {
    pub(crate) fn new(empty: Points, max: u32) -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::default(),
            all: Vec::new(),
            empty,
            max,
            is_cut: false,
        }
    }

    /// The number of a group, which is made if there is room for it; else `IGNORED`.
    pub(crate) fn number_of(&mut self, key: GroupKey) -> u32 {
        let hash = self.hasher.hash_one(&key);
        let all = &self.all;
        let is_it = |&number: &u32| {
            all.get(number as usize)
                .is_some_and(|(known, _)| *known == key)
        };
        if let Some(&number) = self.index.find(hash, is_it) {
            return number;
        }
        let number = self.all.len() as u32;
        if number >= self.max {
            self.is_cut = true;
            return IGNORED;
        }
        self.all.push((key, self.empty.clone()));
        let (all, hasher) = (&self.all, &self.hasher);
        let rehash = |&number: &u32| {
            all.get(number as usize)
                .map_or(0, |(key, _)| hasher.hash_one(key))
        };
        self.index.insert_unique(hash, number, rehash);
        number
    }
}
