//! All live tasks of a shard, so that they can be cancelled when it ends.

use std::cell::RefCell;
use std::task::Waker;

use slab::Slab;

/// Wakers of every task that has not finished. Waking a task makes it runnable, and dropping a
/// runnable cancels its task: the only way to reach a task that waits.
#[derive(Default)]
pub(crate) struct Registry {
    live: RefCell<Slab<Option<Waker>>>,
}

impl Registry {
    pub(crate) fn reserve(&self) -> usize {
        self.live.borrow_mut().insert(None)
    }

    pub(crate) fn fill(&self, key: usize, waker: Waker) {
        // The key may be gone only if the task finished before it was registered, and the caller
        // registers before it schedules.
        if let Some(slot) = self.live.borrow_mut().get_mut(key) {
            *slot = Some(waker);
        }
    }

    pub(crate) fn remove(&self, key: usize) {
        // The waker is dropped after the borrow ends: it may be the last reference to its task.
        let waker = self.live.borrow_mut().try_remove(key);
        drop(waker);
    }

    pub(crate) fn len(&self) -> usize {
        self.live.borrow().len()
    }

    /// Takes all wakers; the tasks stay counted until they are dropped.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let mut live = self.live.borrow_mut();
        live.iter_mut()
            .filter_map(|(_, waker)| waker.take())
            .collect()
    }
}
