//! Room of live batches for others.

use std::rc::Rc;

use crate::store::{Inner, Store};

/// Bytes that live batches may not take while this exists.
pub struct Loan {
    store: Rc<Inner>,
    bytes: u64,
}

impl Store {
    /// Room for batches that were read back from the log and are kept elsewhere. Nothing at first.
    pub fn lend(&self) -> Loan {
        Loan {
            store: Rc::clone(&self.inner),
            bytes: 0,
        }
    }
}

impl Loan {
    /// Takes so much more, at the cost of the oldest batches in memory. Most of the room may be lent, not all.
    pub fn grow(&mut self, bytes: u64) {
        self.bytes += bytes;
        let mut state = self.store.state.borrow_mut();
        state.lent += bytes;
        let limit = state.live_limit(self.store.config.max_live_bytes);
        while state.live_bytes > limit && state.evict_oldest() {}
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.store.state.borrow_mut().lent -= self.bytes;
    }
}
