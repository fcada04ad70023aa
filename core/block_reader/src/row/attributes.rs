//! Attributes of one owner.

use vivace_block::schema::AttributeOwner;
use vivace_model::{Owner, StringId, Value};

use super::assemble::Assembler;
use super::places::{AttributePlaces, Group, Named, owner_index};
use super::{json, protobuf};
use crate::error::{Corrupt, Malformed};

/// Values of one attribute in the leaf of one type.
#[derive(Clone, Copy)]
struct Elements {
    leaf: usize,
    first: usize,
    count: usize,
}

pub(super) fn model_owner(owner: AttributeOwner) -> Owner {
    match owner {
        AttributeOwner::Resource => Owner::Resource,
        AttributeOwner::Scope => Owner::Scope,
        AttributeOwner::Span => Owner::Span,
        AttributeOwner::Event => Owner::Event,
        AttributeOwner::Link => Owner::Link,
    }
}

/// An array from at most `MAX_VALUE_DEPTH` deep elements that are no lists: it is never too deep.
fn flat_array(assembler: &mut Assembler<'_>, values: Elements) -> Result<Value, Corrupt> {
    let mark = assembler.builder.begin_list();
    for index in values.first..values.first + values.count {
        let value = scalar(assembler, values.leaf, index)?;
        assembler.builder.element(StringId(0), value);
    }
    let array = assembler.builder.end_array(mark);
    array.map_err(|error| Malformed::new(error.to_string()).at(0))
}

fn scalar(assembler: &mut Assembler<'_>, leaf: usize, index: usize) -> Result<Value, Corrupt> {
    let cursor = assembler.cursor(leaf)?;
    let physical = cursor.physical();
    use vivace_block::schema::Physical;
    Ok(match physical {
        Physical::ByteArray => {
            let text = cursor.bytes(index)?;
            Value::string(assembler.builder.intern_lossy(text).0)
        }
        Physical::Int32 | Physical::Int64 => Value::int(cursor.int(index)?),
        Physical::Double => Value::double(cursor.double(index)?),
        Physical::Boolean => Value::bool(cursor.bool(index)?),
    })
}

impl<'a> Assembler<'a> {
    /// The generic attributes of the owner whose slots begin with `rep`.
    pub(super) fn generic_attributes(
        &mut self,
        owner: AttributeOwner,
        rep: u8,
    ) -> Result<(), Corrupt> {
        let places = self.places.attributes[owner_index(owner)];
        let level = Group::Attributes(owner).level();
        let Some(key_leaf) = places.key else {
            return Ok(());
        };
        let mut rep = rep;
        if self.cursor(key_leaf)?.def() < level {
            for leaf in places.all().into_iter().flatten() {
                self.cursor(leaf)?.slot(rep)?;
            }
            return Ok(());
        }
        loop {
            let key = self.required_text(key_leaf, rep)?;
            if let Some(value) = self.generic_value(places, rep, level)? {
                self.builder.attribute(model_owner(owner), key, value);
            }
            if self.cursor(key_leaf)?.rep() != Some(level) {
                return Ok(());
            }
            rep = level;
        }
    }

    /// None: the attribute is nothing at all.
    fn generic_value(
        &mut self,
        places: AttributePlaces,
        rep: u8,
        level: u8,
    ) -> Result<Option<Value>, Corrupt> {
        let is_array = match places.is_array {
            Some(leaf) => {
                let cursor = self.cursor(leaf)?;
                let index = cursor.required(rep)?;
                cursor.bool(index)?
            }
            None => false,
        };
        let mut found: Option<Elements> = None;
        for leaf in [places.string, places.int, places.double, places.bool]
            .into_iter()
            .flatten()
        {
            let (first, count) = self.cursor(leaf)?.values(rep, level)?;
            if count > 0 && found.is_none() {
                found = Some(Elements { leaf, first, count });
            }
        }
        let unsupported = self.other_form(places.unsupported, rep)?;
        let array = self.other_form(places.array, rep)?;
        let kvlist = self.other_form(places.kvlist, rep)?;
        let encoded = self.other_form(places.encoded, rep)?;
        Ok(match (is_array, found) {
            (true, Some(values)) => Some(flat_array(self, values)?),
            (true, None) => Some(flat_array(
                self,
                Elements {
                    leaf: 0,
                    first: 0,
                    count: 0,
                },
            )?),
            (false, Some(values)) => Some(scalar(self, values.leaf, values.first)?),
            (false, None) => {
                let builder = &mut self.builder;
                match (unsupported, array, kvlist, encoded) {
                    (Some(text), ..) => Some(json::value(builder, text)),
                    (_, Some(text), ..) => Some(json::list(builder, text, false)),
                    (_, _, Some(text), _) => Some(json::list(builder, text, true)),
                    (.., Some(encoded)) => Some(protobuf::value(builder, encoded)),
                    _ => self.keeps_empty.then_some(Value::EMPTY),
                }
            }
        })
    }

    /// A value that no leaf of a type holds.
    fn other_form(&mut self, leaf: Option<usize>, rep: u8) -> Result<Option<&'a [u8]>, Corrupt> {
        let Some(leaf) = leaf else { return Ok(None) };
        let cursor = self.cursor(leaf)?;
        match cursor.slot(rep)? {
            Some(index) => cursor.bytes(index).map(Some),
            None => Ok(None),
        }
    }

    /// Attributes with leaves of their own, behind the generic ones.
    pub(super) fn named_attributes(
        &mut self,
        owner: Owner,
        named: &[Named],
        rep: u8,
        level: u8,
    ) -> Result<(), Corrupt> {
        for one in named {
            let (first, count) = self.cursor(one.leaf)?.values(rep, level)?;
            let values = Elements {
                leaf: one.leaf,
                first,
                count,
            };
            let is_service = Some(one.leaf) == self.places.service_name;
            let value = match count {
                0 => continue,
                1 if is_service && self.cursor(one.leaf)?.bytes(first)?.is_empty() => continue,
                1 => scalar(self, one.leaf, first)?,
                _ => flat_array(self, values)?,
            };
            let key = self.builder.intern(&one.attribute);
            self.builder.attribute(owner, key, value);
        }
        Ok(())
    }
}

impl AttributePlaces {
    pub fn all(&self) -> [Option<usize>; 10] {
        [
            self.key,
            self.is_array,
            self.string,
            self.int,
            self.double,
            self.bool,
            self.unsupported,
            self.array,
            self.kvlist,
            self.encoded,
        ]
    }
}
