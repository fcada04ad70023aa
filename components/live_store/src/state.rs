//! The mutable inside of a store: tenants, partitions, and the order in which bytes are given up.

use crate::error::Error;
use crate::limits::{DISCARD_LINES_PER_SECOND, LENT_PART, MAX_INDEX_ENTRIES};
use crate::partition::{Batch, Partition};
use crate::shared::{Shared, TenantShared};
use crate::tracker::Tracker;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use vivace_limits::Throttle;
use vivace_model::{SpanBatch, SpanBatchBuilder};
use vivace_shards::memory::{self, Charge, Kind};

/// A tenant with live data or active traces on this shard.
pub(crate) struct Tenant {
    pub name: Box<str>,
    pub shared: Arc<TenantShared>,
    pub tracker: Tracker,
    /// Batches that lookups reach.
    pub batches: u64,
    /// When the tracker was last swept, in the tracker's milliseconds.
    pub swept_at: u32,
}

impl Tenant {
    /// Runs `change` on the tracker and tells the other shards how the numbers of live traces and bytes changed.
    pub fn track<T>(&mut self, change: impl FnOnce(&mut Tracker) -> T) -> T {
        let before = (
            i64::from(self.tracker.live()),
            self.tracker.live_bytes() as i64,
        );
        let out = change(&mut self.tracker);
        let after = (
            i64::from(self.tracker.live()),
            self.tracker.live_bytes() as i64,
        );
        self.shared
            .live_traces
            .fetch_add(after.0 - before.0, Relaxed);
        self.shared
            .live_bytes
            .fetch_add(after.1 - before.1, Relaxed);
        out
    }
}

pub(crate) struct State {
    pub tenants: Vec<Option<Tenant>>,
    free_tenants: Vec<u32>,
    by_name: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
    /// Few: a shard owns some partitions of the process.
    pub partitions: BTreeMap<u32, Partition>,
    /// Traces in all trackers.
    pub tracked: usize,
    /// Index entries promised to admitted batches that are not inserted yet.
    pub promised: u64,
    pub live_bytes: u64,
    /// What others keep in the place of live batches.
    pub lent: u64,
    /// What the index takes from the shard's budget.
    index_charge: Charge,
    arrivals: u64,
    pub builder: SpanBatchBuilder,
    pub lines: Throttle,
}

impl State {
    pub fn new(seed: u64) -> Self {
        Self {
            tenants: Vec::new(),
            free_tenants: Vec::new(),
            by_name: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed)),
            partitions: BTreeMap::new(),
            tracked: 0,
            promised: 0,
            live_bytes: 0,
            lent: 0,
            index_charge: memory::charge(0, Kind::LiveData),
            arrivals: 0,
            builder: SpanBatchBuilder::new(),
            lines: Throttle::new(DISCARD_LINES_PER_SECOND),
        }
    }

    pub fn find_tenant(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The tenant's number on this shard. With `must`, a tenant beyond the maximum is taken in all the same, uncounted.
    pub fn tenant(&mut self, name: &str, shared: &Shared, must: bool) -> Result<u32, Error> {
        if let Some(found) = self.find_tenant(name) {
            return Ok(found);
        }
        let shared = match shared.join(name) {
            Ok(joined) => joined,
            Err(_) if must => shared.nobody(),
            Err(error) => return Err(error),
        };
        let tenant = Tenant {
            name: name.into(),
            shared,
            tracker: Tracker::default(),
            batches: 0,
            swept_at: 0,
        };
        let number = match self.free_tenants.pop() {
            Some(number) => {
                self.tenants[number as usize] = Some(tenant);
                number
            }
            None => {
                self.tenants.push(Some(tenant));
                (self.tenants.len() - 1) as u32
            }
        };
        self.by_name.insert(name.into(), number);
        Ok(number)
    }

    /// Forgets a tenant that has neither data nor active traces here.
    pub fn drop_if_unused(&mut self, number: u32) {
        let Some(slot) = self.tenants.get_mut(number as usize) else {
            return;
        };
        if let Some(tenant) = slot
            && tenant.batches == 0
            && tenant.tracker.is_empty()
        {
            self.by_name.remove(&tenant.name);
            *slot = None;
            self.free_tenants.push(number);
        }
    }

    pub fn index_bytes(&self) -> u64 {
        self.partitions
            .values()
            .map(|p| (p.index.bytes() + p.batches.bytes()) as u64)
            .sum()
    }

    /// Whether `entries` more fit the index, beside those promised already.
    pub fn index_has_room(&self, entries: u64, limit: u64) -> Result<(), Error> {
        /// What an entry costs at worst, while its table is half empty.
        const ENTRY_BYTES: u64 = 32;
        let used = self.index_bytes() + self.promised * ENTRY_BYTES;
        let crowded =
            |p: &Partition| p.index.entries() + self.promised + entries > MAX_INDEX_ENTRIES;
        if used + entries * ENTRY_BYTES > limit || self.partitions.values().any(crowded) {
            return Err(Error::IndexFull { used, limit });
        }
        Ok(())
    }

    /// Gives up the bytes of the batch that arrived first of all that are in memory. False if none is.
    pub fn evict_oldest(&mut self) -> bool {
        let oldest = self
            .partitions
            .values_mut()
            .filter_map(|p| p.oldest_resident().map(|arrival| (arrival, p)));
        let Some((_, partition)) = oldest.min_by_key(|(arrival, _)| *arrival) else {
            return false;
        };
        self.live_bytes -= partition.evict_oldest().unwrap_or(0);
        true
    }

    /// Bytes of batches that may be in memory now, of `most`.
    pub fn live_limit(&self, most: u64) -> u64 {
        most - self.lent.min(most / LENT_PART.1 * LENT_PART.0)
    }

    /// Room for `bytes`, at the cost of older batches. None: not even without all of them.
    pub fn charge(&mut self, bytes: u64, limit: u64) -> Option<Charge> {
        if bytes > limit {
            while self.evict_oldest() {}
            return None;
        }
        while self.live_bytes + bytes > limit && self.evict_oldest() {}
        loop {
            match memory::try_charge(bytes, Kind::LiveData) {
                Ok(charge) => return Some(charge),
                Err(_) if self.evict_oldest() => {}
                Err(_) => return None,
            }
        }
    }

    /// Takes a batch in, with the hashes of its traces. `limit` is for the bytes of all batches in memory.
    /// Returns how many of the traces are new to the index.
    pub fn insert(
        &mut self,
        partition: u32,
        offset: u64,
        tenant: u32,
        batch: SpanBatch,
        hashes: impl Iterator<Item = u64>,
        limit: u64,
    ) -> u64 {
        let bytes = batch.as_bytes().len() as u64;
        let charge = self.charge(bytes, limit);
        self.arrivals += 1;
        let arrival = self.arrivals;
        let partition = self.partitions.entry(partition).or_default();
        let number = partition.batches.next();
        let (mut traces, mut new) = (0, 0);
        for hash in hashes {
            new += u64::from(partition.index.push(hash, number));
            traces += 1;
        }
        let resident = charge.map(|charge| {
            self.live_bytes += bytes;
            (batch, arrival, charge)
        });
        partition.push(
            Batch {
                offset,
                tenant,
                traces,
            },
            resident,
        );
        if let Some(Some(tenant)) = self.tenants.get_mut(tenant as usize) {
            tenant.batches += 1;
        }
        self.charge_index();
        new
    }

    /// Charges what the index has become; its growth cannot be refused here, [`State::index_has_room`] has allowed it.
    fn charge_index(&mut self) {
        /// Growing and shrinking less than this is not worth a charge.
        const STEP: u64 = 64 << 10;
        let bytes = self.index_bytes();
        if bytes.abs_diff(self.index_charge.bytes()) > STEP {
            self.index_charge = memory::charge(bytes, Kind::LiveData);
        }
    }

    /// Drops the oldest batch of a partition if its offset is below `offset`. Returns the index entries that this took, or None.
    pub fn forget_oldest(&mut self, partition: u32, offset: u64) -> Option<u32> {
        let (batch, freed) = self.partitions.get_mut(&partition)?.forget_oldest(offset)?;
        self.live_bytes -= freed;
        if let Some(Some(tenant)) = self.tenants.get_mut(batch.tenant as usize) {
            tenant.batches -= 1;
        }
        self.drop_if_unused(batch.tenant);
        self.charge_index();
        Some(batch.traces)
    }
}
