//! The tree of each trace, with the numbers that the block writer would give it: they depend on the order of rows.

use std::collections::HashMap;
use std::ops::Range;

use vivace_block::nested::{Child, Nested, NestedSets};
use vivace_model::{AttributesView, ValueView, View};

use super::pause::Pause;
use super::traces::Doubles;
use crate::bitmap::Bitmap;

/// By span; those of traces that are not in `keep` have no numbers. A span that is there twice has the numbers of the one that counts.
pub(super) async fn nested<P: AsyncFn()>(
    view: &View<'_>,
    doubles: &Doubles,
    keep: Option<&Bitmap>,
    pause: &mut Pause<P>,
) -> Vec<Nested> {
    let mut all = vec![Nested::default(); view.span_count()];
    let contexts = Contexts::find(view, pause).await;
    let mut order = RowOrder::new(&contexts);
    let mut sets = NestedSets::default();
    let (parents, kinds) = (view.parent_span_ids(), view.kinds());
    for (trace, (_, rows)) in view.trace_runs().enumerate() {
        if keep.is_some_and(|keep| !keep.contains(trace as u32)) {
            continue;
        }
        let count = rows.len();
        order.arrange(view, rows, doubles, trace as u32);
        let child = |place: u32| {
            let row = order.row(place);
            Child {
                parent_id: u64::from_be_bytes(parents.get(row)),
                kind: kinds.get(row),
            }
        };
        let nodes = sets.compute(&order.by_id, &order.order, child);
        for (place, node) in order.order.iter().zip(nodes) {
            if let Some(of_row) = all.get_mut(order.row(*place)) {
                *of_row = *node;
            }
        }
        pause.after(count).await;
    }
    for &(double, kept) in doubles.rows() {
        let of_kept = all.get(kept as usize).copied().unwrap_or_default();
        if let Some(of_double) = all.get_mut(double as usize) {
            *of_double = of_kept;
        }
    }
    all
}

/// Resources and scopes that a block stores as one below one row: they may differ in dropped counts and order of attributes.
struct Contexts {
    /// By span: number of the pair of resource and scope.
    pair_of_span: Vec<u32>,
    /// By pair.
    resource_of_pair: Vec<u32>,
}

impl Contexts {
    async fn find<P: AsyncFn()>(view: &View<'_>, pause: &mut Pause<P>) -> Self {
        let mut known = HashMap::new();
        let mut resources = Vec::with_capacity(view.resource_count());
        for index in 0..view.resource_count() {
            let mut text = Vec::new();
            encode_sorted(view.resource(index).attributes(), &mut text);
            resources.push(number_of(&mut known, text));
            pause.after(1).await;
        }
        let mut known = HashMap::new();
        let mut scopes = Vec::with_capacity(view.scope_count());
        for index in 0..view.scope_count() {
            let scope = view.scope(index);
            let mut text = Vec::new();
            encode_bytes(scope.name().as_bytes(), &mut text);
            encode_bytes(scope.version().as_bytes(), &mut text);
            encode_sorted(scope.attributes(), &mut text);
            scopes.push(number_of(&mut known, text));
            pause.after(1).await;
        }
        Self::pairs(view, &resources, &scopes, pause).await
    }

    async fn pairs<P: AsyncFn()>(
        view: &View<'_>,
        resources: &[u32],
        scopes: &[u32],
        pause: &mut Pause<P>,
    ) -> Self {
        let (resource_of, scope_of) = (view.resource_indexes(), view.scope_indexes());
        let number = |numbers: &[u32], index: u32| numbers.get(index as usize).copied();
        let mut known = HashMap::new();
        let mut contexts = Self {
            pair_of_span: Vec::with_capacity(view.span_count()),
            resource_of_pair: Vec::new(),
        };
        let mut last = None;
        for (_, rows) in view.trace_runs() {
            let count = rows.len();
            for row in rows {
                let indexes = (resource_of.get(row), scope_of.get(row));
                let pair = match last {
                    Some((before, pair)) if before == indexes => pair,
                    _ => {
                        let resource = number(resources, indexes.0).unwrap_or_default();
                        let scope = number(scopes, indexes.1).unwrap_or_default();
                        let next = known.len() as u32;
                        let pair = *known.entry((resource, scope)).or_insert(next);
                        if pair == next {
                            contexts.resource_of_pair.push(resource);
                        }
                        pair
                    }
                };
                last = Some((indexes, pair));
                contexts.pair_of_span.push(pair);
            }
            pause.after(count).await;
        }
        contexts
    }
}

fn number_of(known: &mut HashMap<Vec<u8>, u32>, text: Vec<u8>) -> u32 {
    let next = known.len() as u32;
    *known.entry(text).or_insert(next)
}

/// Equal bytes for attributes that are equal but for the order of different keys.
fn encode_sorted(attributes: AttributesView<'_>, out: &mut Vec<u8>) {
    let mut sorted: Vec<_> = attributes.collect();
    sorted.sort_by_key(|(key, _)| *key);
    encode_pairs(sorted.into_iter(), out);
}

fn encode_pairs<'v>(
    pairs: impl ExactSizeIterator<Item = (&'v str, ValueView<'v>)>,
    out: &mut Vec<u8>,
) {
    out.extend((pairs.len() as u32).to_le_bytes());
    for (key, value) in pairs {
        encode_bytes(key.as_bytes(), out);
        encode_value(value, out);
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// Equal bytes for equal values; doubles by their bits.
fn encode_value(value: ValueView<'_>, out: &mut Vec<u8>) {
    match value {
        ValueView::Empty => out.push(0),
        ValueView::String(text) => {
            out.push(1);
            encode_bytes(text.as_bytes(), out);
        }
        ValueView::Bool(value) => out.extend([2, value.into()]),
        ValueView::Int(value) => {
            out.push(3);
            out.extend(value.to_le_bytes());
        }
        ValueView::Double(value) => {
            out.push(4);
            out.extend(value.to_bits().to_le_bytes());
        }
        ValueView::Bytes(bytes) => {
            out.push(5);
            encode_bytes(bytes, out);
        }
        ValueView::Array(list) => {
            out.push(6);
            out.extend((list.len() as u32).to_le_bytes());
            list.for_each(|element| encode_value(element, out));
        }
        ValueView::KvList(pairs) => {
            out.push(7);
            encode_pairs(pairs, out);
        }
    }
}

/// The spans of the current trace in the order of a row: by resource in the order of their first spans, then by scope likewise, then
/// by start, id and kind. Used again for every trace.
struct RowOrder<'c> {
    contexts: &'c Contexts,
    /// Without doubles, by start, id and kind.
    places: Vec<PlacedSpan>,
    /// Ids with places, sorted.
    by_id: Vec<(u64, u32)>,
    /// Places in the order of the row.
    order: Vec<u32>,
    /// By place: ranks of resource and pair.
    ranks: Vec<(u32, u32)>,
    /// By pair and resource: the trace that they were last met in, and their rank there.
    pairs: Vec<Option<(u32, u32)>>,
    resources: Vec<Option<(u32, u32)>>,
}

struct PlacedSpan {
    start: u64,
    /// Big-endian.
    id: u64,
    kind: i32,
    row: u32,
}

impl<'c> RowOrder<'c> {
    fn new(contexts: &'c Contexts) -> Self {
        let resources = contexts.resource_of_pair.iter().max();
        let resources = resources.map_or(0, |most| *most as usize + 1);
        Self {
            contexts,
            places: Vec::new(),
            by_id: Vec::new(),
            order: Vec::new(),
            ranks: Vec::new(),
            pairs: vec![None; contexts.resource_of_pair.len()],
            resources: vec![None; resources],
        }
    }

    fn row(&self, place: u32) -> usize {
        self.places
            .get(place as usize)
            .map_or(0, |span| span.row as usize)
    }

    fn arrange(&mut self, view: &View<'_>, rows: Range<usize>, doubles: &Doubles, trace: u32) {
        let (starts, ids, kinds) = (view.start_unix_nanos(), view.span_ids(), view.kinds());
        self.places.clear();
        self.places
            .extend(doubles.without(rows).map(|row| PlacedSpan {
                start: starts.get(row),
                id: u64::from_be_bytes(ids.get(row)),
                kind: kinds.get(row),
                row: row as u32,
            }));
        let key = |span: &PlacedSpan| (span.start, span.id, span.kind);
        if !self.places.is_sorted_by_key(key) {
            self.places
                .sort_unstable_by_key(|span| (key(span), span.row));
        }
        let spans = self.places.iter().zip(0..);
        self.by_id.clear();
        self.by_id
            .extend(spans.map(|(span, place)| (span.id, place)));
        if !self.by_id.is_sorted() {
            self.by_id.sort_unstable();
        }
        self.rank(trace);
        self.order.clear();
        self.order.extend(0..self.places.len() as u32);
        if !self.ranks.is_sorted() {
            let ranks = &self.ranks;
            let rank = |place: &u32| ranks.get(*place as usize).copied();
            self.order.sort_by_key(rank);
        }
    }

    fn rank(&mut self, trace: u32) {
        self.ranks.clear();
        let (mut next_resource, mut next_pair) = (0, 0);
        for span in &self.places {
            let pair = self.contexts.pair_of_span.get(span.row as usize);
            let pair = pair.copied().unwrap_or_default() as usize;
            let resource = self.contexts.resource_of_pair.get(pair);
            let resource = resource.copied().unwrap_or_default() as usize;
            let resource = rank_in(self.resources.get_mut(resource), trace, &mut next_resource);
            let pair = rank_in(self.pairs.get_mut(pair), trace, &mut next_pair);
            self.ranks.push((resource, pair));
        }
    }
}

/// The rank that something has in a trace, the next one if it is met there for the first time.
fn rank_in(known: Option<&mut Option<(u32, u32)>>, trace: u32, next: &mut u32) -> u32 {
    let Some(known) = known else { return *next };
    match known {
        Some((before, rank)) if *before == trace => *rank,
        _ => {
            let rank = *next;
            *known = Some((trace, rank));
            *next += 1;
            rank
        }
    }
}
