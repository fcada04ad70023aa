//! A batch with what was found out about it beforehand.

use std::ops::Range;

use vivace_model::{Column, OwnedAttributes, Owner, ValueType, View};

use super::attribute::Attributes;
use crate::pool::Numbers;

pub(crate) struct Source<'b> {
    pub(crate) view: &'b View<'b>,
    pub(crate) numbers: Numbers,
    resource: OwnedAttributes<'b>,
    scope: OwnedAttributes<'b>,
    span: OwnedAttributes<'b>,
    event: OwnedAttributes<'b>,
    link: OwnedAttributes<'b>,
    event_starts: Column<'b, u32>,
    link_starts: Column<'b, u32>,
}

impl<'b> Source<'b> {
    pub(crate) fn new(view: &'b View<'b>, numbers: Numbers) -> Self {
        Self {
            view,
            numbers,
            resource: view.owned_attributes(Owner::Resource),
            scope: view.owned_attributes(Owner::Scope),
            span: view.owned_attributes(Owner::Span),
            event: view.owned_attributes(Owner::Event),
            link: view.owned_attributes(Owner::Link),
            event_starts: view.event_starts(),
            link_starts: view.link_starts(),
        }
    }

    pub(crate) fn resource(&self, index: usize) -> Attributes<'_, 'b> {
        Attributes::new(self, &self.resource, index, |view, index| {
            view.resource(index).attributes()
        })
    }

    pub(crate) fn scope(&self, index: usize) -> Attributes<'_, 'b> {
        Attributes::new(self, &self.scope, index, |view, index| {
            view.scope(index).attributes()
        })
    }

    pub(crate) fn span(&self, row: usize) -> Attributes<'_, 'b> {
        Attributes::new(self, &self.span, row, |view, row| {
            view.span(row).attributes()
        })
    }

    pub(crate) fn event(&self, index: usize) -> Attributes<'_, 'b> {
        Attributes::new(self, &self.event, index, |view, index| {
            view.event(index).attributes()
        })
    }

    pub(crate) fn link(&self, index: usize) -> Attributes<'_, 'b> {
        Attributes::new(self, &self.link, index, |view, index| {
            view.link(index).attributes()
        })
    }

    /// Asks for the attributes of spans; see `View::prefetch_spans`.
    pub(crate) fn prefetch_attributes(&self, rows: &Range<usize>) {
        self.span.prefetch(rows);
    }

    /// Asks for the numbers of the texts that are spans' values.
    pub(crate) fn prefetch_numbers(&self, rows: &Range<usize>) {
        let start = |row| self.span.starts().get(row) as usize;
        let (keys, values) = (self.span.keys(), self.span.values());
        for at in start(rows.start)..start(rows.end) {
            if ValueType::from_code(keys.get(at) & 15) == Some(ValueType::String) {
                self.numbers.prefetch(values.get(at) as u32);
            }
        }
    }

    /// Numbers of a span's events.
    #[inline]
    pub(crate) fn events(&self, row: usize) -> Range<usize> {
        range(self.event_starts, row)
    }

    /// Numbers of a span's links.
    #[inline]
    pub(crate) fn links(&self, row: usize) -> Range<usize> {
        range(self.link_starts, row)
    }
}

fn range(starts: Column<'_, u32>, row: usize) -> Range<usize> {
    starts.get(row) as usize..starts.get(row + 1) as usize
}
