//! Spans.

use vivace_block::nested::Nested;
use vivace_block::schema::{AttributeOwner, Column, Schema};

use super::attributes::Attributes;
use super::estimate::Estimate;
use super::events::Events;
use super::links::Links;
use super::slots::Slots;
use crate::EncodeError;
use crate::column::{
    ByteArrays, Finished, Layout, Leaf, Levels, Numbered, Numbers, PageEnd, Texts,
};
use crate::limits::{PAGE_BYTES, PAGE_SLOTS};
use crate::pool::Pool;
use crate::trace::{Placed, Source};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

pub(crate) struct Spans<'b> {
    levels: Levels,
    span_id: Leaf<ByteArrays>,
    parent_span_id: Leaf<ByteArrays>,
    parent: Leaf<Numbers<i32>>,
    left: Leaf<Numbers<i32>>,
    right: Leaf<Numbers<i32>>,
    /// Version 5.
    children: Option<Leaf<Numbers<i32>>>,
    name: Leaf<Texts>,
    kind: Leaf<Numbered>,
    trace_state: Leaf<Texts>,
    start: Leaf<Numbers<u64>>,
    duration: Leaf<Numbers<u64>>,
    status_code: Leaf<Numbered>,
    status_message: Leaf<Texts>,
    attributes: Attributes,
    dropped_attributes: Leaf<Numbers<i32>>,
    events: Events<'b>,
    dropped_events: Leaf<Numbers<i32>>,
    links: Links,
    dropped_links: Leaf<Numbers<i32>>,
    slots: Slots<'b>,
    /// Version 5; with their seconds.
    rounded: Vec<(u32, Leaf<Numbers<u32>>)>,
    rows: u32,
    estimate: Estimate,
}

impl<'b> Spans<'b> {
    pub(crate) fn new(
        schema: &Schema,
        slots: Slots<'b>,
        slots_of_events: Slots<'b>,
        estimate: Estimate,
    ) -> Option<Self> {
        let (name, leaf) = schema.find(Column::SpanName)?;
        let position = |column| schema.find(column).map(|(position, _)| position);
        let plain = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Plain)));
        let split = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Split)));
        let times = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Split)));
        let rounded = |leaf: (usize, &vivace_block::schema::Leaf)| match leaf.1.column {
            Column::StartTimeRounded(seconds) => {
                Some((seconds, Leaf::new(leaf.0, Numbers::new(Layout::Split))))
            }
            _ => None,
        };
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            span_id: Leaf::new(position(Column::SpanId)?, ByteArrays::of_ids()),
            parent_span_id: Leaf::new(position(Column::ParentSpanId)?, ByteArrays::of_ids()),
            parent: split(Column::ParentId)?,
            left: split(Column::NestedSetLeft)?,
            right: split(Column::NestedSetRight)?,
            children: split(Column::ChildCount),
            name: Leaf::new(name, Texts::new()),
            kind: Leaf::new(position(Column::Kind)?, Numbered::new()),
            trace_state: Leaf::new(position(Column::TraceState)?, Texts::new()),
            start: times(Column::SpanStartUnixNano)?,
            duration: times(Column::SpanDurationNano)?,
            status_code: Leaf::new(position(Column::StatusCode)?, Numbered::new()),
            status_message: Leaf::new(position(Column::StatusMessage)?, Texts::new()),
            attributes: Attributes::new(schema, AttributeOwner::Span)?,
            dropped_attributes: plain(Column::SpanDroppedAttributes)?,
            events: Events::new(schema, slots_of_events, estimate)?,
            dropped_events: plain(Column::DroppedEvents)?,
            links: Links::new(schema, estimate)?,
            dropped_links: plain(Column::DroppedLinks)?,
            slots,
            rounded: schema
                .leaves
                .iter()
                .enumerate()
                .filter_map(rounded)
                .collect(),
            rows: 0,
            estimate,
        })
    }

    /// A span. Returns its estimated bytes.
    pub(crate) fn push(
        &mut self,
        source: &Source<'b>,
        placed: &Placed,
        nested: Nested,
        rep: u8,
        pool: &Pool<'_>,
    ) -> u64 {
        let (view, row) = (source.view, placed.row as usize);
        let max_def = self.levels.max_def;
        self.levels.push(rep, max_def);
        let parent_id = view.parent_span_ids().get(row);
        let parent_id: &[u8] = if parent_id == [0; 8] { &[] } else { &parent_id };
        self.span_id.values.push(&placed.id.to_be_bytes());
        self.parent_span_id.values.push(parent_id);
        self.parent.values.push(nested.parent);
        self.left.values.push(nested.left);
        self.right.values.push(nested.right);
        if let Some(children) = &mut self.children {
            children.values.push(nested.children);
        }
        let text = |id| source.numbers.get(id);
        self.name.values.push(text(view.names().get(row)));
        self.kind.values.push(placed.kind.into());
        self.trace_state
            .values
            .push(text(view.trace_states().get(row)));
        self.start.values.push(placed.start);
        self.duration.values.push(view.duration_nanos().get(row));
        self.status_code
            .values
            .push(view.status_codes().get(row).into());
        self.status_message
            .values
            .push(text(view.status_messages().get(row)));
        let mut attributes = 0;
        self.attributes.begin(rep, max_def);
        let mut all = source.span(row);
        while let Some(attribute) = all.next() {
            if !self.slots.take_attribute(attribute, || all.other()) {
                attributes += self.attributes.push(attribute, || all.other(), pool);
            }
        }
        self.attributes.end();
        self.slots.end_owner(pool);
        let ids = 8 + parent_id.len();
        let mut cost = self.estimate.span(ids, attributes);
        cost += self.events.push(source, row, rep, pool);
        cost += self.links.push(source, row, rep, pool);
        let counts = [
            (
                view.dropped_attributes_counts(),
                &mut self.dropped_attributes,
            ),
            (view.dropped_events_counts(), &mut self.dropped_events),
            (view.dropped_links_counts(), &mut self.dropped_links),
        ];
        for (column, leaf) in counts {
            leaf.values.push(column.get(row).cast_signed());
        }
        for (seconds, leaf) in &mut self.rounded {
            leaf.values.push(rounded(placed.start, *seconds));
        }
        cost
    }

    /// Repetition level of a span that is not its scope's first.
    pub(crate) fn max_rep(&self) -> u8 {
        self.levels.max_rep
    }

    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.attributes.end_row(end).await?;
        self.events.end_row(end).await?;
        self.links.end_row(end).await?;
        self.rows += 1;
        if self.levels.len() < PAGE_SLOTS && self.slots.bytes() < PAGE_BYTES {
            return Ok(());
        }
        self.end_own_page(end).await
    }

    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.attributes.end_page(end).await?;
        self.events.end_page(end).await?;
        self.links.end_page(end).await?;
        self.end_own_page(end).await
    }

    async fn end_own_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        if self.rows == 0 {
            return Ok(());
        }
        end.rows = std::mem::take(&mut self.rows);
        let levels = &mut self.levels;
        self.span_id.end_page(levels, end).await?;
        self.parent_span_id.end_page(levels, end).await?;
        self.name.end_page(levels, end).await?;
        self.kind.end_page(levels, end).await?;
        self.trace_state.end_page(levels, end).await?;
        self.status_code.end_page(levels, end).await?;
        self.status_message.end_page(levels, end).await?;
        for leaf in [&mut self.start, &mut self.duration] {
            leaf.end_page(levels, end).await?;
        }
        let numbers = [
            &mut self.parent,
            &mut self.left,
            &mut self.right,
            &mut self.dropped_attributes,
            &mut self.dropped_events,
            &mut self.dropped_links,
        ];
        for leaf in numbers.into_iter().chain(&mut self.children) {
            leaf.end_page(levels, end).await?;
        }
        for (_, leaf) in &mut self.rounded {
            leaf.end_page(levels, end).await?;
        }
        self.slots.end_page(levels, end).await?;
        self.levels.clear();
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        out.push(self.span_id.take(end).await?);
        out.push(self.parent_span_id.take(end).await?);
        for leaf in [
            &mut self.name,
            &mut self.trace_state,
            &mut self.status_message,
        ] {
            out.push(leaf.take(end).await?);
        }
        for leaf in [&mut self.kind, &mut self.status_code] {
            out.push(leaf.take(end).await?);
        }
        for leaf in [&mut self.start, &mut self.duration] {
            out.push(leaf.take(end).await?);
        }
        let numbers = [
            &mut self.parent,
            &mut self.left,
            &mut self.right,
            &mut self.dropped_attributes,
            &mut self.dropped_events,
            &mut self.dropped_links,
        ];
        for leaf in numbers.into_iter().chain(&mut self.children) {
            out.push(leaf.take(end).await?);
        }
        for (_, leaf) in &mut self.rounded {
            out.push(leaf.take(end).await?);
        }
        self.attributes.take(end, out).await?;
        self.events.take(end, out).await?;
        self.links.take(end, out).await?;
        self.slots.take(end, out).await
    }
}

/// The number of the interval of `seconds` in which a time lies; intervals are open on the left and closed on the right
/// (block-format.md §3.7).
fn rounded(start: u64, seconds: u32) -> u32 {
    let interval = u64::from(seconds) * NANOS_PER_SECOND;
    start.div_ceil(interval).saturating_sub(1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_closed_on_the_right() {
        for (start, expected) in [
            (0, 0),
            (1, 0),
            (15_000_000_000, 0),
            (15_000_000_001, 1),
            (30_000_000_000, 1),
            (1_700_000_007_000_000_123, 113_333_333),
            (1_700_000_010_000_000_000, 113_333_333),
            (1_700_000_010_000_000_001, 113_333_334),
        ] {
            assert_eq!(rounded(start, 15), expected, "{start}");
        }
    }
}
