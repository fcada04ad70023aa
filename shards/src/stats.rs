//! What a shard counts about itself.

use std::cell::Cell;

use crate::exec::{Class, Meta};
use crate::limits::STALL;

/// Counters of one shard.
pub(crate) struct Stats {
    shard: usize,
    spawned: [Cell<u64>; 3],
    stalls: Cell<u64>,
    slices: Cell<u64>,
}

impl Stats {
    pub(crate) fn new(shard: usize) -> Self {
        Stats {
            shard,
            spawned: Default::default(),
            stalls: Cell::new(0),
            slices: Cell::new(0),
        }
    }

    pub(crate) fn spawned(&self, class: Class) {
        let counter = &self.spawned[class.index()];
        counter.set(counter.get() + 1);
    }

    /// One slice of tasks has taken `nanos`.
    pub(crate) fn sliced(&self, _nanos: u64) {
        self.slices.set(self.slices.get() + 1);
    }

    /// One poll of a task has taken `nanos`.
    pub(crate) fn polled(&self, meta: Meta, nanos: u64) {
        if u128::from(nanos) > STALL.as_nanos() {
            self.stalls.set(self.stalls.get() + 1);
            tracing::debug!(
                shard = self.shard,
                class = meta.class.name(),
                site = %meta.site,
                millis = nanos / 1_000_000,
                "a task held its shard"
            );
        }
    }
}
