//! Generic attributes: what an attribute can be, and which ones must not be among them.

use std::collections::HashMap;

use vivace_block::dedicated::{Assigned, Kind, Scope};
use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column};
use vivace_block::{Format, WellKnown};

use super::report::{Check, Report};
use super::trace::Row;
use super::tree::Group;

/// Attributes with columns of their own, by scope and name.
pub(super) struct Owned {
    /// The type of the column, and whether it holds lists too.
    columns: HashMap<(Scope, String), (Kind, bool)>,
}

impl Owned {
    pub fn new(format: Format, assigned: &[Assigned]) -> Self {
        let mut columns = HashMap::new();
        let (of_resource, of_span) = match format {
            Format::VParquet5 => (&[WellKnown::ServiceName][..], &[][..]),
            _ => (&WellKnown::OF_RESOURCE[..], &WellKnown::OF_SPAN[..]),
        };
        for (scope, known) in [(Scope::Resource, of_resource), (Scope::Span, of_span)] {
            for known in known {
                let name = known.attribute().to_owned();
                columns.insert((scope, name), (known.kind(), false));
            }
        }
        for one in assigned {
            let key = (one.slot.scope, one.name.clone());
            let lists = format == Format::VParquet5;
            columns.entry(key).or_insert((one.slot.kind, lists));
        }
        Self { columns }
    }

    fn has(&self, scope: Option<Scope>, name: &[u8], kind: Option<Kind>, is_array: bool) -> bool {
        let (Some(scope), Some(kind), Ok(name)) = (scope, kind, std::str::from_utf8(name)) else {
            return false;
        };
        let column = self.columns.get(&(scope, name.to_owned()));
        column.is_some_and(|(of, lists)| *of == kind && (*lists || !is_array))
    }
}

const OWNERS: [AttributeOwner; 5] = [
    AttributeOwner::Resource,
    AttributeOwner::Scope,
    AttributeOwner::Span,
    AttributeOwner::Event,
    AttributeOwner::Link,
];
const VALUES: [AttributeLeaf; 4] = [
    AttributeLeaf::String,
    AttributeLeaf::Int,
    AttributeLeaf::Double,
    AttributeLeaf::Bool,
];

pub(super) fn check(row: &Row<'_>, owned: &Owned, report: &mut Report) {
    for owner in OWNERS {
        check_owner(row, owner, owned, report);
    }
}

fn check_owner(row: &Row<'_>, owner: AttributeOwner, owned: &Owned, report: &mut Report) {
    let cells = |leaf| row.column(Column::Attribute(owner, leaf));
    let counts = |leaf| {
        let found = row.schema.find(Column::Attribute(owner, leaf));
        found.map_or(&[][..], |(at, _)| row.tree.values(at))
    };
    let (Some(keys), Some(arrays)) = (cells(AttributeLeaf::Key), cells(AttributeLeaf::IsArray))
    else {
        return;
    };
    let values = VALUES.map(counts);
    let (unsupported, texts) = (
        counts(AttributeLeaf::Unsupported),
        cells(AttributeLeaf::Unsupported),
    );
    let scope = match owner {
        AttributeOwner::Resource => Some(Scope::Resource),
        AttributeOwner::Span => Some(Scope::Span),
        AttributeOwner::Event => Some(Scope::Event),
        AttributeOwner::Scope | AttributeOwner::Link => None,
    };
    let mut others = 0;
    for at in 0..row.tree.total(Group::of_attributes(owner)) {
        let (key, is_array) = (keys.bytes(at), arrays.bool(at));
        let of = |values: &[u32]| values.get(at).copied().unwrap_or_default();
        let numbers = values.map(of);
        let other = of(unsupported);
        let place = || {
            let key = String::from_utf8_lossy(key);
            format!("{}: attribute {key:?} of {owner:?}", row.place)
        };
        let types = numbers.iter().filter(|number| **number > 0).count();
        let most = if is_array { u32::MAX } else { 1 };
        let one_of = types + other as usize <= 1 && numbers.iter().all(|number| *number <= most);
        report.expect(
            Check::AttributeValues,
            one_of && !(is_array && other > 0),
            || {
                format!(
                    "{}: values {numbers:?}, others {other}, array {is_array}",
                    place()
                )
            },
        );
        if other > 0
            && let Some(texts) = texts
        {
            let json: Result<serde::de::IgnoredAny, _> =
                serde_json::from_slice(texts.bytes(others));
            report.expect(Check::AttributeValues, json.is_ok(), || {
                format!("{}: ValueUnsupported is no JSON", place())
            });
            others += 1;
        }
        let kind = match numbers {
            [strings, 0, 0, 0] if strings > 0 => Some(Kind::String),
            [0, ints, 0, 0] if ints > 0 => Some(Kind::Int),
            _ => None,
        };
        report.expect(
            Check::DedicatedColumns,
            !owned.has(scope, key, kind, is_array),
            || format!("{}: it has a column of its own", place()),
        );
    }
    if owner == AttributeOwner::Resource {
        let mut first = 0;
        for (resource, count) in row
            .tree
            .children(Group::ResourceAttributes)
            .iter()
            .enumerate()
        {
            let end = first + *count as usize;
            let sorted = (first..end).map(|at| keys.bytes(at)).is_sorted();
            report.expect(Check::AttributeOrder, sorted, || {
                format!("{}: attributes of resource {resource}", row.place)
            });
            first = end;
        }
    }
}
