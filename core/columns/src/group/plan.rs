//! How a row group is cut into chunks.

use std::ops::Range;

use vivace_block::schema::Column as Leaf;
use vivace_block_reader::{OpenBlock, Part, RowGroup};

/// Cuts a row group into ranges of rows with about at most `max_spans` spans each (taken on average: one trace may have more than that).
/// Empty when there is no such row group.
pub fn plan_rows(block: &OpenBlock, group_index: usize, max_spans: u32) -> Vec<Range<u32>> {
    let Some(group) = block.row_groups().get(group_index) else {
        return Vec::new();
    };
    let spans = spans_of(block, group);
    let rows = u64::from(group.rows);
    let ranges = spans
        .div_ceil(u64::from(max_spans.max(1)))
        .clamp(1, rows.max(1));
    let cut =
        |number: u64| u32::try_from(u128::from(rows) * u128::from(number) / u128::from(ranges));
    (0..ranges)
        .filter_map(|number| Some(cut(number).ok()?..cut(number + 1).ok()?))
        .filter(|range| range.start < range.end)
        .collect()
}

/// Spans of some rows of a row group, taken on average.
pub fn spans_in(block: &OpenBlock, group_index: usize, rows: &Range<u32>) -> u64 {
    let Some(group) = block.row_groups().get(group_index) else {
        return 0;
    };
    let all = u128::from(spans_of(block, group));
    (all * rows.len() as u128 / u128::from(group.rows.max(1))) as u64
}

/// A leaf of spans has a slot for each span, and for each scope, resource and trace without any.
fn spans_of(block: &OpenBlock, group: &RowGroup) -> u64 {
    let leaf = block.find(Part::Column(Leaf::SpanId));
    let chunk = leaf.and_then(|leaf| group.chunks.get(leaf));
    chunk.map_or(0, |chunk| chunk.slots)
}
