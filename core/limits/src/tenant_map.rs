//! State per tenant with a maximum: a hash map whose entries also stand in a list by last use.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

const NONE: u32 = u32::MAX;

/// The map holds its maximum of tenants, and none of them has been idle for long enough to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFull {
    pub capacity: usize,
}

struct Node<V> {
    tenant: Box<str>,
    value: V,
    used_at: u64,
    newer: u32,
    older: u32,
}

/// At most `capacity` tenants; a new one replaces the least recently used, if that one has been idle for `min_idle`.
///
/// Times are any monotonic `u64`. Costs about 64 bytes a tenant beside the name and the value.
pub struct TenantMap<V> {
    nodes: Vec<Option<Node<V>>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: FixedState,
    newest: u32,
    oldest: u32,
    capacity: usize,
    min_idle: u64,
}

impl<V> TenantMap<V> {
    /// `seed` makes the hash unpredictable to whoever chooses tenant names. `capacity` is at least 1.
    pub fn new(capacity: usize, min_idle: u64, seed: u64) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            newest: NONE,
            oldest: NONE,
            capacity: capacity.clamp(1, NONE as usize),
            min_idle,
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The tenant's value, and marks it as used at `now`.
    pub fn get(&mut self, tenant: &str, now: u64) -> Option<&mut V> {
        let slot = self.find(tenant)?;
        self.touch(slot, now);
        self.nodes[slot as usize]
            .as_mut()
            .map(|node| &mut node.value)
    }

    /// The tenant's value without marking it as used.
    pub fn peek(&self, tenant: &str) -> Option<&V> {
        let slot = self.find(tenant)?;
        self.nodes[slot as usize].as_ref().map(|node| &node.value)
    }

    /// Puts a tenant in and hands back the one that had to go, if any. A tenant that is there already gets the new value.
    pub fn insert(
        &mut self,
        tenant: &str,
        value: V,
        now: u64,
    ) -> Result<Option<(Box<str>, V)>, MapFull> {
        if let Some(slot) = self.find(tenant) {
            self.touch(slot, now);
            if let Some(node) = self.nodes[slot as usize].as_mut() {
                node.value = value;
            }
            return Ok(None);
        }
        let evicted = if self.index.len() >= self.capacity {
            let full = MapFull {
                capacity: self.capacity,
            };
            Some(self.pop_idle(now, self.min_idle).ok_or(full)?)
        } else {
            None
        };
        let node = Node {
            tenant: tenant.into(),
            value,
            used_at: now,
            newer: NONE,
            older: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.nodes[slot as usize] = Some(node);
                slot
            }
            None => {
                self.nodes.push(Some(node));
                (self.nodes.len() - 1) as u32
            }
        };
        self.link_newest(slot);
        let hash = self.hasher.hash_one(tenant);
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.index
            .insert_unique(hash, slot, |&other| match &nodes[other as usize] {
                Some(node) => hasher.hash_one(&*node.tenant),
                None => 0,
            });
        Ok(evicted)
    }

    /// Takes out the least recently used tenant if it has been idle for at least `idle`.
    pub fn pop_idle(&mut self, now: u64, idle: u64) -> Option<(Box<str>, V)> {
        let slot = self.oldest;
        let node = self.nodes.get(slot as usize)?.as_ref()?;
        if now.saturating_sub(node.used_at) < idle {
            return None;
        }
        self.unlink(slot);
        let hash = self
            .hasher
            .hash_one(&*self.nodes[slot as usize].as_ref()?.tenant);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        let node = self.nodes[slot as usize].take()?;
        self.free.push(slot);
        Some((node.tenant, node.value))
    }

    /// All tenants, in no particular but a repeatable order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.nodes
            .iter()
            .flatten()
            .map(|node| (&*node.tenant, &node.value))
    }

    /// All tenants, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut V)> {
        self.nodes
            .iter_mut()
            .flatten()
            .map(|node| (&*node.tenant, &mut node.value))
    }

    fn find(&self, tenant: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(tenant);
        let same = |&slot: &u32| matches!(&self.nodes[slot as usize], Some(node) if &*node.tenant == tenant);
        self.index.find(hash, same).copied()
    }

    fn touch(&mut self, slot: u32, now: u64) {
        if let Some(node) = self.nodes[slot as usize].as_mut() {
            node.used_at = node.used_at.max(now);
        }
        if self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.newest, slot);
        if let Some(node) = self.nodes[slot as usize].as_mut() {
            node.older = before;
            node.newer = NONE;
        }
        match self.nodes.get_mut(before as usize) {
            Some(Some(node)) => node.newer = slot,
            _ => self.oldest = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(node) = self.nodes[slot as usize].as_ref() else {
            return;
        };
        let (newer, older) = (node.newer, node.older);
        match self.nodes.get_mut(newer as usize) {
            Some(Some(node)) => node.older = older,
            _ => self.newest = older,
        }
        match self.nodes.get_mut(older as usize) {
            Some(Some(node)) => node.newer = newer,
            _ => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Get(u8),
        Insert(u8),
        PopIdle(u64),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0u8..12).prop_map(Step::Get),
            (0u8..12).prop_map(Step::Insert),
            (0u64..20).prop_map(Step::PopIdle),
            (0u64..10).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_by_last_use(capacity in 1usize..8, min_idle in 0u64..15, seed: u64, steps in steps()) {
            let mut map = TenantMap::new(capacity, min_idle, seed);
            let mut model: Vec<(String, u64, u64)> = Vec::new(); // oldest first: tenant, value, used at
            let (mut now, mut next) = (0u64, 0u64);
            for step in steps {
                match step {
                    Step::Wait(by) => now += by,
                    Step::Get(who) => {
                        let who = who.to_string();
                        let expected = model.iter().position(|(t, ..)| *t == who).map(|at| {
                            let mut entry = model.remove(at);
                            entry.2 = now;
                            model.push(entry.clone());
                            entry.1
                        });
                        prop_assert_eq!(map.get(&who, now).copied(), expected);
                    }
                    Step::Insert(who) => {
                        let who = who.to_string();
                        next += 1;
                        let got = map.insert(&who, next, now);
                        if let Some(at) = model.iter().position(|(t, ..)| *t == who) {
                            model.remove(at);
                            model.push((who, next, now));
                            prop_assert_eq!(got, Ok(None));
                        } else if model.len() < capacity {
                            model.push((who, next, now));
                            prop_assert_eq!(got, Ok(None));
                        } else if now - model[0].2 >= min_idle {
                            let (tenant, value, _) = model.remove(0);
                            model.push((who, next, now));
                            prop_assert_eq!(got, Ok(Some((tenant.into_boxed_str(), value))));
                        } else {
                            prop_assert_eq!(got, Err(MapFull { capacity }));
                        }
                    }
                    Step::PopIdle(idle) => {
                        let expected = match model.first() {
                            Some(first) if now - first.2 >= idle => {
                                let (tenant, value, _) = model.remove(0);
                                Some((tenant.into_boxed_str(), value))
                            }
                            _ => None,
                        };
                        prop_assert_eq!(map.pop_idle(now, idle), expected);
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.iter().count(), model.len());
                for (tenant, value, _) in &model {
                    prop_assert_eq!(map.peek(tenant), Some(value));
                }
            }
        }
    }

    #[test]
    fn holds_tens_of_thousands() {
        let mut map = TenantMap::new(50_000, 0, 7);
        for n in 0..60_000u64 {
            map.insert(&format!("tenant-{n}"), n, n).unwrap();
        }
        assert_eq!(map.len(), 50_000);
        assert!(map.peek("tenant-9999").is_none());
        assert_eq!(map.peek("tenant-10000"), Some(&10_000));
    }
}
