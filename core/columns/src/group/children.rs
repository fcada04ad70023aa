//! Numbers of children for blocks that don't have them (block-format.md §3.6).

use vivace_block::nested::{Child, NestedSets};
use vivace_block_reader::Ranges;

use super::source::{LeafData, Source};
use crate::shape::Shape;

/// Span ids, ids of parents and kinds of the spans of some traces.
pub(super) struct Tree {
    pub ids: LeafData,
    pub parents: LeafData,
    pub kinds: LeafData,
}

/// Nodes are told apart by the first eight bytes of an id, shorter ones filled up on the right.
fn key(id: &[u8]) -> u64 {
    let mut key = [0; 8];
    for (place, &byte) in key.iter_mut().zip(id) {
        *place = byte;
    }
    u64::from_be_bytes(key)
}

impl Tree {
    /// One number for each span of `traces`, whose first span `ids` and the others begin with. None: they don't have as many.
    pub async fn child_counts<R: Ranges, P: AsyncFn()>(
        &self,
        shape: &Shape,
        traces: std::ops::Range<u32>,
        source: &mut Source<R, P>,
    ) -> Option<Vec<u64>> {
        let first = shape.spans_of(traces.start).start as usize;
        let last = shape.trace_starts.get(traces.end as usize).copied()? as usize;
        let count = last.checked_sub(first)?;
        let all = [&self.ids, &self.parents, &self.kinds];
        if all.iter().any(|data| data.page.values.len() != count) {
            return None;
        }
        let mut counts = Vec::with_capacity(count);
        let mut sets = NestedSets::default();
        let mut by_id = Vec::new();
        for trace in traces {
            let spans = shape.spans_of(trace);
            let start = spans.start as usize - first;
            by_id.clear();
            by_id.extend(
                (0..spans.len() as u32)
                    .map(|place| (key(self.ids.bytes(start + place as usize)), place)),
            );
            by_id.sort_unstable();
            let child = |place: u32| {
                let index = start + place as usize;
                Child {
                    parent_id: key(self.parents.bytes(index)),
                    kind: self.kinds.page.values.int(index).unwrap_or(0) as i32,
                }
            };
            let nodes = sets.compute(&by_id, child);
            counts.extend(
                nodes
                    .iter()
                    .map(|node| i64::from(node.children).cast_unsigned()),
            );
            source.worked(spans.len() * 8).await;
        }
        Some(counts)
    }
}
