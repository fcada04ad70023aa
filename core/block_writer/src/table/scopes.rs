//! Instrumentation scopes.

use vivace_block::schema::{AttributeOwner, Column, Schema};

use super::attributes::Attributes;
use super::estimate::Estimate;
use crate::EncodeError;
use crate::column::{Finished, Layout, Leaf, Levels, Numbers, PageEnd, Texts};
use crate::limits::PAGE_SLOTS;
use crate::pool::Pool;
use crate::trace::Scope;

pub(crate) struct Scopes {
    levels: Levels,
    name: Leaf<Texts>,
    version: Leaf<Texts>,
    attributes: Attributes,
    dropped_attributes: Leaf<Numbers<i32>>,
    /// Version 5.
    span_count: Option<Leaf<Numbers<i32>>>,
    rows: u32,
    estimate: Estimate,
}

impl Scopes {
    pub(crate) fn new(schema: &Schema, estimate: Estimate) -> Option<Self> {
        let (name, leaf) = schema.find(Column::ScopeName)?;
        let position = |column| schema.find(column).map(|(position, _)| position);
        let number = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Plain)));
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            name: Leaf::new(name, Texts::new()),
            version: Leaf::new(position(Column::ScopeVersion)?, Texts::new()),
            attributes: Attributes::new(schema, AttributeOwner::Scope)?,
            dropped_attributes: number(Column::ScopeDroppedAttributes)?,
            span_count: position(Column::ScopeSpanCount)
                .map(|at| Leaf::new(at, Numbers::new(Layout::Split))),
            rows: 0,
            estimate,
        })
    }

    /// A scope with `spans` spans, `alone` or one of several of its resource. Returns its estimated bytes.
    pub(crate) fn push(
        &mut self,
        scope: &Scope<'_>,
        spans: u32,
        alone: bool,
        rep: u8,
        pool: &Pool<'_>,
    ) -> u64 {
        let max_def = self.levels.max_def;
        self.levels.push(rep, max_def);
        self.name.values.push(scope.name);
        self.version.values.push(scope.version);
        let dropped = scope.dropped_attributes.cast_signed();
        self.dropped_attributes.values.push(dropped);
        if let Some(span_count) = &mut self.span_count {
            span_count.values.push(spans.cast_signed());
        }
        self.attributes.begin(rep, max_def);
        let attributes = if alone {
            &scope.unsorted
        } else {
            &scope.sorted
        };
        let mut cost = 0;
        for one in attributes {
            let attribute = (one.key, one.scalar);
            cost += self.attributes.push(attribute, || one.other.clone(), pool);
        }
        self.attributes.end();
        self.estimate.scope(cost)
    }

    /// Repetition level of a scope that is not its resource's first.
    pub(crate) fn max_rep(&self) -> u8 {
        self.levels.max_rep
    }

    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.attributes.end_row(end).await?;
        self.rows += 1;
        if self.levels.len() < PAGE_SLOTS {
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
        self.name.end_page(levels, end).await?;
        self.version.end_page(levels, end).await?;
        self.dropped_attributes.end_page(levels, end).await?;
        if let Some(span_count) = &mut self.span_count {
            span_count.end_page(levels, end).await?;
        }
        self.levels.clear();
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        out.push(self.name.take(end).await?);
        out.push(self.version.take(end).await?);
        out.push(self.dropped_attributes.take(end).await?);
        if let Some(span_count) = &mut self.span_count {
            out.push(span_count.take(end).await?);
        }
        self.attributes.take(end, out).await
    }
}
