//! Leaves of single attributes: dedicated columns and, in version 4, well-known attributes.

use vivace_block::dedicated::{Assigned, Kind, Scope};
use vivace_block::schema::{Column, Physical, Repetition, Schema};
use vivace_block::{Format, WellKnown};
use vivace_model::{ListView, ValueView};

use crate::EncodeError;
use crate::column::{
    ByteArrays, Finished, Integers, Leaf, Levels, PageEnd, Presence, Texts, Values as _,
};
use crate::pool::{Pool, Text};
use crate::trace::Scalar;

/// In a leaf of its own a value is there or not.
const THERE: u8 = 1;
const ABSENT: u8 = 0;

/// All leaves of single attributes that one kind of owner has.
pub(crate) struct Slots<'b> {
    slots: Vec<Slot<'b>>,
    /// By number of the key, which are the lowest of the pool: slot + 1, or 0.
    by_key: Vec<u8>,
}

struct Slot<'b> {
    leaf: SlotLeaf,
    presence: Presence,
    /// Version 5 keeps arrays.
    repeated: bool,
    pending: Pending<'b>,
}

enum SlotLeaf {
    Text(Leaf<Texts>),
    Blob(Leaf<ByteArrays>),
    Int(Leaf<Integers>),
}

/// The value of the current owner: of several with one key the last.
enum Pending<'b> {
    Nothing,
    Text(Text),
    Int(i64),
    Array(ListView<'b>),
}

/// The name of each attribute with a leaf of its own, with its column. `service.name` is not among them: its leaf is
/// required.
pub(crate) fn columns_of(
    format: Format,
    assigned: &[Assigned],
    scope: Scope,
) -> Vec<(String, Column)> {
    let dedicated = assigned
        .iter()
        .filter(|one| one.slot.scope == scope)
        .map(|one| (one.name.clone(), Column::Dedicated(one.slot)));
    let known: &[WellKnown] = match (format, scope) {
        (Format::VParquet4, Scope::Resource) => &WellKnown::OF_RESOURCE,
        (Format::VParquet4, Scope::Span) => &WellKnown::OF_SPAN,
        _ => &[],
    };
    known
        .iter()
        .filter(|known| **known != WellKnown::ServiceName)
        .map(|known| (known.attribute().to_owned(), Column::WellKnown(*known)))
        .chain(dedicated)
        .collect()
}

impl<'b> Slots<'b> {
    /// `columns` as `columns_of` has them; the pool knows the names.
    /// Leaves of the schema that no attribute is assigned to are made too: version 4 always has them all.
    pub(crate) fn new(
        schema: &Schema,
        columns: &[(String, Column)],
        scope: Scope,
        pool: &Pool<'_>,
    ) -> Self {
        let mut slots = Self {
            slots: Vec::new(),
            by_key: Vec::new(),
        };
        for (position, leaf) in schema.leaves.iter().enumerate() {
            let of_scope = match leaf.column {
                Column::Dedicated(slot) => slot.scope == scope,
                Column::WellKnown(known) => {
                    known != WellKnown::ServiceName
                        && WellKnown::find(scope, known.attribute()) == Some(known)
                }
                _ => false,
            };
            if !of_scope {
                continue;
            }
            slots.slots.push(Slot {
                leaf: match (leaf.physical, leaf.unbounded) {
                    (Physical::ByteArray, false) => {
                        SlotLeaf::Text(Leaf::new(position, Texts::new()))
                    }
                    (Physical::ByteArray, true) => {
                        SlotLeaf::Blob(Leaf::new(position, ByteArrays::unbounded()))
                    }
                    _ => SlotLeaf::Int(Leaf::new(position, Integers::new())),
                },
                presence: Presence::default(),
                repeated: leaf.repetition == Repetition::Repeated,
                pending: Pending::Nothing,
            });
            let number = slots.slots.len() as u8;
            for (name, _) in columns.iter().filter(|(_, column)| *column == leaf.column) {
                let key = pool.find(name).0 as usize;
                if slots.by_key.len() <= key {
                    slots.by_key.resize(key + 1, 0);
                }
                // Of two columns with one name the first is taken.
                if slots.by_key[key] == 0 {
                    slots.by_key[key] = number;
                }
            }
        }
        slots
    }

    /// Takes the attribute if it has a leaf of its own, and the value fits.
    #[inline]
    pub(crate) fn take_attribute(
        &mut self,
        (key, scalar): (Text, Scalar),
        other: impl FnOnce() -> ValueView<'b>,
    ) -> bool {
        match self.by_key.get(key.0 as usize) {
            None | Some(0) => false,
            Some(number) => self.slots[usize::from(*number) - 1].offer(scalar, other),
        }
    }

    /// The owner has no more attributes.
    #[inline]
    pub(crate) fn end_owner(&mut self, pool: &Pool<'_>) {
        for slot in &mut self.slots {
            slot.end_owner(pool);
        }
    }

    /// A slot without an owner.
    #[inline]
    pub(crate) fn push_none(&mut self) {
        for slot in &mut self.slots {
            slot.presence.push(ABSENT);
        }
    }

    /// Bytes of texts without a dictionary.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |slot: &Slot<'_>| match &slot.leaf {
            SlotLeaf::Blob(leaf) => leaf.values.bytes(),
            _ => 0,
        };
        self.slots.iter().map(bytes).sum()
    }

    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        levels: &mut Levels,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        for slot in &mut self.slots {
            let below = slot.presence.below(THERE, slot.repeated);
            match &mut slot.leaf {
                SlotLeaf::Text(leaf) => leaf.end_page_below(levels, below, end).await?,
                SlotLeaf::Blob(leaf) => leaf.end_page_below(levels, below, end).await?,
                SlotLeaf::Int(leaf) => leaf.end_page_below(levels, below, end).await?,
            }
            slot.presence.clear();
        }
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        for slot in &mut self.slots {
            out.push(match &mut slot.leaf {
                SlotLeaf::Text(leaf) => leaf.take(end).await?,
                SlotLeaf::Blob(leaf) => leaf.take(end).await?,
                SlotLeaf::Int(leaf) => leaf.take(end).await?,
            });
        }
        Ok(())
    }
}

impl<'b> Slot<'b> {
    fn kind(&self) -> Kind {
        match self.leaf {
            SlotLeaf::Int(_) => Kind::Int,
            _ => Kind::String,
        }
    }

    #[inline]
    fn offer(&mut self, scalar: Scalar, other: impl FnOnce() -> ValueView<'b>) -> bool {
        let kind = self.kind();
        self.pending = match (scalar, kind) {
            (Scalar::Text(text), Kind::String) => Pending::Text(text),
            (Scalar::Int(number), Kind::Int) => Pending::Int(number),
            (Scalar::Other, _) if self.repeated => match other() {
                // An array without elements would be no value here; the generic list keeps it.
                ValueView::Array(list) if list.len() > 0 && is_of(list.clone(), kind) => {
                    Pending::Array(list)
                }
                _ => return false,
            },
            _ => return false,
        };
        true
    }

    #[inline]
    fn end_owner(&mut self, pool: &Pool<'_>) {
        if matches!(self.pending, Pending::Nothing) {
            self.presence.push(ABSENT);
            return;
        }
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Text(text) => {
                self.presence.push(THERE);
                self.push_text(text, pool);
            }
            Pending::Int(number) => {
                self.presence.push(THERE);
                self.push_int(number);
            }
            Pending::Array(list) => {
                self.presence.push(THERE);
                if list.len() > 1 {
                    self.presence.more(list.len() - 1);
                }
                for element in list {
                    match element {
                        ValueView::String(text) => self.push_text(pool.find(text), pool),
                        ValueView::Int(number) => self.push_int(number),
                        _ => {}
                    }
                }
            }
        }
    }

    fn push_text(&mut self, text: Text, pool: &Pool<'_>) {
        match &mut self.leaf {
            SlotLeaf::Text(leaf) => leaf.values.push(text),
            SlotLeaf::Blob(leaf) => leaf.values.push(pool.text(text).as_bytes()),
            SlotLeaf::Int(_) => {}
        }
    }

    fn push_int(&mut self, number: i64) {
        if let SlotLeaf::Int(leaf) = &mut self.leaf {
            leaf.values.push(number);
        }
    }
}

fn is_of(mut list: ListView<'_>, kind: Kind) -> bool {
    match kind {
        Kind::String => list.all(|value| matches!(value, ValueView::String(_))),
        Kind::Int => list.all(|value| matches!(value, ValueView::Int(_))),
    }
}
