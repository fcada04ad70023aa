//! What follows from the spans of a row: times, names of the root, counts and places.

use std::collections::BTreeMap;

use vivace_block::WellKnown;
use vivace_block::schema::{Column, Schema};

use super::nested::{self, Span};
use super::report::{Check, Report};
use super::rows::Cells;
use super::tree::{Group, Tree};

/// One row, whose levels have been found right.
pub(super) struct Row<'a> {
    pub schema: &'a Schema,
    pub cells: &'a [Cells<'a>],
    pub tree: &'a Tree,
    /// Row and trace id, for findings.
    pub place: &'a str,
    /// Tempo leaves the child counts of another trace in one whose spans make no tree.
    pub stale_counts: bool,
}

const STATUS_ERROR: i64 = 2;

impl<'a> Row<'a> {
    pub fn column(&self, column: Column) -> Option<Cells<'a>> {
        let (at, _) = self.schema.find(column)?;
        self.cells.get(at).copied()
    }

    /// All values of a required column, one for each element of its group.
    fn ints(&self, column: Column) -> Vec<i64> {
        let cells = self.column(column);
        cells.map_or(Vec::new(), |cells| {
            (0..cells.count).map(|at| cells.int(at)).collect()
        })
    }

    fn bytes(&self, column: Column) -> Vec<&'a [u8]> {
        let cells = self.column(column);
        cells.map_or(Vec::new(), |cells| {
            (0..cells.count).map(|at| cells.bytes(at)).collect()
        })
    }

    /// For each element of a group, the element of the group around it that it is in.
    fn parents(&self, group: Group) -> Vec<usize> {
        let children = self.tree.children(group).iter().enumerate();
        children
            .flat_map(|(parent, count)| std::iter::repeat_n(parent, *count as usize))
            .collect()
    }
}

/// Everything that is looked at span by span.
struct Spans<'a> {
    ids: Vec<&'a [u8]>,
    parents: Vec<&'a [u8]>,
    kinds: Vec<i64>,
    names: Vec<&'a [u8]>,
    starts: Vec<u64>,
    durations: Vec<u64>,
    statuses: Vec<i64>,
    links: Vec<u32>,
    services: Vec<&'a [u8]>,
}

/// Checks a row, and gives the first start and the last end of its spans.
pub(super) fn check(row: &Row<'_>, report: &mut Report) -> Option<(u64, u64)> {
    let unsigned = |values: Vec<i64>| values.into_iter().map(i64::cast_unsigned).collect();
    let services = row.bytes(Column::WellKnown(WellKnown::ServiceName));
    let (scopes, resources) = (row.parents(Group::Spans), row.parents(Group::Scopes));
    let service_of = |scope: &usize| {
        let resource = resources.get(*scope);
        resource
            .and_then(|at| services.get(*at))
            .copied()
            .unwrap_or_default()
    };
    let spans = Spans {
        ids: row.bytes(Column::SpanId),
        parents: row.bytes(Column::ParentSpanId),
        kinds: row.ints(Column::Kind),
        names: row.bytes(Column::SpanName),
        starts: unsigned(row.ints(Column::SpanStartUnixNano)),
        durations: unsigned(row.ints(Column::SpanDurationNano)),
        statuses: row.ints(Column::StatusCode),
        links: row.tree.children(Group::Links).to_vec(),
        services: scopes.iter().map(service_of).collect(),
    };
    let span = check_times(row, &spans, report);
    check_root(row, &spans, report);
    check_stats(row, &spans, report);
    check_span_count(row, report);
    check_nested_set(row, &spans, report);
    check_rounded(row, &spans, report);
    span
}

fn check_times(row: &Row<'_>, spans: &Spans<'_>, report: &mut Report) -> Option<(u64, u64)> {
    let of_trace = |column| {
        row.column(column)
            .map_or(0, |cells| cells.int(0).cast_unsigned())
    };
    let (start, end) = (
        of_trace(Column::TraceStartUnixNano),
        of_trace(Column::TraceEndUnixNano),
    );
    let duration = of_trace(Column::TraceDurationNano);
    report.expect(
        Check::TraceTimes,
        duration == end.wrapping_sub(start),
        || format!("{}: duration {duration} from {start} to {end}", row.place),
    );
    let ends = spans.starts.iter().zip(&spans.durations);
    let ends = ends.map(|(start, duration)| start.wrapping_add(*duration));
    let (Some(first), Some(last)) = (spans.starts.iter().min(), ends.max()) else {
        report.fail(Check::TraceTimes, || format!("{}: no spans", row.place));
        return None;
    };
    // A start of 0 counts as not set, as long as no other has come.
    let starts_right = match first {
        0 => spans.starts.contains(&start),
        first => start == *first,
    };
    report.expect(Check::TraceTimes, starts_right, || {
        format!("{}: starts at {start}, its spans at {first}", row.place)
    });
    report.expect(Check::TraceTimes, end == last, || {
        format!("{}: ends at {end}, its spans at {last}", row.place)
    });
    Some((start, end))
}

/// The root is the last span without a parent in the order in which spans came, which the order of the row need not be:
/// any of them may be it.
fn check_root(row: &Row<'_>, spans: &Spans<'_>, report: &mut Report) {
    let name_of = |column| row.column(column).map_or(&[][..], |cells| cells.bytes(0));
    let (service, name) = (
        name_of(Column::RootServiceName),
        name_of(Column::RootSpanName),
    );
    let roots = (0..spans.ids.len()).filter(|at| spans.parents.get(*at) == Some(&&[][..]));
    // A link of the kind `child_of` to the own trace makes a span no root: those without links are roots for sure.
    let certain = |at: &usize| spans.links.get(*at) == Some(&0);
    let must_be = roots.clone().any(|at| certain(&at));
    let of = |values: &[&[u8]], wanted: &[u8]| {
        roots.clone().any(|at| values.get(at) == Some(&wanted)) || (wanted.is_empty() && !must_be)
    };
    // Of a root whose service has no name, or that is not a text, the resource does not say what it was.
    let unnamed = roots
        .clone()
        .any(|at| spans.services.get(at) == Some(&&[][..]));
    report.expect(
        Check::RootNames,
        of(&spans.services, service) || unnamed,
        || {
            let service = String::from_utf8_lossy(service);
            format!(
                "{}: RootServiceName {service:?} is of no root span",
                row.place
            )
        },
    );
    report.expect(
        Check::RootNames,
        of(&spans.names, name) || (unnamed && name.is_empty()),
        || {
            let name = String::from_utf8_lossy(name);
            format!("{}: RootSpanName {name:?} is of no root span", row.place)
        },
    );
}

fn check_stats(row: &Row<'_>, spans: &Spans<'_>, report: &mut Report) {
    let mut expected: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    for (service, status) in spans.services.iter().zip(&spans.statuses) {
        let counts = expected.entry(service).or_default();
        counts.0 += 1;
        counts.1 += i64::from(*status == STATUS_ERROR);
    }
    let names = row.bytes(Column::StatsServiceName);
    let counts = row.ints(Column::StatsSpanCount).into_iter();
    let counts = counts.zip(row.ints(Column::StatsErrorCount));
    let actual: Vec<_> = names.into_iter().zip(counts).collect();
    // Version 5 sorts them by name; the map of version 4 has no order.
    let sorted = row.schema.find(Column::ScopeSpanCount).is_some();
    let right = if sorted {
        actual
            .iter()
            .copied()
            .eq(expected.iter().map(|(name, counts)| (*name, *counts)))
    } else {
        actual.len() == expected.len()
            && actual.iter().copied().collect::<BTreeMap<_, _>>() == expected
    };
    report.expect(Check::ServiceStats, right, || {
        let show = |stats: &mut dyn Iterator<Item = (&[u8], (i64, i64))>| {
            let one = |(name, (spans, errors)): (&[u8], (i64, i64))| {
                format!(
                    "{}: {spans} spans, {errors} errors",
                    String::from_utf8_lossy(name)
                )
            };
            stats.map(one).collect::<Vec<_>>().join("; ")
        };
        format!(
            "{}: {} instead of {}",
            row.place,
            show(&mut actual.iter().copied()),
            show(&mut expected.iter().map(|(name, counts)| (*name, *counts)))
        )
    });
}

fn check_span_count(row: &Row<'_>, report: &mut Report) {
    let Some(cells) = row.column(Column::ScopeSpanCount) else {
        report.skip(Check::SpanCount, "the format has none");
        return;
    };
    for (scope, spans) in row.tree.children(Group::Spans).iter().enumerate() {
        let said = cells.int(scope);
        report.expect(Check::SpanCount, said == i64::from(*spans), || {
            format!("{}: {said} instead of {spans} for scope {scope}", row.place)
        });
    }
}

fn check_nested_set(row: &Row<'_>, spans: &Spans<'_>, report: &mut Report) {
    let all: Vec<Span<'_>> = (0..spans.ids.len())
        .map(|at| Span {
            id: spans.ids[at],
            parent: spans.parents.get(at).copied().unwrap_or_default(),
            kind: spans.kinds.get(at).copied().unwrap_or_default(),
        })
        .collect();
    let (left, right, parent) = (
        row.ints(Column::NestedSetLeft),
        row.ints(Column::NestedSetRight),
        row.ints(Column::ParentId),
    );
    let children = row.column(Column::ChildCount);
    if children.is_none() {
        report.skip(Check::ChildCount, "the format has none");
    }
    let get = |values: &[i64], at: usize| values.get(at).copied().unwrap_or_default();
    let placed = nested::place(&all, &left);
    let is_tree = placed.iter().any(|placed| placed.left > 0);
    for (at, placed) in placed.into_iter().enumerate() {
        let said = (get(&left, at), get(&right, at), get(&parent, at));
        let expected = (placed.left, placed.right, placed.parent);
        report.expect(Check::NestedSet, said == expected, || {
            format!(
                "{}: left, right and parent {said:?} of span {at} instead of {expected:?}",
                row.place
            )
        });
        if let Some(children) = children.filter(|_| is_tree || !row.stale_counts) {
            let said = children.int(at);
            report.expect(Check::ChildCount, said == placed.children, || {
                let expected = placed.children;
                format!("{}: {said} of span {at} instead of {expected}", row.place)
            });
        }
    }
}

fn check_rounded(row: &Row<'_>, spans: &Spans<'_>, report: &mut Report) {
    for seconds in [15, 60, 300, 3600] {
        let Some(cells) = row.column(Column::StartTimeRounded(seconds)) else {
            report.skip(Check::RoundedTimes, "the format has none");
            return;
        };
        for (at, start) in spans.starts.iter().enumerate() {
            // Intervals are open on the left; what does not fit into 32 bits is cut.
            let expected = start
                .div_ceil(u64::from(seconds) * 1_000_000_000)
                .saturating_sub(1);
            let said = cells.int(at) as u32;
            report.expect(Check::RoundedTimes, said == expected as u32, || {
                format!(
                    "{}: {said} of {seconds} s for span {at} instead of {expected}",
                    row.place
                )
            });
        }
    }
}
