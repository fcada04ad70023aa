//! The tree of each trace, with the numbers that the block writer would give it.

use vivace_block::nested::{Child, Nested, NestedSets};
use vivace_model::View;

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
    let mut places = Places::default();
    let mut sets = NestedSets::default();
    let (parents, kinds) = (view.parent_span_ids(), view.kinds());
    for (trace, (_, rows)) in view.trace_runs().enumerate() {
        if keep.is_some_and(|keep| !keep.contains(trace as u32)) {
            continue;
        }
        let count = rows.len();
        places.arrange(view, doubles.without(rows));
        let child = |place: u32| {
            let row = places.row(place);
            Child {
                parent_id: u64::from_be_bytes(parents.get(row)),
                kind: kinds.get(row),
            }
        };
        let nodes = sets.compute(&places.by_id, child);
        for (span, node) in places.spans.iter().zip(nodes) {
            if let Some(of_row) = all.get_mut(span.row as usize) {
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

/// The spans of the current trace by start, id and kind, the order that the block writer numbers them in. Used again for every trace.
#[derive(Default)]
struct Places {
    /// Without doubles.
    spans: Vec<Placed>,
    /// Ids with places, sorted.
    by_id: Vec<(u64, u32)>,
}

struct Placed {
    start: u64,
    /// Big-endian.
    id: u64,
    kind: i32,
    row: u32,
}

impl Places {
    fn row(&self, place: u32) -> usize {
        (self.spans)
            .get(place as usize)
            .map_or(0, |span| span.row as usize)
    }

    fn arrange(&mut self, view: &View<'_>, rows: impl Iterator<Item = usize>) {
        let (starts, ids, kinds) = (view.start_unix_nanos(), view.span_ids(), view.kinds());
        self.spans.clear();
        self.spans.extend(rows.map(|row| Placed {
            start: starts.get(row),
            id: u64::from_be_bytes(ids.get(row)),
            kind: kinds.get(row),
            row: row as u32,
        }));
        let key = |span: &Placed| (span.start, span.id, span.kind);
        if !self.spans.is_sorted_by_key(key) {
            (self.spans).sort_unstable_by_key(|span| (key(span), span.row));
        }
        self.by_id.clear();
        (self.by_id).extend(
            self.spans
                .iter()
                .zip(0..)
                .map(|(span, place)| (span.id, place)),
        );
        if !self.by_id.is_sorted() {
            self.by_id.sort_unstable();
        }
    }
}
