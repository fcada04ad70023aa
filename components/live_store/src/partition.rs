//! One partition: what arrived, in order, and where each trace of it stands.

use crate::index::TraceIndex;
use crate::queue::Queue;
use std::collections::VecDeque;
use std::ops::Range;
use vivace_model::SpanBatch;
use vivace_shards::memory::Charge;

/// A batch that lookups reach, whether its bytes are in memory or only in the log. 16 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub offset: u64,
    pub tenant: u32,
    /// Its entries in the index.
    pub traces: u32,
}

/// The bytes of a batch, while they are in memory.
pub(crate) struct Resident {
    pub batch: SpanBatch,
    /// The place in the shard's order of arrival over all partitions.
    pub arrival: u64,
    _charge: Charge,
}

#[derive(Default)]
pub(crate) struct Partition {
    pub index: TraceIndex,
    pub batches: Queue<Batch>,
    /// The newest batches: bytes are given up oldest first, so those in memory are always a tail of `batches`.
    resident: VecDeque<Resident>,
    /// Offsets below this one have been taken in, or forgotten: a second delivery is not looked at.
    pub next_offset: u64,
}

impl Partition {
    pub fn push(&mut self, batch: Batch, bytes: Option<(SpanBatch, u64, Charge)>) {
        self.next_offset = batch.offset + 1;
        self.batches.push(batch);
        match bytes {
            Some((batch, arrival, charge)) => self.resident.push_back(Resident {
                batch,
                arrival,
                _charge: charge,
            }),
            // There was no room for it even without all others: they have gone, or they would no longer be a tail.
            None => debug_assert!(self.resident.is_empty()),
        }
    }

    /// The bytes of batch `number`, if they are in memory.
    pub fn resident(&self, number: u64) -> Option<&SpanBatch> {
        let first = self.batches.next() - self.resident.len() as u64;
        let at = number.checked_sub(first)?;
        self.resident
            .get(at as usize)
            .map(|resident| &resident.batch)
    }

    /// The numbers of the batches with these offsets. Offsets ascend, so that both ends are found by halving.
    pub fn numbers(&self, offsets: Range<u64>) -> Range<u64> {
        let first_from = |offset: u64| {
            let (mut low, mut high) = (self.batches.first(), self.batches.next());
            while low < high {
                let middle = low.midpoint(high);
                match self.batches.get(middle) {
                    Some(batch) if batch.offset < offset => low = middle + 1,
                    _ => high = middle,
                }
            }
            low
        };
        first_from(offsets.start)..first_from(offsets.end)
    }

    pub fn oldest_resident(&self) -> Option<u64> {
        self.resident.front().map(|resident| resident.arrival)
    }

    /// Gives up the bytes of the oldest batch in memory; returns how many they were.
    pub fn evict_oldest(&mut self) -> Option<u64> {
        let resident = self.resident.pop_front()?;
        Some(resident.batch.as_bytes().len() as u64)
    }

    /// Drops the oldest batch if its offset is below `offset`. Returns it, and the bytes that this freed.
    pub fn forget_oldest(&mut self, offset: u64) -> Option<(Batch, u64)> {
        let oldest = *self.batches.get(self.batches.first())?;
        if oldest.offset >= offset {
            return None;
        }
        let freed = if self.resident.len() as u64 == self.batches.len() {
            self.evict_oldest()
        } else {
            None
        };
        self.batches.pop();
        for _ in 0..oldest.traces {
            self.index.pop();
        }
        Some((oldest, freed.unwrap_or(0)))
    }
}
