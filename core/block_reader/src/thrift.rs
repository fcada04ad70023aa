//! Thrift's compact protocol, as much of it as Parquet needs: reads in place, allocates nothing.

use crate::error::Malformed;
use crate::limits::MAX_THRIFT_DEPTH;

pub(crate) type Decoded<T> = Result<T, Malformed>;

/// Types of fields and of list elements.
pub(crate) mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
    pub const UUID: u8 = 13;
}

/// A field of a struct, before its value is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub id: i16,
    pub kind: u8,
}

impl Field {
    /// The id, when the field has the type that belongs to it; 0, which no field has, otherwise.
    pub fn of(self, kind: u8) -> i16 {
        if self.kind == kind { self.id } else { 0 }
    }
}

/// A cursor over encoded values.
#[derive(Clone, Copy)]
pub(crate) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn ends() -> Malformed {
    Malformed::new("the structure ends in the middle of a value")
}

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read.
    pub fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Decoded<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, len: usize) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(len).ok_or_else(ends)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(ends)?;
        self.at = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Decoded<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::new("a number of more than ten bytes"))
    }

    /// A value of type I16, I32 or I64.
    pub fn int(&mut self) -> Decoded<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// An int that counts something.
    pub fn count(&mut self) -> Decoded<u64> {
        u64::try_from(self.int()?).map_err(|_| Malformed::new("a negative size, count or offset"))
    }

    pub fn binary(&mut self) -> Decoded<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).map_err(|_| ends())?)
    }

    /// The element type and length of a list. Every element takes at least a byte, so the length is bounded.
    pub fn list(&mut self) -> Decoded<(u8, usize)> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| ends())?,
            len => usize::from(len),
        };
        if len > self.bytes.len() - self.at {
            return Err(Malformed::new("a list longer than the structure"));
        }
        Ok((head & 15, len))
    }

    /// A list of elements of one type.
    pub fn list_of(&mut self, kind: u8) -> Decoded<usize> {
        let (found, len) = self.list()?;
        let is_bool = |kind| kind == kind::TRUE || kind == kind::FALSE;
        if found != kind && !(is_bool(found) && is_bool(kind)) && len > 0 {
            return Err(Malformed::new("a list of another type than expected"));
        }
        Ok(len)
    }

    /// The next field of a struct, none at its end. `last` is the id of the field before, 0 at first.
    pub fn field(&mut self, last: &mut i16) -> Decoded<Option<Field>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => {
                i16::try_from(self.int()?).map_err(|_| Malformed::new("a field id out of range"))?
            }
            delta => last
                .checked_add(i16::from(delta))
                .ok_or_else(|| Malformed::new("a field id out of range"))?,
        };
        *last = id;
        Ok(Some(Field {
            id,
            kind: head & 15,
        }))
    }

    /// Passes over the value of a field.
    pub fn skip(&mut self, kind: u8) -> Decoded<()> {
        self.skip_nested(kind, 0)
    }

    fn skip_nested(&mut self, kind: u8, depth: usize) -> Decoded<()> {
        if depth > MAX_THRIFT_DEPTH {
            return Err(Malformed::new("a structure nested too deeply"));
        }
        match kind {
            kind::TRUE | kind::FALSE => {}
            kind::BYTE => {
                self.byte()?;
            }
            kind::I16 | kind::I32 | kind::I64 => {
                self.varint()?;
            }
            kind::DOUBLE => {
                self.take(8)?;
            }
            kind::UUID => {
                self.take(16)?;
            }
            kind::BINARY => {
                self.binary()?;
            }
            kind::LIST | kind::SET => {
                let (kind, len) = self.list()?;
                for _ in 0..len {
                    self.skip_element(kind, depth)?;
                }
            }
            kind::MAP => {
                let len = self.varint()?;
                if len > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..len {
                        self.skip_element(kinds >> 4, depth)?;
                        self.skip_element(kinds & 15, depth)?;
                    }
                }
            }
            kind::STRUCT => {
                let mut last = 0;
                while let Some(field) = self.field(&mut last)? {
                    self.skip_nested(field.kind, depth + 1)?;
                }
            }
            _ => return Err(Malformed::new("a value of an unknown type")),
        }
        Ok(())
    }

    /// Booleans take a byte as elements, and none as fields.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Decoded<()> {
        match kind {
            kind::TRUE | kind::FALSE => self.byte().map(|_| ()),
            _ => self.skip_nested(kind, depth + 1),
        }
    }
}
