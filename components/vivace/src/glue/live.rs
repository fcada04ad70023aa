//! Live data of all shards at one moment.

use vivace_live_store::{LiveBatch, Snapshot};
use vivace_shards::memory::Charge;

/// Live data of all shards.
#[derive(Default)]
pub(super) struct Live {
    pub batches: Vec<LiveBatch>,
    pub first_offsets: Vec<(u32, u64)>,
    pub charges: Vec<Charge>,
}

impl Live {
    pub fn add(&mut self, snapshot: Snapshot) {
        self.batches.extend(snapshot.batches);
        self.first_offsets.extend(snapshot.first_offsets);
        self.charges.extend(snapshot.charges);
    }

    pub fn first_offset(&self, partition: u32) -> u64 {
        let mut firsts = self.first_offsets.iter();
        let found = firsts.find(|&&(one, _)| one == partition);
        found.map_or(u64::MAX, |&(_, first)| first)
    }

    pub fn forget(&mut self, partition: u32, offset: u64) {
        self.batches
            .retain(|one| one.partition != partition || one.offset >= offset);
    }
}
