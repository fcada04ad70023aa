//! Finds the resource or scope that equals the one just completed. Lists and bytes are compared by what they hold:
//! two equal ones stand in different places.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FoldHasher;
use hashbrown::hash_table::Entry;

use super::columns::{Attributes, Elements};
use super::{Known, SpanBatchBuilder};
use crate::value::{ValueType, range_of};

/// What values refer to.
struct Pools<'a> {
    elements: &'a Elements,
    blobs: &'a [u8],
}

impl Pools<'_> {
    fn blob(&self, bits: u64) -> &[u8] {
        let (start, len) = range_of(bits);
        self.blobs.get(start..start + len).unwrap_or_default()
    }

    fn hash_value(&self, key: u32, bits: u64, hasher: &mut FoldHasher<'_>) {
        hasher.write_u32(key);
        match ValueType::from_code(key & 15) {
            Some(ValueType::Array | ValueType::KvList) => {
                let (start, len) = range_of(bits);
                hasher.write_usize(len);
                for at in start..start + len {
                    self.hash_value(self.elements.keys[at], self.elements.values[at], hasher);
                }
            }
            Some(ValueType::Bytes) => hasher.write(self.blob(bits)),
            _ => hasher.write_u64(bits),
        }
    }

    fn hash_attributes(&self, attributes: &Attributes, owner: usize, hasher: &mut FoldHasher<'_>) {
        for at in attributes.range(owner) {
            self.hash_value(attributes.keys[at], attributes.values[at], hasher);
        }
    }

    fn equal_values(&self, key: u32, a: u64, b: u64) -> bool {
        match ValueType::from_code(key & 15) {
            Some(ValueType::Array | ValueType::KvList) => {
                let ((a, a_len), (b, b_len)) = (range_of(a), range_of(b));
                let Elements { keys, values, .. } = self.elements;
                self.equal_ranges(keys, values, a..a + a_len, b..b + b_len)
            }
            Some(ValueType::Bytes) => self.blob(a) == self.blob(b),
            _ => a == b,
        }
    }

    fn equal_ranges(&self, keys: &[u32], values: &[u64], a: Range<usize>, b: Range<usize>) -> bool {
        keys[a.clone()] == keys[b.clone()]
            && a.zip(b)
                .all(|(a, b)| self.equal_values(keys[a], values[a], values[b]))
    }

    fn equal_attributes(&self, attributes: &Attributes, a: usize, b: usize) -> bool {
        let (a, b) = (attributes.range(a), attributes.range(b));
        self.equal_ranges(&attributes.keys, &attributes.values, a, b)
    }
}

impl SpanBatchBuilder {
    /// The id of the last resource, or of an equal earlier one, in whose favour the last is removed.
    pub(super) fn known_resource(&mut self) -> u32 {
        let pools = Pools {
            elements: &self.elements,
            blobs: &self.blobs,
        };
        let resources = &self.resources;
        let new = resources.len() - 1;
        let mut hasher = self.strings.state.build_hasher();
        hasher.write_u32(resources.schema_url[new]);
        hasher.write_u32(resources.dropped_attributes[new]);
        pools.hash_attributes(&resources.attributes, new, &mut hasher);
        let equal = |old: usize| {
            resources.schema_url[old] == resources.schema_url[new]
                && resources.dropped_attributes[old] == resources.dropped_attributes[new]
                && pools.blob(resources.entity_refs[old]) == pools.blob(resources.entity_refs[new])
                && pools.equal_attributes(&resources.attributes, old, new)
        };
        let found = find(&mut self.known_resources, hasher.finish(), new, equal);
        if found < new {
            self.resources.truncate(new);
            self.abort();
        } else {
            self.complete();
        }
        found as u32
    }

    /// As `known_resource`, for scopes.
    pub(super) fn known_scope(&mut self) -> u32 {
        let pools = Pools {
            elements: &self.elements,
            blobs: &self.blobs,
        };
        let scopes = &self.scopes;
        let new = scopes.len() - 1;
        let mut hasher = self.strings.state.build_hasher();
        hasher.write_u32(scopes.name[new]);
        hasher.write_u32(scopes.version[new]);
        hasher.write_u32(scopes.schema_url[new]);
        hasher.write_u32(scopes.dropped_attributes[new]);
        pools.hash_attributes(&scopes.attributes, new, &mut hasher);
        let equal = |old: usize| {
            scopes.name[old] == scopes.name[new]
                && scopes.version[old] == scopes.version[new]
                && scopes.schema_url[old] == scopes.schema_url[new]
                && scopes.dropped_attributes[old] == scopes.dropped_attributes[new]
                && pools.equal_attributes(&scopes.attributes, old, new)
        };
        let found = find(&mut self.known_scopes, hasher.finish(), new, equal);
        if found < new {
            self.scopes.truncate(new);
            self.abort();
        } else {
            self.complete();
        }
        found as u32
    }
}

fn find(
    known: &mut hashbrown::HashTable<Known>,
    hash: u64,
    new: usize,
    equal: impl Fn(usize) -> bool,
) -> usize {
    let same = |slot: &Known| slot.hash == hash && equal(slot.id as usize);
    match known.entry(hash, same, |slot| slot.hash) {
        Entry::Occupied(slot) => slot.get().id as usize,
        Entry::Vacant(place) => {
            place.insert(Known {
                hash,
                id: new as u32,
            });
            new
        }
    }
}
