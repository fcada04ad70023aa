//! Resources and scopes of all batches, equal ones once. Compared once for each that a batch has, not for each span.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use vivace_model::{ScopeView, ValueView};

use super::attribute::{Attribute, Scalar};
use super::source::Source;
use crate::pause::Pause;
use crate::pool::{Pool, Text};

/// A resource as it is stored.
pub(crate) struct Resource<'b> {
    /// Number of the first resource that differs in the dropped count at most: below one row they are one.
    pub(crate) alike: u32,
    /// By key; equal keys in the order in which they came.
    pub(crate) attributes: Vec<Attribute<'b>>,
    pub(crate) dropped_attributes: u32,
    /// First `service.name`, if it is a text.
    pub(crate) service_name: Text,
}

/// An instrumentation scope as it is stored.
pub(crate) struct Scope<'b> {
    /// Number of the first scope that differs in dropped count and order of attributes at most.
    pub(crate) alike: u32,
    pub(crate) name: Text,
    pub(crate) version: Text,
    /// By key.
    pub(crate) sorted: Vec<Attribute<'b>>,
    /// As they came.
    pub(crate) unsorted: Vec<Attribute<'b>>,
    pub(crate) dropped_attributes: u32,
}

/// All resources and scopes, and which of them spans have.
pub(crate) struct Contexts<'b> {
    pub(crate) resources: Vec<Resource<'b>>,
    pub(crate) scopes: Vec<Scope<'b>>,
    batches: Vec<Batch<'b>>,
}

/// The number in `Contexts` of each resource and scope of a batch.
struct Batch<'b> {
    resources: Vec<u32>,
    scopes: Vec<u32>,
    resource_of: vivace_model::Column<'b, u32>,
    scope_of: vivace_model::Column<'b, u32>,
}

/// Finds equal resources and scopes.
#[derive(Default)]
struct Index {
    state: RandomState,
    resources: HashTable<Known>,
    alike_resources: HashTable<Known>,
    scopes: HashTable<Known>,
    alike_scopes: HashTable<Known>,
}

#[derive(Clone, Copy)]
struct Known {
    hash: u64,
    number: u32,
}

impl<'b> Contexts<'b> {
    pub(crate) async fn find<F: AsyncFn()>(
        sources: &[Source<'b>],
        pool: &Pool<'b>,
        service_name: Text,
        pause: &mut Pause<F>,
    ) -> Self {
        let mut found = Self {
            resources: Vec::new(),
            scopes: Vec::new(),
            batches: Vec::with_capacity(sources.len()),
        };
        let mut known = Index::default();
        for source in sources {
            let view = source.view;
            let mut batch = Batch {
                resources: Vec::with_capacity(view.resource_count()),
                scopes: Vec::with_capacity(view.scope_count()),
                resource_of: view.resource_indexes(),
                scope_of: view.scope_indexes(),
            };
            for index in 0..view.resource_count() {
                let resource = Resource::new(source, index, pool, service_name);
                batch
                    .resources
                    .push(found.add_resource(resource, &mut known));
                pause.step().await;
            }
            for index in 0..view.scope_count() {
                let scope = Scope::new(source, index, pool);
                batch.scopes.push(found.add_scope(scope, &mut known));
                pause.step().await;
            }
            found.batches.push(batch);
        }
        found
    }

    fn add_resource(&mut self, mut resource: Resource<'b>, known: &mut Index) -> u32 {
        let hash = known.state.hash_one(Hashed(&resource.attributes));
        let all = &self.resources;
        let alike = |other: &Resource<'_>| other.attributes == resource.attributes;
        let dropped = resource.dropped_attributes;
        let same = |other: &Resource<'_>| other.dropped_attributes == dropped && alike(other);
        let number = number_of(&mut known.resources, all, hash, same);
        if number as usize == all.len() {
            resource.alike = number_of(&mut known.alike_resources, all, hash, alike);
            self.resources.push(resource);
        }
        number
    }

    fn add_scope(&mut self, mut scope: Scope<'b>, known: &mut Index) -> u32 {
        let hashed = (scope.name, scope.version, Hashed(&scope.sorted));
        let hash = known.state.hash_one(hashed);
        let all = &self.scopes;
        let alike = |other: &Scope<'_>| {
            (other.name, other.version) == (scope.name, scope.version)
                && other.sorted == scope.sorted
        };
        let dropped = scope.dropped_attributes;
        let same = |other: &Scope<'_>| {
            other.dropped_attributes == dropped && other.unsorted == scope.unsorted && alike(other)
        };
        let number = number_of(&mut known.scopes, all, hash, same);
        if number as usize == all.len() {
            scope.alike = number_of(&mut known.alike_scopes, all, hash, alike);
            self.scopes.push(scope);
        }
        number
    }

    /// What resource and scope have in common with those that are merged with them.
    pub(crate) fn alike(&self, (resource, scope): (u32, u32)) -> (u32, u32) {
        (
            self.resources[resource as usize].alike,
            self.scopes[scope as usize].alike,
        )
    }

    /// Resource and scope of a span.
    #[inline]
    pub(crate) fn of(&self, batch: u32, row: u32) -> (u32, u32) {
        let batch = &self.batches[batch as usize];
        let row = row as usize;
        (
            batch.resources[batch.resource_of.get(row) as usize],
            batch.scopes[batch.scope_of.get(row) as usize],
        )
    }
}

impl<'b> Resource<'b> {
    fn new(source: &Source<'b>, index: usize, pool: &Pool<'b>, service_name: Text) -> Self {
        let mut attributes = source.resource(index).collect();
        let first = attributes.iter().find(|one| one.key == service_name);
        let service_name = match first.map(|one| one.scalar) {
            Some(Scalar::Text(text)) => text,
            _ => Text::EMPTY,
        };
        sort(&mut attributes, pool);
        Self {
            alike: 0,
            attributes,
            dropped_attributes: source.view.resource(index).dropped_attributes_count(),
            service_name,
        }
    }
}

impl<'b> Scope<'b> {
    fn new(source: &Source<'b>, index: usize, pool: &Pool<'b>) -> Self {
        let unsorted = source.scope(index).collect();
        let mut sorted = unsorted.clone();
        sort(&mut sorted, pool);
        let view: ScopeView<'b> = source.view.scope(index);
        Self {
            alike: 0,
            name: pool.find(view.name()),
            version: pool.find(view.version()),
            sorted,
            unsorted,
            dropped_attributes: view.dropped_attributes_count(),
        }
    }
}

fn sort(attributes: &mut [Attribute<'_>], pool: &Pool<'_>) {
    attributes.sort_by_key(|one| pool.text(one.key));
}

fn number_of<T>(
    known: &mut HashTable<Known>,
    all: &[T],
    hash: u64,
    equal: impl Fn(&T) -> bool,
) -> u32 {
    let same = |one: &Known| one.hash == hash && equal(&all[one.number as usize]);
    match known.entry(hash, same, |one| one.hash) {
        Entry::Occupied(one) => one.get().number,
        Entry::Vacant(place) => {
            let number = all.len() as u32;
            place.insert(Known { hash, number });
            number
        }
    }
}

/// Equal lists of attributes have equal hashes.
struct Hashed<'a, 'b>(&'a [Attribute<'b>]);

impl Hash for Hashed<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for Attribute { key, scalar, other } in self.0 {
            key.hash(state);
            scalar.hash(state);
            match other {
                ValueView::Bytes(bytes) => bytes.hash(state),
                ValueView::Array(list) => list.len().hash(state),
                ValueView::KvList(list) => list.len().hash(state),
                _ => {}
            }
        }
    }
}
