//! Attributes with columns of their own (block-format.md §6): which attribute sits in which slot of which format.

use xxhash_rust::xxh64::Xxh64;

use crate::Format;

/// Whose attribute a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Resource,
    Span,
    Event,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    String,
    Int,
}

/// How a column is stored beyond its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnOption {
    /// Holds arrays; arrays are kept without it too.
    Array,
    /// Long texts that rarely repeat: no dictionary, no bounds. Means nothing for integers.
    Blob,
}

/// One entry of `dedicatedColumns`; the order of entries decides the slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DedicatedColumn {
    pub scope: Scope,
    pub name: String,
    pub kind: Kind,
    pub options: Vec<ColumnOption>,
}

/// A leaf of a `DedicatedAttributes` group: `String01` is `{ kind: String, index: 0 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    pub scope: Scope,
    pub kind: Kind,
    pub index: u8,
}

/// An attribute and where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    pub slot: Slot,
    pub name: String,
    pub blob: bool,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::String, Self::Int];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
        }
    }

    /// The reverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Resource, Self::Span, Self::Event];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Span => "span",
            Self::Event => "event",
        }
    }

    /// The reverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl ColumnOption {
    pub const ALL: [Self; 2] = [Self::Array, Self::Blob];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Blob => "blob",
        }
    }

    /// The reverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|option| option.as_str() == text)
    }
}

impl DedicatedColumn {
    pub fn new(scope: Scope, name: &str, kind: Kind) -> Self {
        Self {
            scope,
            name: name.to_owned(),
            kind,
            options: Vec::new(),
        }
    }

    pub fn is_blob(&self) -> bool {
        self.options.contains(&ColumnOption::Blob)
    }
}

impl Slot {
    /// The leaf's name, such as `String01`.
    pub fn leaf(self) -> String {
        let kind = match self.kind {
            Kind::String => "String",
            Kind::Int => "Int",
        };
        format!("{kind}{:02}", u32::from(self.index) + 1)
    }

    /// How many slots a format has for a scope and type.
    pub fn count(format: Format, scope: Scope, kind: Kind) -> u8 {
        match (format, scope, kind) {
            (Format::VParquet5, _, Kind::String) => 20,
            (Format::VParquet5, _, Kind::Int) => 5,
            (_, Scope::Resource | Scope::Span, Kind::String) => 10,
            _ => 0,
        }
    }
}

/// The columns a block has when the configuration names none.
pub fn default_columns() -> Vec<DedicatedColumn> {
    use Kind::{Int, String};
    use Scope::{Resource, Span};
    [
        (Resource, "k8s.cluster.name", String),
        (Resource, "k8s.namespace.name", String),
        (Resource, "k8s.pod.name", String),
        (Resource, "k8s.container.name", String),
        (Span, "http.request.method", String),
        (Span, "http.response.status_code", Int),
        (Span, "url.path", String),
        (Span, "url.route", String),
        (Span, "server.address", String),
        (Span, "server.port", Int),
        (Span, "http.method", String),
        (Span, "http.url", String),
        (Span, "http.route", String),
        (Span, "http.status_code", Int),
    ]
    .into_iter()
    .map(|(scope, name, kind)| DedicatedColumn::new(scope, name, kind))
    .collect()
}

/// What of a configured list goes into the meta of a block of this format; version 4 and 3 store less.
pub fn of_format(format: Format, columns: &[DedicatedColumn]) -> Vec<DedicatedColumn> {
    let fits = |column: &&DedicatedColumn| {
        if Slot::count(format, column.scope, column.kind) == 0 {
            return false;
        }
        format == Format::VParquet5
            || (column.options.is_empty()
                && crate::WellKnown::find(column.scope, &column.name)
                    .is_none_or(|known| known.kind() != column.kind))
    };
    columns.iter().filter(fits).cloned().collect()
}

/// Which attribute is stored in which slot, in the order of the list. `columns` is what the meta says; entries beyond
/// the last slot have none.
pub fn assign(format: Format, columns: &[DedicatedColumn]) -> Vec<Assigned> {
    let mut used = [[0_u8; 2]; 3];
    let mut assigned = Vec::with_capacity(columns.len());
    for column in columns {
        let index = &mut used[column.scope as usize][column.kind as usize];
        if *index < Slot::count(format, column.scope, column.kind) {
            let slot = Slot {
                scope: column.scope,
                kind: column.kind,
                index: *index,
            };
            *index += 1;
            assigned.push(Assigned {
                slot,
                name: column.name.clone(),
                blob: format == Format::VParquet5
                    && column.kind == Kind::String
                    && column.is_blob(),
            });
        }
    }
    assigned
}

/// What blocks must have in common to be merged: 0 for an empty list; the order of entries and options counts.
pub fn hash(columns: &[DedicatedColumn]) -> u64 {
    if columns.is_empty() {
        return 0;
    }
    const SEPARATOR: &[u8] = &[0xff];
    let mut hash = Xxh64::new(0);
    for column in columns {
        hash.update(column.scope.as_str().as_bytes());
        hash.update(SEPARATOR);
        hash.update(column.name.as_bytes());
        hash.update(SEPARATOR);
        hash.update(column.kind.as_str().as_bytes());
        for option in &column.options {
            hash.update(SEPARATOR);
            hash.update(option.as_str().as_bytes());
        }
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WellKnown;
    use crate::schema::{Column, Schema};
    use proptest::prelude::*;

    fn spans(names: &[&str]) -> Vec<DedicatedColumn> {
        let column = |name: &&str| DedicatedColumn::new(Scope::Span, name, Kind::String);
        names.iter().map(column).collect()
    }

    fn with_blob_and_event() -> Vec<DedicatedColumn> {
        let mut columns = default_columns();
        columns.push(DedicatedColumn::new(Scope::Span, "big.blob", Kind::String));
        columns[14].options.push(ColumnOption::Blob);
        columns.push(DedicatedColumn::new(
            Scope::Event,
            "exception.type",
            Kind::String,
        ));
        columns
    }

    #[test]
    fn hashes_of_the_specification() {
        assert_eq!(hash(&[]), 0);
        assert_eq!(hash(&default_columns()), 1_504_876_428_890_820_392);
        let mut columns = vec![DedicatedColumn::new(Scope::Resource, "ip", Kind::String)];
        columns.extend(spans(&["instance", "version", "region", "sampler.type"]));
        assert_eq!(hash(&columns), 7_532_653_372_511_711_605);
        assert_eq!(hash(&with_blob_and_event()), 729_838_595_347_639_827);
        columns.swap(1, 2);
        assert_ne!(hash(&columns), 7_532_653_372_511_711_605);
    }

    #[test]
    fn the_default_set_in_each_format() {
        let default = default_columns();
        assert_eq!(of_format(Format::VParquet5, &default), default);
        let assigned = assign(Format::VParquet5, &default);
        let slots = |scope: Scope, kind: Kind| -> Vec<(String, &str)> {
            let of =
                |assigned: &&Assigned| (assigned.slot.scope, assigned.slot.kind) == (scope, kind);
            let named = |assigned: &'_ Assigned| assigned.slot.leaf();
            let chosen = assigned.iter().filter(of);
            chosen.map(|one| (named(one), one.name.as_str())).collect()
        };
        let expected = |kind: &str, names: &[&'static str]| -> Vec<(String, &str)> {
            let leaf = |(i, name): (usize, &&'static str)| (format!("{kind}0{}", i + 1), *name);
            names.iter().enumerate().map(leaf).collect()
        };
        assert_eq!(
            slots(Scope::Span, Kind::String),
            expected(
                "String",
                &[
                    "http.request.method",
                    "url.path",
                    "url.route",
                    "server.address",
                    "http.method",
                    "http.url",
                    "http.route"
                ]
            )
        );
        assert_eq!(
            slots(Scope::Span, Kind::Int),
            expected(
                "Int",
                &[
                    "http.response.status_code",
                    "server.port",
                    "http.status_code"
                ]
            )
        );
        assert_eq!(slots(Scope::Resource, Kind::String).len(), 4);

        let five = spans(&[
            "http.request.method",
            "url.path",
            "url.route",
            "server.address",
            "http.route",
        ]);
        for format in [Format::VParquet3, Format::VParquet4] {
            assert_eq!(of_format(format, &default), five);
            assert_eq!(of_format(format, &with_blob_and_event()), five);
            assert_eq!(assign(format, &five).len(), 5);
        }
    }

    #[test]
    fn well_known_names_count_in_their_scope_and_type_only() {
        let columns = vec![
            DedicatedColumn::new(Scope::Span, "service.name", Kind::String),
            DedicatedColumn::new(Scope::Resource, "service.name", Kind::String),
            DedicatedColumn::new(Scope::Resource, "http.url", Kind::String),
            DedicatedColumn::new(Scope::Span, "http.status_code", Kind::String),
        ];
        let kept = of_format(Format::VParquet4, &columns);
        assert_eq!(
            kept,
            [&columns[0], &columns[2], &columns[3]].map(Clone::clone)
        );
        assert_eq!(of_format(Format::VParquet5, &columns), columns);
        for known in WellKnown::OF_RESOURCE {
            assert_eq!(
                WellKnown::find(Scope::Resource, known.attribute()),
                Some(known)
            );
        }
    }

    #[test]
    fn entries_past_the_last_slot_have_none() {
        let names: Vec<String> = (0..25).map(|i| format!("a{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let columns = spans(&names);
        for (format, slots) in [(Format::VParquet5, 20), (Format::VParquet4, 10)] {
            // They stay in the meta all the same.
            assert_eq!(of_format(format, &columns), columns);
            let assigned = assign(format, &columns);
            assert_eq!(assigned.len(), slots);
            assert_eq!(assigned[slots - 1].slot.leaf(), format!("String{slots}"));
        }
    }

    fn columns() -> impl Strategy<Value = Vec<DedicatedColumn>> {
        let scope = prop::sample::select(&Scope::ALL);
        let kind = prop::sample::select(&Kind::ALL);
        let options = prop::sample::subsequence(ColumnOption::ALL.to_vec(), 0..=2);
        let column =
            (scope, "[a-c]{1,3}", kind, options).prop_map(|(scope, name, kind, options)| {
                DedicatedColumn {
                    scope,
                    name,
                    kind,
                    options,
                }
            });
        prop::collection::vec(column, 0..80)
    }

    proptest! {
        #[test]
        fn every_slot_is_used_once_and_has_a_leaf(columns in columns()) {
            for format in [Format::VParquet3, Format::VParquet4, Format::VParquet5] {
                let kept = of_format(format, &columns);
                let assigned = assign(format, &kept);
                for (i, one) in assigned.iter().enumerate() {
                    prop_assert!(one.slot.index < Slot::count(format, one.slot.scope, one.slot.kind));
                    prop_assert!(assigned[..i].iter().all(|other| other.slot != one.slot));
                }
                if format == Format::VParquet5 {
                    let schema = Schema::version5(&assigned);
                    prop_assert_eq!(schema.leaves.len(), 78 + assigned.len());
                    for one in &assigned {
                        let leaf = schema.find(Column::Dedicated(one.slot)).unwrap().1;
                        prop_assert_eq!(leaf.unbounded, one.blob);
                    }
                } else {
                    prop_assert!(kept.iter().all(|column| column.kind == Kind::String));
                    prop_assert!(assigned.iter().all(|one| !one.blob));
                }
            }
        }
    }
}
