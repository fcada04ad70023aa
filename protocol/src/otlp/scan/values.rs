//! Attributes and their values, from the wire into the builder.

use vivace_model::limits::MAX_VALUE_DEPTH;
use vivace_model::{ListMark, Owner, SpanBatchBuilder, StringId, Value, ValueType};

use super::rejected::Reason;
use super::wire::{Reader, Result, field_of};

/// Keys and values cut to `max_attribute_bytes`, by the owner of the attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncated {
    pub resource: u64,
    pub scope: u64,
    pub span: u64,
    pub event: u64,
    pub link: u64,
}

impl Truncated {
    pub fn total(&self) -> u64 {
        self.by_scope().iter().map(|scope| scope.1).sum()
    }

    /// Counts by the label values of `tempo_distributor_attributes_truncated_total`.
    pub fn by_scope(&self) -> [(&'static str, u64); 5] {
        [
            ("resource", self.resource),
            ("scope", self.scope),
            ("span", self.span),
            ("event", self.event),
            ("link", self.link),
        ]
    }

    fn of(&mut self, owner: Owner) -> &mut u64 {
        match owner {
            Owner::Resource => &mut self.resource,
            Owner::Scope => &mut self.scope,
            Owner::Span => &mut self.span,
            Owner::Event => &mut self.event,
            Owner::Link => &mut self.link,
        }
    }
}

/// What was changed about texts.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) truncated: Truncated,
    pub(super) repaired_utf8: u64,
}

/// Takes what is scanned.
pub(super) struct Sink {
    pub(super) builder: SpanBatchBuilder,
    /// The largest number: any size.
    pub(super) max_attribute_bytes: usize,
    pub(super) counts: Counts,
    /// Why what is being scanned can't be kept. Scanning goes on: the bytes may be broken further on.
    pub(super) refused: Option<Reason>,
    /// A span had an id or its start behind an attribute, where `Layout` looks only when it is told to.
    pub(super) is_reordered: bool,
}

/// An AnyValue as far as it has been read. It is a oneof, so that the last field wins; equal lists are merged.
enum Any<'a> {
    Empty,
    String(&'a [u8]),
    Bytes(&'a [u8]),
    Scalar(Value),
    List(ValueType, ListMark),
}

/// A KeyValue as every encoder writes it: key, then value, each once and shorter than 128 bytes, the value with one
/// field that is no list. None for any other: `key_value` takes those, and also these, with more work.
#[inline]
fn plain(bytes: &[u8]) -> Option<(&[u8], Any<'_>)> {
    let [0x0a, key_len @ 0..0x80, rest @ ..] = bytes else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let [0x12, value_len @ 0..0x80, rest @ ..] = rest else {
        return None;
    };
    if rest.len() != usize::from(*value_len) {
        return None;
    }
    let value = match rest {
        [0x0a, len @ 0..0x80, text @ ..] if text.len() == usize::from(*len) => Any::String(text),
        [0x10, value @ 0..0x80] => Any::Scalar(Value::bool(*value != 0)),
        [0x18, value @ 0..0x80] => Any::Scalar(Value::int(i64::from(*value))),
        [0x18, low @ 0x80..=0xff, high @ 0..0x80] => {
            Any::Scalar(Value::int(i64::from(*low & 0x7f) | i64::from(*high) << 7))
        }
        [0x21, value @ ..] => {
            Any::Scalar(Value::double(f64::from_le_bytes(value.try_into().ok()?)))
        }
        _ => return None,
    };
    Some((key, value))
}

impl Sink {
    /// A text that is not an attribute.
    #[inline]
    pub(super) fn string(&mut self, text: &[u8]) -> StringId {
        let (id, repaired) = self.builder.intern_lossy(text);
        self.counts.repaired_utf8 += u64::from(repaired);
        id
    }

    /// A key or value of an attribute of this owner.
    #[inline]
    fn text(&mut self, text: &[u8], owner: Owner) -> StringId {
        if text.len() <= self.max_attribute_bytes
            && let Some(id) = self.builder.intern_utf8(text)
        {
            return id;
        }
        self.changed_text(text, owner)
    }

    #[cold]
    #[inline(never)]
    fn changed_text(&mut self, text: &[u8], owner: Owner) -> StringId {
        let max = self.max_attribute_bytes;
        let mut end = text.len().min(max);
        let is_long = end < text.len();
        if is_long {
            // Back to the border of a character; a character has at most three more bytes after its first.
            let first = end.saturating_sub(3);
            let border = (first..=end).rev().find(|&at| text[at] & 0xc0 != 0x80);
            end = border.unwrap_or(end);
        }
        if let Some(id) = self.builder.intern_utf8(&text[..end]) {
            *self.counts.truncated.of(owner) += u64::from(is_long);
            return id;
        }
        self.counts.repaired_utf8 += 1;
        // U+FFFD may be longer than what it stands for.
        let repaired = String::from_utf8_lossy(&text[..end]);
        let cut = repaired.floor_char_boundary(max);
        *self.counts.truncated.of(owner) += u64::from(is_long || cut < repaired.len());
        self.builder.intern(&repaired[..cut])
    }

    /// Adds a KeyValue to its owner.
    #[inline]
    pub(super) fn attribute(&mut self, owner: Owner, fields: Reader<'_>) -> Result {
        let (key, value) = match plain(fields.rest()) {
            Some(plain) => plain,
            None => self.key_value(fields, 0)?,
        };
        let key = self.text(key, owner);
        let value = match value {
            Any::String(text) => Value::string(self.text(text, owner)),
            other => self.value(other),
        };
        self.builder.attribute(owner, key, value);
        Ok(())
    }

    /// `depth` is the number of lists around it.
    #[inline]
    fn key_value<'a>(
        &mut self,
        mut fields: Reader<'a>,
        depth: usize,
    ) -> Result<(&'a [u8], Any<'a>)> {
        let (mut name, mut value) = (&[][..], Any::Empty);
        while let Some(key) = fields.key()? {
            match key {
                0x0a => name = fields.payload()?,
                0x12 => {
                    let message = fields.message()?;
                    self.any_value(message, &mut value, depth)?;
                }
                0x18 => {
                    // A reference to a dictionary that only profiles have.
                    if fields.varint()? as i32 != 0 {
                        self.refused = Some(Reason::Unsupported);
                    }
                }
                _ => fields.skip(key, 3)?,
            }
        }
        Ok((name, value))
    }

    #[inline]
    fn any_value<'a>(
        &mut self,
        mut fields: Reader<'a>,
        value: &mut Any<'a>,
        depth: usize,
    ) -> Result {
        while let Some(key) = fields.key()? {
            match key {
                0x0a => self.replace(value, Any::String(fields.payload()?)),
                0x10 => self.replace(value, Any::Scalar(Value::bool(fields.varint()? != 0))),
                0x18 => {
                    let number = fields.varint()?.cast_signed();
                    self.replace(value, Any::Scalar(Value::int(number)));
                }
                0x21 => {
                    let number = f64::from_bits(fields.fixed64()?);
                    self.replace(value, Any::Scalar(Value::double(number)));
                }
                0x2a => self.list(fields.message()?, ValueType::Array, value, depth)?,
                0x32 => self.list(fields.message()?, ValueType::KvList, value, depth)?,
                0x3a => self.replace(value, Any::Bytes(fields.payload()?)),
                _ => {
                    if field_of(key) == 8 && key & 7 != 0 {
                        return fields.broken("wrong wire type");
                    }
                    fields.skip(key, 7)?;
                    self.refused = Some(Reason::Unsupported);
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn replace<'a>(&mut self, value: &mut Any<'a>, new: Any<'a>) {
        if let Any::List(_, mark) = *value {
            self.builder.drop_elements(mark);
        }
        *value = new;
    }

    /// ArrayValue or KeyValueList: field 1 of both are the elements.
    fn list<'a>(
        &mut self,
        mut fields: Reader<'a>,
        kind: ValueType,
        value: &mut Any<'a>,
        depth: usize,
    ) -> Result {
        if depth >= MAX_VALUE_DEPTH {
            // What is further in is not looked at.
            self.refused = Some(Reason::TooDeep);
            return Ok(());
        }
        if !matches!(value, Any::List(old, _) if *old == kind) {
            let mark = match *value {
                Any::List(_, mark) => {
                    self.builder.drop_elements(mark);
                    mark
                }
                _ => self.builder.begin_list(),
            };
            *value = Any::List(kind, mark);
        }
        while let Some(key) = fields.key()? {
            if key != 0x0a {
                fields.skip(key, 1)?;
                continue;
            }
            let message = fields.message()?;
            let (name, element) = if kind == ValueType::KvList {
                self.key_value(message, depth + 1)?
            } else {
                let mut element = Any::Empty;
                self.any_value(message, &mut element, depth + 1)?;
                (&[][..], element)
            };
            let element = self.value(element);
            let name = self.string(name);
            self.builder.element(name, element);
        }
        Ok(())
    }

    /// Stores a value, texts as they are.
    fn value(&mut self, value: Any<'_>) -> Value {
        let ended = match value {
            Any::Empty => return Value::EMPTY,
            Any::Scalar(value) => return value,
            Any::String(text) => return Value::string(self.string(text)),
            Any::Bytes(bytes) => return self.builder.bytes(bytes),
            Any::List(ValueType::KvList, mark) => self.builder.end_kvlist(mark),
            Any::List(_, mark) => self.builder.end_array(mark),
        };
        ended.unwrap_or_else(|_| {
            self.refused = Some(Reason::TooDeep);
            Value::EMPTY
        })
    }
}
