//! Attributes with their texts as numbers of the pool.

use std::ops::Range;

use vivace_model::{AttributesView, Column, OwnedAttributes, ValueType, ValueView, View};

use super::source::Source;
use crate::pool::{Numbers, Text};

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute<'b> {
    pub(crate) key: Text,
    pub(crate) value: Value<'b>,
}

/// A value. Doubles are kept as bits, so that equal ones are equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'b> {
    Text(Text),
    Int(i64),
    Double(u64),
    Bool(bool),
    /// Lists, bytes and no value.
    Other(ValueView<'b>),
}

/// The attributes of one owner, in the order in which they came.
pub(crate) struct Attributes<'s, 'b> {
    numbers: &'s Numbers,
    keys: Column<'b, u32>,
    values: Column<'b, u64>,
    range: Range<usize>,
    others: Others<'b>,
}

/// Finds values that are more than 64 bits, made when the first one is met.
struct Others<'b> {
    view: &'b View<'b>,
    owner: usize,
    attributes: fn(&'b View<'b>, usize) -> AttributesView<'b>,
    first: usize,
    /// Attributes that were not passed yet.
    rest: Option<(AttributesView<'b>, usize)>,
}

impl<'s, 'b> Attributes<'s, 'b> {
    pub(crate) fn new(
        source: &'s Source<'b>,
        columns: OwnedAttributes<'b>,
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
}

impl<'b> Iterator for Attributes<'_, 'b> {
    type Item = Attribute<'b>;

    #[inline]
    fn next(&mut self) -> Option<Attribute<'b>> {
        let at = self.range.next()?;
        let (key, bits) = (self.keys.get(at), self.values.get(at));
        let value = match ValueType::from_code(key & 15) {
            Some(ValueType::String) => Value::Text(self.numbers.get(bits as u32)),
            Some(ValueType::Int) => Value::Int(bits.cast_signed()),
            Some(ValueType::Double) => Value::Double(bits),
            Some(ValueType::Bool) => Value::Bool(bits != 0),
            _ => Value::Other(self.others.find(at)),
        };
        let key = self.numbers.get(key >> 4);
        Some(Attribute { key, value })
    }
}

impl<'b> Others<'b> {
    /// The value at a place behind all that were asked for before.
    #[cold]
    fn find(&mut self, at: usize) -> ValueView<'b> {
        let (mut rest, passed) = match self.rest.take() {
            Some(rest) => rest,
            None => ((self.attributes)(self.view, self.owner), self.first),
        };
        let mut value = None;
        for _ in passed..=at {
            value = rest.next_ids();
        }
        self.rest = Some((rest, at + 1));
        value.map_or(ValueView::Empty, |(_, value)| value)
    }
}
