//! Attribute values as cells.

use vivace_model::{AttributesView, ListView, Owner, ValueType, ValueView, View};

use super::text::id_of;
use crate::cells::{CellKind, array_bits};
use crate::column::Level;

/// Who owns attributes of a level; None for traces, which have none.
pub(super) fn owner_of(level: Level) -> Option<Owner> {
    Some(match level {
        Level::Trace => return None,
        Level::Resource => Owner::Resource,
        Level::Scope => Owner::Scope,
        Level::Span => Owner::Span,
        Level::Event => Owner::Event,
        Level::Link => Owner::Link,
    })
}

/// Makes cells of the values of one kind of owner.
pub(super) struct Values<'v> {
    view: &'v View<'v>,
    kind: Owner,
    pub(super) elements: Vec<u64>,
    /// The owner whose list was found last: attributes from some place on, and that place.
    rest: Option<(usize, usize, AttributesView<'v>)>,
}

/// Where an attribute lies: its owner, the owner's first place, and its own.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) owner: usize,
    pub(super) first: usize,
    pub(super) at: usize,
}

impl<'v> Values<'v> {
    pub(super) fn new(view: &'v View<'v>, kind: Owner) -> Self {
        Self {
            view,
            kind,
            elements: Vec::new(),
            rest: None,
        }
    }

    /// Kind and bits of a value; nil for values that queries don't know. `key` and `bits` are those of the columns at `place`.
    #[inline]
    pub(super) fn cell(&mut self, key: u32, bits: u64, place: Place) -> (CellKind, u64) {
        match ValueType::from_code(key & 15) {
            Some(ValueType::String) => (CellKind::String, bits),
            Some(ValueType::Int) => (CellKind::Int, bits),
            Some(ValueType::Double) => (CellKind::Float, bits),
            Some(ValueType::Bool) => (CellKind::Bool, bits),
            Some(ValueType::Array) => self.array(place),
            _ => (CellKind::Nil, 0),
        }
    }

    fn array(&mut self, place: Place) -> (CellKind, u64) {
        let start = self.elements.len();
        let found = match self.find(place) {
            ValueView::Array(list) => self.push_all(list),
            _ => None,
        };
        match found {
            Some(kind) => (kind, array_bits(start, self.elements.len() - start)),
            None => {
                self.elements.truncate(start);
                (CellKind::Nil, 0)
            }
        }
    }

    /// None: elements differ in type, or have one that queries don't know.
    fn push_all(&mut self, list: ListView<'v>) -> Option<CellKind> {
        let mut kind = None;
        for element in list {
            let (of_this, bits) = match element {
                ValueView::String(text) => (CellKind::StringArray, id_of(self.view, text).into()),
                ValueView::Int(value) => (CellKind::IntArray, value.cast_unsigned()),
                ValueView::Double(value) => (CellKind::FloatArray, value.to_bits()),
                ValueView::Bool(value) => (CellKind::BoolArray, value.into()),
                _ => return None,
            };
            if *kind.get_or_insert(of_this) != of_this {
                return None;
            }
            self.elements.push(bits);
        }
        Some(kind.unwrap_or(CellKind::StringArray))
    }

    /// The value at a place; quick when it lies behind the one that was asked for before.
    fn find(&mut self, place: Place) -> ValueView<'v> {
        let (mut passed, mut rest) = match self.rest.take() {
            Some((owner, passed, rest)) if owner == place.owner && passed <= place.at => {
                (passed, rest)
            }
            _ => (place.first, self.attributes(place.owner)),
        };
        while passed < place.at {
            rest.next_ids();
            passed += 1;
        }
        let value = rest.next_ids();
        self.rest = Some((place.owner, place.at + 1, rest));
        value.map_or(ValueView::Empty, |(_, value)| value)
    }

    fn attributes(&self, owner: usize) -> AttributesView<'v> {
        let view = self.view;
        match self.kind {
            Owner::Resource => view.resource(owner).attributes(),
            Owner::Scope => view.scope(owner).attributes(),
            Owner::Span => view.span(owner).attributes(),
            Owner::Event => view.event(owner).attributes(),
            Owner::Link => view.link(owner).attributes(),
        }
    }
}
