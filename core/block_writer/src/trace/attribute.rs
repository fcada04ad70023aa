//! Attributes with their texts as numbers of the pool.

use std::ops::Range;

use vivace_model::{AttributesView, Column, OwnedAttributes, ValueType, ValueView, View};

use super::source::Source;
use crate::pool::{Numbers, Text};

/// A value as far as it fits 64 bits. Doubles are kept as bits, so that equal ones are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    Text(Text),
    Int(i64),
    Double(u64),
    Bool(bool),
    /// A list, bytes or no value: to be asked for.
    Other,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute<'b> {
    pub(crate) key: Text,
    pub(crate) scalar: Scalar,
    /// The value that is no scalar; empty for those that are.
    pub(crate) other: ValueView<'b>,
}

/// The attributes of one owner, in the order in which they came.
pub(crate) struct Attributes<'s, 'b> {
    numbers: &'s Numbers,
    keys: Column<'b, u32>,
    values: Column<'b, u64>,
    range: Range<usize>,
    others: Others<'b>,
}

/// Finds values that are no scalars.
struct Others<'b> {
    view: &'b View<'b>,
    owner: usize,
    attributes: fn(&'b View<'b>, usize) -> AttributesView<'b>,
    first: usize,
    /// Made when the first one is asked for: attributes from some place on, and that place.
    rest: Option<(AttributesView<'b>, usize)>,
}

impl<'s, 'b> Attributes<'s, 'b> {
    #[inline]
    pub(crate) fn new(
        source: &'s Source<'b>,
        columns: &OwnedAttributes<'b>,
        owner: usize,
        attributes: fn(&'b View<'b>, usize) -> AttributesView<'b>,
    ) -> Self {
        let start = |owner| columns.starts().get(owner) as usize;
        let range = start(owner)..start(owner + 1);
        Self {
            numbers: &source.numbers,
            keys: columns.keys(),
            values: columns.values(),
            others: Others {
                view: source.view,
                owner,
                attributes,
                first: range.start,
                rest: None,
            },
            range,
        }
    }

    /// The next attribute.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(Text, Scalar)> {
        let at = self.range.next()?;
        let (key, bits) = (self.keys.get(at), self.values.get(at));
        let scalar = match ValueType::from_code(key & 15) {
            Some(ValueType::String) => Scalar::Text(self.numbers.get(bits as u32)),
            Some(ValueType::Int) => Scalar::Int(bits.cast_signed()),
            Some(ValueType::Double) => Scalar::Double(bits),
            Some(ValueType::Bool) => Scalar::Bool(bits != 0),
            _ => Scalar::Other,
        };
        Some((self.numbers.get(key >> 4), scalar))
    }

    /// The value of the attribute that `next` returned last.
    #[cold]
    pub(crate) fn other(&mut self) -> ValueView<'b> {
        self.others.find(self.range.start - 1)
    }

    /// All of them.
    pub(crate) fn collect(mut self) -> Vec<Attribute<'b>> {
        let mut all = Vec::with_capacity(self.range.len());
        while let Some((key, scalar)) = self.next() {
            let other = match scalar {
                Scalar::Other => self.other(),
                _ => ValueView::Empty,
            };
            all.push(Attribute { key, scalar, other });
        }
        all
    }
}

impl<'b> Others<'b> {
    /// The value at a place not before those that were asked for already.
    fn find(&mut self, at: usize) -> ValueView<'b> {
        let (mut rest, mut passed) = match self.rest.take() {
            Some(rest) => rest,
            None => ((self.attributes)(self.view, self.owner), self.first),
        };
        while passed < at {
            rest.next_ids();
            passed += 1;
        }
        let value = rest.clone().next_ids();
        self.rest = Some((rest, passed));
        value.map_or(ValueView::Empty, |(_, value)| value)
    }
}
