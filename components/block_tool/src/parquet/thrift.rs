//! Thrift's compact protocol, as far as Parquet uses it: bytes to a tree of values.

use super::FileError;
use crate::limits::MAX_THRIFT_DEPTH;

/// A value; structs keep their fields in the order of the bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Thrift {
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
    List(Vec<Thrift>),
    Struct(Vec<(i16, Thrift)>),
}

impl Thrift {
    /// The struct that `bytes` begin with, and how many bytes it takes.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), FileError> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.fields(0)?;
        Ok((value, reader.at))
    }

    pub fn get(&self, id: i16) -> Option<&Self> {
        match self {
            Self::Struct(fields) => {
                let field = fields.iter().find(|(field, _)| *field == id);
                field.map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub fn int(&self, id: i16) -> Option<i64> {
        match self.get(id)? {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn bool(&self, id: i16) -> Option<bool> {
        match self.get(id)? {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn bytes(&self, id: i16) -> Option<&[u8]> {
        match self.get(id)? {
            Self::Bytes(value) => Some(value),
            _ => None,
        }
    }

    pub fn text(&self, id: i16) -> Option<String> {
        Some(String::from_utf8_lossy(self.bytes(id)?).into_owned())
    }

    pub fn list(&self, id: i16) -> Option<&[Self]> {
        match self.get(id)? {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// A field that must be there and not negative.
    pub fn count(&self, id: i16, what: &str) -> Result<u64, FileError> {
        let value = self
            .int(id)
            .ok_or_else(|| FileError::malformed(format!("{what} is missing")))?;
        u64::try_from(value).map_err(|_| FileError::malformed(format!("{what} is {value}")))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, FileError> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| FileError::malformed("a structure that ends early"))
    }

    fn varint(&mut self) -> Result<u64, FileError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FileError::malformed("a number of more than 64 bits"))
    }

    fn int(&mut self) -> Result<i64, FileError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn fields(&mut self, depth: usize) -> Result<Thrift, FileError> {
        if depth > MAX_THRIFT_DEPTH {
            return Err(FileError::malformed("a structure that is nested too deep"));
        }
        let mut fields = Vec::new();
        let mut last = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(Thrift::Struct(fields));
            }
            last = match head >> 4 {
                0 => self.int()? as i16,
                step => last.wrapping_add(i16::from(step)),
            };
            let value = match head & 0x0f {
                1 => Thrift::Bool(true),
                2 => Thrift::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((last, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<Thrift, FileError> {
        Ok(match kind {
            // In lists, booleans have a byte of their own.
            1 | 2 => Thrift::Bool(self.byte()? == 1),
            3 => Thrift::Int(i64::from(self.byte()? as i8)),
            4..=6 => Thrift::Int(self.int()?),
            7 => {
                let bytes = self.take(8)?.first_chunk().copied().unwrap_or_default();
                Thrift::Double(f64::from_le_bytes(bytes))
            }
            8 => {
                let len = self.varint()?;
                Thrift::Bytes(self.take(len)?.to_vec())
            }
            9 | 10 => {
                let head = self.byte()?;
                let len = match head >> 4 {
                    15 => self.varint()?,
                    len => u64::from(len),
                };
                // Each element takes a byte at least.
                if len > (self.bytes.len().saturating_sub(self.at)) as u64 {
                    return Err(FileError::malformed("a list that ends early"));
                }
                if depth >= MAX_THRIFT_DEPTH {
                    return Err(FileError::malformed("a list that is nested too deep"));
                }
                let values = (0..len).map(|_| self.value(head & 0x0f, depth + 1));
                Thrift::List(values.collect::<Result<_, _>>()?)
            }
            12 => self.fields(depth + 1)?,
            other => return Err(FileError::malformed(format!("a value of type {other}"))),
        })
    }

    fn take(&mut self, len: u64) -> Result<&[u8], FileError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| FileError::malformed("bytes that end early"))?;
        self.at += taken.len();
        Ok(taken)
    }
}
