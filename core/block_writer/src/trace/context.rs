//! Resources and scopes of all batches, equal ones once. Compared once for each that a batch has, not for each span.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use vivace_model::{ScopeView, ValueView};

use super::attribute::{Attribute, Value};
use super::source::Source;
use crate::pause::Pause;
use crate::pool::{Pool, Text};

/// A resource as it is stored. Dropped counts are those of the first one: they do not tell resources apart.
pub(crate) struct Resource<'b> {
    /// By key; equal keys in the order in which they came.
    pub(crate) attributes: Vec<Attribute<'b>>,
    pub(crate) dropped_attributes: u32,
    /// First `service.name`, if it is a text.
    pub(crate) service_name: Text,
}

/// An instrumentation scope as it is stored.
pub(crate) struct Scope<'b> {
    pub(crate) name: Text,
    pub(crate) version: Text,
    /// By key.
    pub(crate) sorted: Vec<Attribute<'b>>,
    /// As the first one had them.
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
        let state = RandomState::default();
        let (mut resources, mut scopes) = (Vec::new(), Vec::new());
        let mut known_resources = HashTable::new();
        let mut known_scopes = HashTable::new();
        let mut batches = Vec::with_capacity(sources.len());
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
                let hash = state.hash_one(Hashed(&resource.attributes));
                let equal = |other: &Resource<'_>| other.attributes == resource.attributes;
                let number = number_of(&mut known_resources, &resources, hash, equal);
                if number as usize == resources.len() {
                    resources.push(resource);
                }
                batch.resources.push(number);
                pause.step().await;
            }
            for index in 0..view.scope_count() {
                let scope = Scope::new(source, index, pool);
                let hash = state.hash_one((scope.name, scope.version, Hashed(&scope.sorted)));
                let equal = |other: &Scope<'_>| {
                    (other.name, other.version) == (scope.name, scope.version)
                        && other.sorted == scope.sorted
                };
                let number = number_of(&mut known_scopes, &scopes, hash, equal);
                if number as usize == scopes.len() {
                    scopes.push(scope);
                }
                batch.scopes.push(number);
                pause.step().await;
            }
            batches.push(batch);
        }
        Self {
            resources,
            scopes,
            batches,
        }
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
        let mut attributes: Vec<_> = source.resource(index).collect();
        let first = attributes.iter().find(|one| one.key == service_name);
        let service_name = match first.map(|one| &one.value) {
            Some(Value::Text(text)) => *text,
            _ => Text::EMPTY,
        };
        sort(&mut attributes, pool);
        Self {
            attributes,
            dropped_attributes: source.view.resource(index).dropped_attributes_count(),
            service_name,
        }
    }
}

impl<'b> Scope<'b> {
    fn new(source: &Source<'b>, index: usize, pool: &Pool<'b>) -> Self {
        let unsorted: Vec<_> = source.scope(index).collect();
        let mut sorted = unsorted.clone();
        sort(&mut sorted, pool);
        let view: ScopeView<'b> = source.view.scope(index);
        Self {
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
        for Attribute { key, value } in self.0 {
            key.hash(state);
            match value {
                Value::Text(text) => text.hash(state),
                Value::Int(number) => number.hash(state),
                Value::Double(bits) => bits.hash(state),
                Value::Bool(value) => value.hash(state),
                Value::Other(ValueView::Bytes(bytes)) => bytes.hash(state),
                Value::Other(ValueView::Array(list)) => list.len().hash(state),
                Value::Other(ValueView::KvList(list)) => list.len().hash(state),
                Value::Other(_) => {}
            }
        }
    }
}
