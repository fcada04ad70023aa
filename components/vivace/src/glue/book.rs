//! Sections of the log that may be in listed blocks while live data still has them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Sections that are remembered; far more than can be built while one query looks for its data.
const SECTIONS_MAX: usize = 4096;

/// A section of a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedSection {
    pub partition: u32,
    pub offsets: Range<u64>,
}

/// The newest sections of all partitions, noted before the first of their blocks can be listed. Whoever takes live data first and the
/// blocklist after that finds here which blocks have what live data has too.
#[derive(Debug, Default)]
pub struct SectionBook {
    newest: Mutex<VecDeque<NotedSection>>,
}

impl SectionBook {
    pub fn note(&self, partition: u32, offsets: Range<u64>) {
        let section = NotedSection { partition, offsets };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing in here can panic half-way.
        newest.retain(|one| one != &section);
        if newest.len() == SECTIONS_MAX {
            newest.pop_front();
        }
        newest.push_back(section);
    }

    /// Those that end behind the first live offset of their partition.
    pub fn beyond(&self, first_offsets: &[(u32, u64)]) -> Vec<NotedSection> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_beyond = |section: &&NotedSection| {
            let mut firsts = first_offsets.iter();
            firsts.any(|&(partition, first)| {
                partition == section.partition && section.offsets.end > first
            })
        };
        newest.iter().filter(is_beyond).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_live_data_may_still_have_is_told() {
        let book = SectionBook::default();
        book.note(0, 0..10);
        book.note(0, 10..20);
        book.note(1, 0..5);
        book.note(0, 10..20);
        let told = |firsts: &[(u32, u64)]| {
            let all = book.beyond(firsts).into_iter();
            all.map(|one| (one.partition, one.offsets))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&[(0, 10), (1, 5)]), [(0, 10..20)]);
        assert_eq!(
            told(&[(0, 9), (1, 0)]),
            [(0, 0..10), (1, 0..5), (0, 10..20)]
        );
        assert_eq!(told(&[(2, 0)]), []);
    }
}
