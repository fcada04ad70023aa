//! Finds the cell of a field for spans that come in ascending order.

use vivace_columns::{
    CellKind, Cells, Chunk, Column, FieldReader, Level, Members, Selection, Shape,
};
use vivace_traceql::{Field, Static};

use crate::observe::ObserveError;

/// A span and its trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) span: u32,
    pub(crate) trace: u32,
}

/// Like `FieldReader`, but walks along sparse columns instead of searching them for each span.
pub(crate) struct FieldCursor<'c> {
    pub(crate) columns: Vec<ColumnCursor<'c>>,
    shape: &'c Shape,
    events: Option<&'c Members>,
    links: Option<&'c Members>,
    /// Of spans without an event or link.
    pub(crate) without: Option<Static>,
}

pub(crate) struct ColumnCursor<'c> {
    pub(crate) cells: &'c Cells,
    /// The stored cell that the last search came to.
    next: usize,
}

impl<'c> FieldCursor<'c> {
    /// The columns of the field, and events or links if it is one of theirs, must be loaded.
    pub(crate) fn new<C: Chunk>(chunk: &'c C, field: &Field) -> Result<Self, ObserveError> {
        let mut columns = Vec::new();
        for column in Column::of_field(field) {
            match column.level() {
                Level::Event if chunk.events().is_none() => return Err(ObserveError::NoEvents),
                Level::Link if chunk.links().is_none() => return Err(ObserveError::NoLinks),
                _ => {}
            }
            let Some(cells) = chunk.cells(&column) else {
                return Err(ObserveError::NotLoaded { column });
            };
            columns.push(ColumnCursor { cells, next: 0 });
        }
        let reader = FieldReader::new(chunk, field, chunk.events(), chunk.links());
        Ok(Self {
            columns,
            shape: chunk.shape(),
            events: chunk.events(),
            links: chunk.links(),
            without: reader.without_member().cloned(),
        })
    }

    /// The stored cell of a column for a span, and its owner. Of events and links as `FieldReader` has it: of the one that met the
    /// conditions, else of the first that has a value.
    #[inline]
    pub(crate) fn cell(
        &mut self,
        column: usize,
        at: Place,
        selection: &Selection,
    ) -> Option<usize> {
        let span = at.span as usize;
        let cursor = self.columns.get_mut(column)?;
        let owner = match cursor.cells.level {
            Level::Span => at.span,
            Level::Trace => at.trace,
            Level::Resource => *self.shape.resource_of_span.get(span)?,
            Level::Scope => *self.shape.scope_of_span.get(span)?,
            Level::Event => {
                let chosen = selection.event_of_span.get(&at.span);
                return cursor.cell_of_members(chosen, self.events?, at.span);
            }
            Level::Link => {
                let chosen = selection.link_of_span.get(&at.span);
                return cursor.cell_of_members(chosen, self.links?, at.span);
            }
        };
        cursor.cell(owner)
    }

    /// The owner in a level that many spans share.
    #[inline]
    pub(crate) fn shared_owner(&self, level: Level, at: Place) -> Option<u32> {
        let span = at.span as usize;
        match level {
            Level::Trace => Some(at.trace),
            Level::Resource => self.shape.resource_of_span.get(span).copied(),
            Level::Scope => self.shape.scope_of_span.get(span).copied(),
            Level::Span | Level::Event | Level::Link => None,
        }
    }

    /// The first column's value that is not nil, with its kind.
    #[inline]
    pub(crate) fn find(&mut self, at: Place, selection: &Selection) -> Option<(CellKind, u64)> {
        for column in 0..self.columns.len() {
            if let Some(cell) = self.cell(column, at, selection) {
                let cells = self.columns[column].cells;
                return Some((cells.kind(cell), cells.bits.get(cell).copied()?));
            }
        }
        None
    }
}

impl ColumnCursor<'_> {
    fn cell_of_members(
        &mut self,
        chosen: Option<&u32>,
        members: &Members,
        span: u32,
    ) -> Option<usize> {
        let mut owners = chosen.copied().into_iter().chain(members.of_span(span));
        owners.find_map(|owner| self.cell(owner))
    }

    /// The stored cell of an owner, if it is not nil.
    #[inline]
    pub(crate) fn cell(&mut self, owner: u32) -> Option<usize> {
        let cell = match &self.cells.at {
            None => (owner as usize) < self.cells.len(),
            Some(at) => {
                if self.next > 0 && at.get(self.next - 1).is_some_and(|&last| last >= owner) {
                    self.next = at.partition_point(|&other| other < owner);
                }
                while at.get(self.next).is_some_and(|&other| other < owner) {
                    self.next += 1;
                }
                at.get(self.next) == Some(&owner)
            }
        };
        let number = match &self.cells.at {
            None => owner as usize,
            Some(_) => self.next,
        };
        let is_value = cell && self.cells.kind(number) != CellKind::Nil;
        is_value.then_some(number)
    }
}
