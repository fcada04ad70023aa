//! Generic attributes of one kind of owner.

use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column, Schema};
use vivace_model::{ListView, ValueView};

use super::estimate::{ATTRIBUTE, ELEMENT};
use crate::EncodeError;
use crate::column::{
    Booleans, ByteArrays, Doubles, Finished, Integers, Leaf, Levels, PageEnd, Presence, Shape,
    Texts, Values as _,
};
use crate::limits::{PAGE_BYTES, PAGE_SLOTS};
use crate::pool::{Pool, Text};
use crate::trace::{Scalar, push_value};

const NOTHING: Shape = 0;
const TEXT: Shape = 1;
const INT: Shape = 2;
const DOUBLE: Shape = 3;
const BOOL: Shape = 4;
const UNSUPPORTED: Shape = 5;

pub(crate) struct Attributes {
    levels: Levels,
    key: Leaf<Texts>,
    is_array: Leaf<Booleans>,
    presence: Presence,
    text: Leaf<Texts>,
    int: Leaf<Integers>,
    double: Leaf<Doubles>,
    bool: Leaf<Booleans>,
    unsupported: Leaf<ByteArrays>,
    json: String,
    rows: u32,
    /// Levels of the next attribute if it is its owner's first, and of the slot that stands for none.
    first_rep: u8,
    absent_def: u8,
    any: bool,
}

impl Attributes {
    pub(crate) fn new(schema: &Schema, owner: AttributeOwner) -> Option<Self> {
        let find = |leaf| schema.find(Column::Attribute(owner, leaf));
        let (key, leaf) = find(AttributeLeaf::Key)?;
        let position = |leaf| find(leaf).map(|(position, _)| position);
        Some(Self {
            levels: Levels::new(leaf.max_rep, leaf.max_def),
            key: Leaf::new(key, Texts::new()),
            is_array: Leaf::new(position(AttributeLeaf::IsArray)?, Booleans::new()),
            presence: Presence::default(),
            text: Leaf::new(position(AttributeLeaf::String)?, Texts::new()),
            int: Leaf::new(position(AttributeLeaf::Int)?, Integers::new()),
            double: Leaf::new(position(AttributeLeaf::Double)?, Doubles::new()),
            bool: Leaf::new(position(AttributeLeaf::Bool)?, Booleans::new()),
            unsupported: Leaf::new(position(AttributeLeaf::Unsupported)?, ByteArrays::new()),
            json: String::new(),
            rows: 0,
            first_rep: 0,
            absent_def: 0,
            any: false,
        })
    }

    /// The next owner, whose slot has these levels.
    #[inline]
    pub(crate) fn begin(&mut self, rep: u8, def: u8) {
        (self.first_rep, self.absent_def, self.any) = (rep, def, false);
    }

    /// No more attributes of the owner.
    #[inline]
    pub(crate) fn end(&mut self) {
        if !self.any {
            self.levels.push(self.first_rep, self.absent_def);
            self.presence.push(NOTHING);
        }
    }

    /// An owner without attributes, or a slot without an owner.
    #[inline]
    pub(crate) fn push_none(&mut self, rep: u8, def: u8) {
        self.levels.push(rep, def);
        self.presence.push(NOTHING);
    }

    /// An attribute of the owner; `other` gives the value that is no scalar. Returns its estimated bytes.
    #[inline]
    pub(crate) fn push<'b>(
        &mut self,
        (key, scalar): (Text, Scalar),
        other: impl FnOnce() -> ValueView<'b>,
        pool: &Pool<'_>,
    ) -> u64 {
        let rep = if self.any {
            self.levels.max_rep
        } else {
            self.any = true;
            self.first_rep
        };
        self.levels.push(rep, self.levels.max_def);
        self.key.values.push(key);
        let shape = match scalar {
            Scalar::Text(text) => {
                self.text.values.push_of(text, key);
                TEXT
            }
            Scalar::Int(value) => {
                self.int.values.push(value);
                INT
            }
            Scalar::Double(bits) => {
                self.double.values.push(f64::from_bits(bits));
                DOUBLE
            }
            Scalar::Bool(value) => {
                self.bool.values.push(value);
                BOOL
            }
            Scalar::Other => return self.push_other(key, &other(), pool),
        };
        self.is_array.values.push(false);
        self.presence.push(shape);
        ATTRIBUTE
    }

    #[cold]
    fn push_other(&mut self, key: Text, value: &ValueView<'_>, pool: &Pool<'_>) -> u64 {
        let shape = match value {
            ValueView::Array(list) => array_shape(list.clone()),
            _ => UNSUPPORTED,
        };
        self.is_array.values.push(shape != UNSUPPORTED);
        self.presence.push(shape);
        if shape == UNSUPPORTED {
            self.json.clear();
            push_value(&mut self.json, value.clone());
            self.unsupported.values.push(self.json.as_bytes());
            return ATTRIBUTE;
        }
        let ValueView::Array(list) = value else {
            return ATTRIBUTE;
        };
        let more = list.len().saturating_sub(1);
        if more > 0 {
            self.presence.more(more);
        }
        for element in list.clone() {
            match element {
                ValueView::String(text) => self.text.values.push_of(pool.find(text), key),
                ValueView::Int(value) => self.int.values.push(value),
                ValueView::Double(value) => self.double.values.push(value),
                ValueView::Bool(value) => self.bool.values.push(value),
                _ => {}
            }
        }
        ATTRIBUTE + ELEMENT * more as u64
    }

    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.rows += 1;
        let slots = self.levels.len() + self.presence.extra();
        if slots < PAGE_SLOTS && self.unsupported.values.bytes() < PAGE_BYTES {
            return Ok(());
        }
        self.end_page(end).await
    }

    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        if self.rows == 0 {
            return Ok(());
        }
        end.rows = self.rows;
        let (levels, presence) = (&mut self.levels, &self.presence);
        self.key.end_page(levels, end).await?;
        self.is_array.end_page(levels, end).await?;
        let below = |shape| presence.below(shape, true);
        self.text.end_page_below(levels, below(TEXT), end).await?;
        self.int.end_page_below(levels, below(INT), end).await?;
        self.double
            .end_page_below(levels, below(DOUBLE), end)
            .await?;
        self.bool.end_page_below(levels, below(BOOL), end).await?;
        let unsupported = presence.below(UNSUPPORTED, false);
        self.unsupported
            .end_page_below(levels, unsupported, end)
            .await?;
        self.levels.clear();
        self.presence.clear();
        self.rows = 0;
        Ok(())
    }

    /// Takes the chunks; the last page must be ended.
    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        out.push(self.key.take(end).await?);
        out.push(self.is_array.take(end).await?);
        out.push(self.text.take(end).await?);
        out.push(self.int.take(end).await?);
        out.push(self.double.take(end).await?);
        out.push(self.bool.take(end).await?);
        out.push(self.unsupported.take(end).await?);
        Ok(())
    }
}

/// The leaf that takes all elements, if there is one.
fn array_shape(mut list: ListView<'_>) -> Shape {
    let shape = |value: ValueView<'_>| match value {
        ValueView::String(_) => TEXT,
        ValueView::Int(_) => INT,
        ValueView::Double(_) => DOUBLE,
        ValueView::Bool(_) => BOOL,
        _ => UNSUPPORTED,
    };
    let Some(first) = list.next().map(shape) else {
        return NOTHING;
    };
    if list.all(|value| shape(value) == first) {
        first
    } else {
        UNSUPPORTED
    }
}
