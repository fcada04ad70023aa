//! Events of spans.

use vivace_block::schema::{AttributeOwner, Column, Schema};

use super::attributes::Attributes;
use super::estimate::Estimate;
use super::slots::Slots;
use crate::EncodeError;
use crate::column::{Finished, Layout, Leaf, Levels, Numbers, PageEnd, Texts};
use crate::limits::{PAGE_BYTES, PAGE_SLOTS};
use crate::pool::Pool;
use crate::trace::Source;

pub(crate) struct Events<'b> {
    levels: Levels,
    time_since_start: Leaf<Numbers<u64>>,
    name: Leaf<Texts>,
    attributes: Attributes,
    dropped_attributes: Leaf<Numbers<i32>>,
    slots: Slots<'b>,
    rows: u32,
    estimate: Estimate,
}

impl<'b> Events<'b> {
    pub(crate) fn new(schema: &Schema, slots: Slots<'b>, estimate: Estimate) -> Option<Self> {
        let (name, leaf) = schema.find(Column::EventName)?;
        let position = |column| schema.find(column).map(|(position, _)| position);
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            time_since_start: Leaf::new(
                position(Column::EventTimeSinceStartNano)?,
                Numbers::new(Layout::Split),
            ),
            name: Leaf::new(name, Texts::new()),
            attributes: Attributes::new(schema, AttributeOwner::Event)?,
            dropped_attributes: Leaf::new(
                position(Column::EventDroppedAttributes)?,
                Numbers::new(Layout::Plain),
            ),
            slots,
            rows: 0,
            estimate,
        })
    }

    /// The events of a span. Returns their estimated bytes.
    #[inline]
    pub(crate) fn push(
        &mut self,
        source: &Source<'b>,
        row: usize,
        mut rep: u8,
        pool: &Pool<'_>,
    ) -> u64 {
        let range = source.events(row);
        let (max_rep, max_def) = (self.levels.max_rep, self.levels.max_def);
        if range.is_empty() {
            self.levels.push(rep, max_def - 1);
            self.attributes.push_none(rep, max_def - 1);
            self.slots.push_none();
            return 0;
        }
        let start = source.view.start_unix_nanos().get(row);
        let mut cost = 0;
        for index in range {
            let event = source.view.event(index);
            self.levels.push(rep, max_def);
            let since_start = event.time_unix_nano().wrapping_sub(start);
            self.time_since_start.values.push(since_start);
            self.name.values.push(source.numbers.get(event.name_id().0));
            let dropped = event.dropped_attributes_count().cast_signed();
            self.dropped_attributes.values.push(dropped);
            self.attributes.begin(rep, max_def);
            let (mut count, mut attributes) = (0, 0);
            let mut all = source.event(index);
            while let Some(attribute) = all.next() {
                if !self.slots.take_attribute(attribute, || all.other()) {
                    attributes += self.attributes.push(attribute, || all.other(), pool);
                    count += 1;
                }
            }
            self.attributes.end();
            self.slots.end_owner(pool);
            cost += self.estimate.event(count, attributes);
            rep = max_rep;
        }
        cost
    }

    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.attributes.end_row(end).await?;
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
        self.time_since_start.end_page(levels, end).await?;
        self.name.end_page(levels, end).await?;
        self.dropped_attributes.end_page(levels, end).await?;
        self.slots.end_page(levels, end).await?;
        self.levels.clear();
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        out.push(self.time_since_start.take(end).await?);
        out.push(self.name.take(end).await?);
        out.push(self.dropped_attributes.take(end).await?);
        self.attributes.take(end, out).await?;
        self.slots.take(end, out).await
    }
}
