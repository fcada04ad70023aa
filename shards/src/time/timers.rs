//! The timers of one shard, ordered by deadline.

use std::collections::BTreeMap;
use std::task::Waker;

/// Deadlines and whom to wake. An ordered map rather than a heap, so that a dropped timer is
/// removed at once: most timeouts never fire, and must not pile up until they would have.
#[derive(Default)]
pub(crate) struct Timers {
    pending: BTreeMap<Key, Waker>,
    sequence: u64,
}

/// Deadline in nanoseconds, then order of registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    deadline: u64,
    sequence: u64,
}

impl Timers {
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> Key {
        self.sequence += 1;
        let key = Key {
            deadline,
            sequence: self.sequence,
        };
        self.pending.insert(key, waker);
        key
    }

    /// Changes whom an already registered timer wakes. False if it has fired.
    pub(crate) fn update(&mut self, key: Key, waker: &Waker) -> bool {
        match self.pending.get_mut(&key) {
            Some(old) => {
                if !old.will_wake(waker) {
                    old.clone_from(waker);
                }
                true
            }
            None => false,
        }
    }

    /// The waker is handed back so that it is dropped after the borrow of the timers.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.pending.remove(&key)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.pending.first_key_value().map(|(key, _)| key.deadline)
    }

    /// Takes the earliest timer if it is due.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Waker> {
        let first = self.pending.first_entry()?;
        (first.key().deadline <= now).then(|| first.remove())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }
}
