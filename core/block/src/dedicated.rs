//! Attributes with columns of their own (block-format.md §6): which attribute sits in which slot of which format.

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
    /// Long texts that rarely repeat: no dictionary, no bounds.
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
                blob: format == Format::VParquet5 && column.is_blob(),
            });
        }
    }
    assigned
}
