//! Links of spans.

use vivace_block::schema::{AttributeOwner, Column, Schema};

use super::attributes::Attributes;
use super::estimate::Estimate;
use crate::EncodeError;
use crate::column::{
    ByteArrays, Finished, Layout, Leaf, Levels, Numbers, PageEnd, Texts, Values as _,
};
use crate::limits::{PAGE_BYTES, PAGE_SLOTS};
use crate::pool::Pool;
use crate::trace::Source;

pub(crate) struct Links {
    levels: Levels,
    trace_id: Leaf<ByteArrays>,
    span_id: Leaf<ByteArrays>,
    trace_state: Leaf<Texts>,
    attributes: Attributes,
    dropped_attributes: Leaf<Numbers<i32>>,
    rows: u32,
    estimate: Estimate,
}

impl Links {
    pub(crate) fn new(schema: &Schema, estimate: Estimate) -> Option<Self> {
        let (trace_id, leaf) = schema.find(Column::LinkTraceId)?;
        let position = |column| schema.find(column).map(|(position, _)| position);
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            trace_id: Leaf::new(trace_id, ByteArrays::of_ids()),
            span_id: Leaf::new(position(Column::LinkSpanId)?, ByteArrays::of_ids()),
            trace_state: Leaf::new(position(Column::LinkTraceState)?, Texts::new()),
            attributes: Attributes::new(schema, AttributeOwner::Link)?,
            dropped_attributes: Leaf::new(
                position(Column::LinkDroppedAttributes)?,
                Numbers::new(Layout::Plain),
            ),
            rows: 0,
            estimate,
        })
    }

    /// The links of a span. Returns their estimated bytes.
    #[inline]
    pub(crate) fn push(
        &mut self,
        source: &Source<'_>,
        row: usize,
        mut rep: u8,
        pool: &Pool<'_>,
    ) -> u64 {
        let range = source.links(row);
        let (max_rep, max_def) = (self.levels.max_rep, self.levels.max_def);
        if range.is_empty() {
            self.levels.push(rep, max_def - 1);
            self.attributes.push_none(rep, max_def - 1);
            return 0;
        }
        let mut cost = 0;
        for index in range {
            let link = source.view.link(index);
            self.levels.push(rep, max_def);
            self.trace_id.values.push(link.trace_id());
            self.span_id.values.push(link.span_id());
            let state = source.numbers.get(link.trace_state_id().0);
            self.trace_state.values.push(state);
            let dropped = link.dropped_attributes_count().cast_signed();
            self.dropped_attributes.values.push(dropped);
            self.attributes.begin(rep, max_def);
            let mut attributes = 0;
            let mut all = source.link(index);
            while let Some(attribute) = all.next() {
                attributes += self.attributes.push(attribute, || all.other(), pool);
            }
            self.attributes.end();
            let ids = link.trace_id().len() + link.span_id().len();
            cost += self.estimate.link(ids, attributes);
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
        let bytes = self.trace_id.values.bytes() + self.span_id.values.bytes();
        if self.levels.len() < PAGE_SLOTS && bytes < PAGE_BYTES {
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
        self.trace_id.end_page(levels, end).await?;
        self.span_id.end_page(levels, end).await?;
        self.trace_state.end_page(levels, end).await?;
        self.dropped_attributes.end_page(levels, end).await?;
        self.levels.clear();
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        out.push(self.trace_id.take(end).await?);
        out.push(self.span_id.take(end).await?);
        out.push(self.trace_state.take(end).await?);
        out.push(self.dropped_attributes.take(end).await?);
        self.attributes.take(end, out).await
    }
}
