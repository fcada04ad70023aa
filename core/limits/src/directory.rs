//! State that all shards of a process share per tenant: one `Arc` per tenant, found through a lock that is taken only when a shard
//! meets the tenant for the first time; from then on the shard keeps its own clone.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The directory holds its maximum, and a shard still uses every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryFull {
    pub capacity: usize,
}

/// At most `capacity` tenants. An entry goes when room is needed and no shard holds it any more.
pub struct Directory<V> {
    entries: Mutex<HashMap<Box<str>, Arc<V>, FixedState>>,
    capacity: usize,
}

impl<V> Directory<V> {
    /// `seed` makes the hash unpredictable to whoever chooses tenant names.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self {
            entries: Mutex::new(HashMap::with_hasher(FixedState::with_seed(seed))),
            capacity: capacity.max(1),
        }
    }

    /// The tenant's shared state, made with `make` if nobody has it yet. `keep` says of an entry that no shard holds whether it still
    /// matters: those stay even when room is needed.
    pub fn join(
        &self,
        tenant: &str,
        make: impl FnOnce() -> V,
        keep: impl Fn(&V) -> bool,
    ) -> Result<Arc<V>, DirectoryFull> {
        // A panic inside leaves the map whole (nothing is half done in it), so a poisoned lock is as good as any.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = entries.get(tenant) {
            return Ok(found.clone());
        }
        if entries.len() >= self.capacity {
            entries.retain(|_, value| Arc::strong_count(value) > 1 || keep(value));
            if entries.len() >= self.capacity {
                return Err(DirectoryFull {
                    capacity: self.capacity,
                });
            }
        }
        let value = Arc::new(make());
        entries.insert(tenant.into(), value.clone());
        Ok(value)
    }

    /// Visits every tenant under the lock, in no particular order; for exporting metrics.
    pub fn for_each(&self, mut visit: impl FnMut(&str, &V)) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, value) in entries.iter() {
            visit(tenant, value);
        }
    }

    pub fn len(&self) -> usize {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn everybody_gets_the_same_state_and_unused_entries_make_room() {
        let directory = Directory::<AtomicU32>::new(2, 1);
        let join = |tenant: &str| {
            directory.join(tenant, AtomicU32::default, |value| {
                value.load(Ordering::Relaxed) == 99
            })
        };
        let a = join("a").unwrap();
        join("a").unwrap().store(5, Ordering::Relaxed);
        assert_eq!(a.load(Ordering::Relaxed), 5);
        join("b").unwrap().store(99, Ordering::Relaxed);
        assert_eq!(join("c").unwrap_err(), DirectoryFull { capacity: 2 });
        drop(a);
        assert_eq!(join("c").unwrap().load(Ordering::Relaxed), 0);
        assert_eq!(join("b").unwrap().load(Ordering::Relaxed), 99);
        assert_eq!(directory.len(), 2);
    }
}
