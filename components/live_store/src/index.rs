//! Which batches of a partition hold a trace.
//!
//! Batches arrive in order and leave in order, so the entries stand in a queue: one per (trace, batch), 16 bytes. An entry knows how far
//! back the previous entry of the same trace is; hash tables lead from a trace to its newest entry (4 bytes and 1 of control, at a load of
//! 7/16 to 7/8). That is 22 to 28 bytes an entry. When the front of the queue goes, chains end there by themselves.
//!
//! A trace is known by a 64-bit hash under a secret seed. Two traces with one hash only cost a look into a batch that does not hold the
//! trace: the batch's own ids decide.

use crate::limits::INDEX_TABLES;
use crate::queue::Queue;
use hashbrown::HashTable;

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    /// The batch's number, low 32 bits.
    batch: u32,
    /// How many entries back the previous one of this trace stands; 0: there is none.
    back: u32,
}

/// The index of one partition. Batches are numbered by the caller, upwards.
pub struct TraceIndex {
    queue: Queue<Entry>,
    /// From a trace's hash to its newest entry's number, low 32 bits.
    tables: Vec<HashTable<u32>>,
    traces: usize,
    table_bytes: usize,
}

impl Default for TraceIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceIndex {
    pub fn new() -> Self {
        let mut tables = Vec::new();
        tables.resize_with(INDEX_TABLES, HashTable::new);
        Self {
            queue: Queue::default(),
            tables,
            traces: 0,
            table_bytes: 0,
        }
    }

    /// Entries that are there: one per trace and batch.
    pub fn entries(&self) -> u64 {
        self.queue.len()
    }

    /// Distinct traces that are there.
    pub fn traces(&self) -> usize {
        self.traces
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.queue.bytes() + self.tables.len() * size_of::<HashTable<u32>>() + self.table_bytes
    }

    /// Adds a trace of the newest batch. True if the trace was not there before.
    pub fn push(&mut self, hash: u64, batch: u64) -> bool {
        let number = self.queue.next();
        let Self { queue, tables, .. } = self;
        let table = &mut tables[table_of(hash)];
        let before = table.allocation_size();
        let mut back = 0;
        match table.find_mut(hash, |&at| is(queue, at, hash)) {
            Some(newest) => {
                back = (number as u32).wrapping_sub(*newest);
                *newest = number as u32;
            }
            None => {
                // While the table grows it asks for hashes of entries that are all in the queue: an entry leaves both at once.
                let hash_of = |&at: &u32| queue.get(widen(queue.next(), at)).map_or(0, |e| e.hash);
                table.insert_unique(hash, number as u32, hash_of);
                self.traces += 1;
            }
        }
        self.table_bytes = self.table_bytes + table.allocation_size() - before;
        self.queue.push(Entry {
            hash,
            batch: batch as u32,
            back,
        });
        back == 0
    }

    /// Takes out the oldest entry.
    pub fn pop(&mut self) {
        let Some(entry) = self.queue.get(self.queue.first()) else {
            return;
        };
        let (hash, number) = (entry.hash, self.queue.first() as u32);
        let Self { queue, tables, .. } = self;
        let table = &mut tables[table_of(hash)];
        let before = table.allocation_size();
        if let Ok(found) = table.find_entry(hash, |&at| at == number) {
            found.remove();
            self.traces -= 1;
            if table.len() * 8 < table.capacity() {
                let hash_of = |&at: &u32| queue.get(widen(queue.next(), at)).map_or(0, |e| e.hash);
                table.shrink_to(table.len() * 2, hash_of);
            }
        }
        self.table_bytes = self.table_bytes + table.allocation_size() - before;
        self.queue.pop();
    }

    /// The numbers of the batches that may hold the trace, newest first. `newest_batch` is the number of the newest batch there is.
    pub fn find(&self, hash: u64, newest_batch: u64) -> impl Iterator<Item = u64> {
        let queue = &self.queue;
        let newest = self.tables[table_of(hash)].find(hash, |&at| is(queue, at, hash));
        let mut at = newest.map(|&at| widen(queue.next(), at));
        std::iter::from_fn(move || {
            let number = at?;
            let entry = queue.get(number)?;
            at = match entry.back {
                0 => None,
                back => number.checked_sub(u64::from(back)),
            };
            Some(widen(newest_batch + 1, entry.batch))
        })
    }
}

/// hashbrown takes its 7 tag bits from the top and the place from the bottom; these are from the middle.
fn table_of(hash: u64) -> usize {
    (hash >> 32) as usize % INDEX_TABLES
}

fn is(queue: &Queue<Entry>, at: u32, hash: u64) -> bool {
    queue
        .get(widen(queue.next(), at))
        .is_some_and(|entry| entry.hash == hash)
}

/// The full number below `next` with these low 32 bits. Right because fewer than 2^32 numbers are alive at once.
fn widen(next: u64, low: u32) -> u64 {
    let back = ((next as u32).wrapping_sub(1)).wrapping_sub(low);
    (next.wrapping_sub(1)).wrapping_sub(u64::from(back))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn widening() {
        assert_eq!(widen(1, 0), 0);
        assert_eq!(widen((1 << 32) + 5, 4), (1 << 32) + 4);
        assert_eq!(widen((1 << 32) + 5, u32::MAX), u64::from(u32::MAX));
    }

    proptest! {
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec((0u8..4, 0u64..40), 1..800)) {
            let mut index = TraceIndex::new();
            let mut model: VecDeque<(u64, u64)> = VecDeque::new();
            let mut batch = 0;
            for (what, trace) in steps {
                // A poor hash on purpose: few tables, same tags.
                let hash = trace << 30;
                match what {
                    0 => {
                        index.pop();
                        model.pop_front();
                    }
                    1 => batch += 1,
                    _ => {
                        if model.iter().any(|&(t, b)| t == hash && b == batch) {
                            continue;
                        }
                        let new = model.iter().all(|&(t, _)| t != hash);
                        prop_assert_eq!(index.push(hash, batch), new);
                        model.push_back((hash, batch));
                    }
                }
                let expected: Vec<u64> = model.iter().rev().filter(|(t, _)| *t == hash).map(|(_, b)| *b).collect();
                prop_assert_eq!(index.find(hash, batch).collect::<Vec<_>>(), expected);
            }
            prop_assert_eq!(index.entries(), model.len() as u64);
            let mut traces: Vec<u64> = model.iter().map(|(t, _)| *t).collect();
            traces.sort_unstable();
            traces.dedup();
            prop_assert_eq!(index.traces(), traces.len());
            while index.entries() > 0 {
                index.pop();
            }
            prop_assert_eq!(index.traces(), 0);
        }
    }

    #[test]
    fn an_entry_costs_less_than_48_bytes_and_memory_comes_back() {
        let mut index = TraceIndex::new();
        let idle = index.bytes();
        assert!(idle < 64 * 1024);
        for n in 0..300_000u64 {
            index.push(foldhash_like(n), n / 10);
        }
        let per_entry = (index.bytes() - idle) as f64 / 300_000.0;
        assert!(per_entry < 30.0, "{per_entry}");
        while index.entries() > 0 {
            index.pop();
        }
        assert!(index.bytes() < idle + 200_000, "{}", index.bytes());
    }

    fn foldhash_like(n: u64) -> u64 {
        (n + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}
