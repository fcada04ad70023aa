//! Resources.

use vivace_block::WellKnown;
use vivace_block::schema::{AttributeOwner, Column, Schema};

use super::attributes::Attributes;
use super::estimate::Estimate;
use super::slots::Slots;
use crate::EncodeError;
use crate::column::{Finished, Layout, Leaf, Levels, Numbers, PageEnd, Texts};
use crate::limits::{PAGE_BYTES, PAGE_SLOTS};
use crate::pool::{Pool, Text};
use crate::trace::{Resource, Scalar};

pub(crate) struct Resources<'b> {
    levels: Levels,
    service_name: Leaf<Texts>,
    attributes: Attributes,
    dropped_attributes: Leaf<Numbers<i32>>,
    slots: Slots<'b>,
    rows: u32,
    /// The key `service.name`.
    service_name_key: Text,
    estimate: Estimate,
}

impl<'b> Resources<'b> {
    pub(crate) fn new(
        schema: &Schema,
        slots: Slots<'b>,
        service_name_key: Text,
        estimate: Estimate,
    ) -> Option<Self> {
        let service_name = Column::WellKnown(WellKnown::ServiceName);
        let (service_name, leaf) = schema.find(service_name)?;
        let (dropped, _) = schema.find(Column::ResourceDroppedAttributes)?;
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            service_name: Leaf::new(service_name, Texts::new()),
            attributes: Attributes::new(schema, AttributeOwner::Resource)?,
            dropped_attributes: Leaf::new(dropped, Numbers::new(Layout::Plain)),
            slots,
            rows: 0,
            service_name_key,
            estimate,
        })
    }

    /// A resource. Returns its estimated bytes and the service name that stands in its leaf.
    pub(crate) fn push(
        &mut self,
        resource: &Resource<'b>,
        rep: u8,
        pool: &Pool<'_>,
    ) -> (u64, Text) {
        let max_def = self.levels.max_def;
        self.levels.push(rep, max_def);
        let dropped = resource.dropped_attributes.cast_signed();
        self.dropped_attributes.values.push(dropped);
        self.attributes.begin(rep, max_def);
        let (mut cost, mut service_name) = (0, Text::EMPTY);
        for one in &resource.attributes {
            let attribute = (one.key, one.scalar);
            let other = || one.other.clone();
            match one.scalar {
                Scalar::Text(name) if one.key == self.service_name_key => service_name = name,
                _ if self.slots.take_attribute(attribute, other) => {}
                _ => cost += self.attributes.push(attribute, other, pool),
            }
        }
        self.attributes.end();
        self.slots.end_owner(pool);
        self.service_name.values.push(service_name);
        (self.estimate.resource(cost), service_name)
    }

    /// Repetition level of a resource that is not its row's first.
    pub(crate) fn max_rep(&self) -> u8 {
        self.levels.max_rep
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
        self.service_name.end_page(levels, end).await?;
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
        out.push(self.service_name.take(end).await?);
        out.push(self.dropped_attributes.take(end).await?);
        self.attributes.take(end, out).await?;
        self.slots.take(end, out).await
    }
}
