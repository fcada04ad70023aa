//! What a trace has once, as the block writer would write it: spans that are there twice count once.

use std::collections::HashMap;
use std::ops::Range;

use vivace_block::WellKnown;
use vivace_model::{StringId, TraceId, ValueType, View};

use super::pause::Pause;
use super::text::find_string;
use crate::chunk::ServiceStats;

/// OTLP's status for errors.
const ERROR: i32 = 2;

/// A link with this attribute and value names a parent in the same trace: its span is no root.
const REFERENCE_TYPE: &str = "opentracing.ref_type";
const CHILD_OF: &str = "child_of";

/// Spans whose id and kind another span of the trace has, with that one. Of several the one that started first stays, of those the
/// one with the shortest duration.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// Row that does not count, and the one that does; ascending.
    rows: Vec<(u32, u32)>,
}

impl Doubles {
    pub(super) async fn find<P: AsyncFn()>(view: &View<'_>, pause: &mut Pause<P>) -> Self {
        let mut doubles = Self::default();
        let mut by_id = Vec::new();
        for (_, rows) in view.trace_runs() {
            let count = rows.len();
            if count > 1 {
                doubles.add(view, rows, &mut by_id);
            }
            pause.after(count).await;
        }
        doubles.rows.sort_unstable();
        doubles
    }

    fn add(&mut self, view: &View<'_>, rows: Range<usize>, by_id: &mut Vec<(u64, u32)>) {
        let ids = view.span_ids();
        by_id.clear();
        by_id.extend(rows.map(|row| (u64::from_be_bytes(ids.get(row)), row as u32)));
        by_id.sort_unstable();
        let (kinds, starts) = (view.kinds(), view.start_unix_nanos());
        let durations = view.duration_nanos();
        for same in by_id.chunk_by_mut(|a, b| a.0 == b.0) {
            if same.len() == 1 {
                continue;
            }
            let kind = |entry: &(u64, u32)| kinds.get(entry.1 as usize);
            same.sort_unstable_by_key(|entry| {
                let row = entry.1 as usize;
                (kind(entry), starts.get(row), durations.get(row), row)
            });
            for of_kind in same.chunk_by(|a, b| kind(a) == kind(b)) {
                if let Some((kept, doubles)) = of_kind.split_first() {
                    self.rows
                        .extend(doubles.iter().map(|double| (double.1, kept.1)));
                }
            }
        }
    }

    pub(super) fn rows(&self) -> &[(u32, u32)] {
        &self.rows
    }

    /// Those of some rows that count.
    pub(super) fn without(&self, rows: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let first = (self.rows).partition_point(|double| (double.0 as usize) < rows.start);
        let mut doubles = self.rows.get(first..).unwrap_or_default().iter().peekable();
        rows.filter(move |row| {
            doubles
                .next_if(|double| double.0 as usize == *row)
                .is_none()
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<(u32, u32)>()
    }
}

/// Times and names of a trace (block-format.md §3.5).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TraceFacts {
    /// Earliest start that is not 0, which is no time.
    pub(super) start: u64,
    /// Latest end.
    pub(super) end: u64,
    /// String ids of the root, 0 without one.
    pub(super) root_name: u32,
    pub(super) root_service: u32,
}

/// By trace.
pub(super) async fn facts<P: AsyncFn()>(
    view: &View<'_>,
    doubles: &Doubles,
    pause: &mut Pause<P>,
) -> Vec<TraceFacts> {
    let services = Services::new(view);
    let child_links = ChildLinks::find(view);
    let mut all = Vec::with_capacity(view.trace_count());
    for (id, rows) in view.trace_runs() {
        let count = rows.len();
        all.push(facts_of(
            view,
            id,
            doubles.without(rows),
            &services,
            &child_links,
        ));
        pause.after(count).await;
    }
    all
}

fn facts_of(
    view: &View<'_>,
    id: TraceId,
    rows: impl Iterator<Item = usize>,
    services: &Services<'_>,
    child_links: &ChildLinks<'_>,
) -> TraceFacts {
    let (starts, durations) = (view.start_unix_nanos(), view.duration_nanos());
    let (parents, ids, kinds) = (view.parent_span_ids(), view.span_ids(), view.kinds());
    let mut facts = TraceFacts::default();
    // Of several roots the one that comes first in the order of starts, ids and kinds.
    let mut root = None;
    for row in rows {
        let start = starts.get(row);
        if facts.start == 0 || (start != 0 && start < facts.start) {
            facts.start = start;
        }
        facts.end = facts.end.max(start.wrapping_add(durations.get(row)));
        if parents.get(row) != [0; 8] {
            continue;
        }
        let key = (start, ids.get(row), kinds.get(row));
        let is_first = root.is_none_or(|(other, _)| key < other);
        if is_first && !child_links.has(view, id, row) {
            root = Some((key, row));
        }
    }
    if let Some((_, row)) = root {
        facts.root_name = view.names().get(row);
        facts.root_service = services.first(view.resource_indexes().get(row) as usize);
    }
    facts
}

/// Links that say that their span is a child.
struct ChildLinks<'v> {
    attributes: vivace_model::OwnedAttributes<'v>,
    /// Key with type, and value; None: no link has them.
    wanted: Option<(u32, u64)>,
}

impl<'v> ChildLinks<'v> {
    fn find(view: &View<'v>) -> Self {
        let attributes = view.owned_attributes(vivace_model::Owner::Link);
        let find = || {
            let key = find_string(view, REFERENCE_TYPE)?;
            Some((
                key << 4 | ValueType::String as u32,
                find_string(view, CHILD_OF)?.into(),
            ))
        };
        let has_attributes = !attributes.keys().is_empty();
        Self {
            attributes,
            wanted: if has_attributes { find() } else { None },
        }
    }

    /// Whether the span has one into its own trace.
    fn has(&self, view: &View<'_>, id: TraceId, row: usize) -> bool {
        let Some(wanted) = self.wanted else {
            return false;
        };
        let (starts, of_link) = (view.link_starts(), self.attributes.starts());
        let (keys, values) = (self.attributes.keys(), self.attributes.values());
        let links = starts.get(row) as usize..starts.get(row + 1) as usize;
        links.into_iter().any(|link| {
            let mut places = of_link.get(link) as usize..of_link.get(link + 1) as usize;
            view.link(link).trace_id() == id.0
                && places.any(|place| (keys.get(place), values.get(place)) == wanted)
        })
    }
}

/// Service names of resources.
struct Services<'v> {
    attributes: vivace_model::OwnedAttributes<'v>,
    /// String id of the key.
    key: Option<u32>,
}

impl<'v> Services<'v> {
    fn new(view: &View<'v>) -> Self {
        Self {
            attributes: view.owned_attributes(vivace_model::Owner::Resource),
            key: find_string(view, WellKnown::ServiceName.attribute()),
        }
    }

    /// Types and bits of all values of the key.
    fn of(&self, resource: usize) -> impl DoubleEndedIterator<Item = (u32, u64)> {
        let starts = self.attributes.starts();
        let places = starts.get(resource) as usize..starts.get(resource + 1) as usize;
        let (keys, values) = (self.attributes.keys(), self.attributes.values());
        let key = self.key;
        places
            .filter(move |place| Some(keys.get(*place) >> 4) == key)
            .map(move |place| (keys.get(place) & 15, values.get(place)))
    }

    /// String id of the first one, if it is a text.
    fn first(&self, resource: usize) -> u32 {
        text(self.of(resource).next())
    }

    /// String id of the last text: that is the one which stands in a block's column of its own.
    fn last(&self, resource: usize) -> u32 {
        let mut all = self.of(resource).rev();
        text(all.find(|(kind, _)| *kind == ValueType::String as u32))
    }
}

fn text(value: Option<(u32, u64)>) -> u32 {
    match value {
        Some((kind, bits)) if kind == ValueType::String as u32 => bits as u32,
        _ => 0,
    }
}

/// Spans and errors of a trace by service, sorted by service (block-format.md §3.7).
pub(super) async fn service_stats<P: AsyncFn()>(
    view: &View<'_>,
    rows: Range<usize>,
    doubles: &Doubles,
    pause: &mut Pause<P>,
) -> Vec<ServiceStats> {
    let (resources, statuses) = (view.resource_indexes(), view.status_codes());
    let count = rows.len();
    let mut by_resource: HashMap<u32, (u32, u32)> = HashMap::new();
    for row in doubles.without(rows) {
        let (spans, errors) = by_resource.entry(resources.get(row)).or_default();
        *spans += 1;
        *errors += u32::from(statuses.get(row) == ERROR);
    }
    let services = Services::new(view);
    let mut by_service: HashMap<u32, (u32, u32)> = HashMap::new();
    for (resource, (spans, errors)) in by_resource {
        let service = services.last(resource as usize);
        let sums = by_service.entry(service).or_default();
        sums.0 += spans;
        sums.1 += errors;
    }
    pause.after(count).await;
    let stats = by_service
        .into_iter()
        .map(|(service, (spans, errors))| ServiceStats {
            service: view.string(StringId(service)).into(),
            spans,
            errors,
        });
    let mut stats: Vec<_> = stats.collect();
    stats.sort_unstable_by(|a, b| a.service.cmp(&b.service));
    stats
}
