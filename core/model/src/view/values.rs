//! Attributes and their values.

use super::View;
use super::column::Column;
use crate::StringId;
use crate::generated::vivace as fb;
use crate::value::{ValueType, range_of};

/// Attributes of all owners of one kind, as columns.
#[derive(Clone, Copy)]
pub struct OwnedAttributes<'a> {
    starts: Column<'a, u32>,
    keys: Column<'a, u32>,
    values: Column<'a, u64>,
}

impl<'a> OwnedAttributes<'a> {
    pub(crate) fn new(table: Option<fb::Attributes<'a>>) -> Self {
        Self {
            starts: Column::full(table.map_or(&[], |table| table.starts().bytes())),
            keys: Column::full(table.map_or(&[], |table| table.keys().bytes())),
            values: Column::full(table.map_or(&[], |table| table.values().bytes())),
        }
    }

    pub fn owner_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// First attribute of each owner, and the number of all attributes. Empty when there are no owners.
    pub fn starts(&self) -> Column<'a, u32> {
        self.starts
    }

    /// String id of the key << 4 | type code (`ValueType`): one comparison finds a key with a type.
    pub fn keys(&self) -> Column<'a, u32> {
        self.keys
    }

    /// By type: string id, 0 or 1, the bits of an i64 or f64, a range of elements, a range of bytes.
    pub fn values(&self) -> Column<'a, u64> {
        self.values
    }

    pub(crate) fn of<'v>(&self, view: &'v View<'a>, owner: usize) -> AttributesView<'v> {
        let range = self.starts.range(owner);
        AttributesView {
            view,
            keys: self.keys,
            values: self.values,
            at: range.start,
            end: range.end,
        }
    }
}

/// The attributes of one owner: keys with values, in the order in which they came, equal keys included.
#[derive(Clone)]
pub struct AttributesView<'a> {
    view: &'a View<'a>,
    keys: Column<'a, u32>,
    values: Column<'a, u64>,
    at: usize,
    end: usize,
}

impl<'a> AttributesView<'a> {
    /// The value of the first attribute with this key.
    pub fn get(&self, key: &str) -> Option<ValueView<'a>> {
        self.clone()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The same without looking up texts: key and value as ids.
    pub fn next_ids(&mut self) -> Option<(StringId, ValueView<'a>)> {
        let (key, kind, bits) = self.next_bits()?;
        Some((key, ValueView::new(self.view, kind as u32, bits)))
    }

    pub(crate) fn next_bits(&mut self) -> Option<(StringId, ValueType, u64)> {
        if self.at >= self.end {
            return None;
        }
        let (key, value) = (self.keys.get(self.at), self.values.get(self.at));
        self.at += 1;
        Some((StringId(key >> 4), ValueType::from_code(key & 15)?, value))
    }
}

impl<'a> Iterator for AttributesView<'a> {
    type Item = (&'a str, ValueView<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let view = self.view;
        self.next_ids()
            .map(|(key, value)| (view.string(key), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.end.saturating_sub(self.at);
        (len, Some(len))
    }
}

impl ExactSizeIterator for AttributesView<'_> {}

/// An attribute value.
#[derive(Clone)]
pub enum ValueView<'a> {
    /// OTLP's value without a value.
    Empty,
    String(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Array(ListView<'a>),
    KvList(AttributesView<'a>),
}

impl<'a> ValueView<'a> {
    pub(crate) fn new(view: &'a View<'a>, key: u32, bits: u64) -> Self {
        match ValueType::from_code(key & 15) {
            Some(ValueType::String) => Self::String(view.string(StringId(bits as u32))),
            Some(ValueType::Bool) => Self::Bool(bits != 0),
            Some(ValueType::Int) => Self::Int(bits.cast_signed()),
            Some(ValueType::Double) => Self::Double(f64::from_bits(bits)),
            Some(ValueType::Bytes) => Self::Bytes(view.blob(bits)),
            Some(ValueType::Array) => Self::Array(ListView {
                elements: elements(view, bits),
            }),
            Some(ValueType::KvList) => Self::KvList(elements(view, bits)),
            Some(ValueType::Empty) | None => Self::Empty,
        }
    }
}

fn elements<'a>(view: &'a View<'a>, bits: u64) -> AttributesView<'a> {
    let (at, len) = range_of(bits);
    let end = at.saturating_add(len).min(view.element_keys.len());
    AttributesView {
        view,
        keys: view.element_keys,
        values: view.element_values,
        at,
        end,
    }
}

/// The values of an array.
#[derive(Clone)]
pub struct ListView<'a> {
    elements: AttributesView<'a>,
}

impl<'a> ListView<'a> {
    pub(crate) fn into_elements(self) -> AttributesView<'a> {
        self.elements
    }
}

impl<'a> Iterator for ListView<'a> {
    type Item = ValueView<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.elements.next_ids().map(|element| element.1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.elements.size_hint()
    }
}

impl ExactSizeIterator for ListView<'_> {}

/// Two values are equal when they have the same type and hold the same; doubles by their bits, so that NaN equals
/// itself.
impl PartialEq for ValueView<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a.clone().eq(b.clone()),
            (Self::KvList(a), Self::KvList(b)) => a.clone().eq(b.clone()),
            _ => false,
        }
    }
}

impl std::fmt::Debug for ValueView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Bytes(value) => write!(f, "{value:02x?}"),
            Self::Array(list) => f.debug_list().entries(list.clone()).finish(),
            Self::KvList(list) => f.debug_map().entries(list.clone()).finish(),
        }
    }
}
