//! Decoded values of a column.

use bytes::Bytes;

use crate::error::Malformed;
use crate::limits::MAX_TRACE_BYTES;
use crate::thrift::Decoded;

/// Values that are there (nulls have none), in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Indexes of the chunk's dictionary.
    Codes(Vec<u32>),
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Bytes(ByteArrays),
}

/// Byte strings one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteArrays {
    ends: Vec<u32>,
    data: Vec<u8>,
}

impl ByteArrays {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => *self.ends.get(index - 1)? as usize,
        };
        self.data.get(start..end)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// What they take in memory.
    pub fn memory_bytes(&self) -> usize {
        self.ends.capacity() * size_of::<u32>() + self.data.capacity()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.ends.push(self.data.len() as u32);
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for ByteArrays {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut arrays = Self::default();
        for bytes in all {
            arrays.push(bytes.as_ref());
        }
        arrays
    }
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Codes(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What they take in memory.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Codes(values) => values.capacity() * size_of::<u32>(),
            Self::Bool(values) => values.capacity(),
            Self::I32(values) => values.capacity() * size_of::<i32>(),
            Self::I64(values) => values.capacity() * size_of::<i64>(),
            Self::F64(values) => values.capacity() * size_of::<f64>(),
            Self::Bytes(values) => values.memory_bytes(),
        }
    }

    /// An integer of either width.
    pub fn int(&self, index: usize) -> Option<i64> {
        match self {
            Self::I32(values) => values.get(index).map(|&value| i64::from(value)),
            Self::I64(values) => values.get(index).copied(),
            _ => None,
        }
    }
}

/// The values that codes of a chunk stand for. Byte strings stay where the dictionary page has them.
#[derive(Clone, Debug)]
pub enum Dictionary {
    Bytes(BytesDictionary),
    /// Of the type of the leaf.
    Numbers(Values),
}

/// A PLAIN page of byte strings: each behind its length of four bytes.
#[derive(Clone, Debug)]
pub struct BytesDictionary {
    page: Bytes,
    /// Where each string begins, and where one behind the last would.
    starts: Vec<u32>,
}

const LENGTH_BYTES: u32 = 4;

impl Default for BytesDictionary {
    /// Without an entry.
    fn default() -> Self {
        Self {
            page: Bytes::new(),
            starts: Vec::from([LENGTH_BYTES]),
        }
    }
}

impl BytesDictionary {
    /// `count` strings; the page may go on behind them.
    pub(crate) fn parse(page: Bytes, count: usize) -> Decoded<Self> {
        let ends = || Malformed::new("the dictionary ends before its last value");
        if count > page.len() / LENGTH_BYTES as usize {
            return Err(ends());
        }
        let mut starts = Vec::with_capacity(count + 1);
        let mut start = LENGTH_BYTES;
        starts.push(start);
        for _ in 0..count {
            let length = page
                .get(start as usize - LENGTH_BYTES as usize..start as usize)
                .and_then(|bytes| bytes.first_chunk())
                .map(|bytes| u32::from_le_bytes(*bytes))
                .ok_or_else(ends)?;
            let end = start.checked_add(length).ok_or_else(ends)?;
            if end as usize > page.len() {
                return Err(ends());
            }
            start = end.checked_add(LENGTH_BYTES).ok_or_else(ends)?;
            starts.push(start);
        }
        Ok(Self { page, starts })
    }

    /// Goes on where it stopped, as far as the page is there; true when there are `count` entries.
    pub(crate) fn extend(&mut self, page: &[u8], count: usize) -> bool {
        while self.len() < count {
            let start = self.starts.last().copied().unwrap_or_default() as usize;
            let length = start.checked_sub(LENGTH_BYTES as usize);
            let length = length.and_then(|at| page.get(at..start)?.first_chunk());
            let Some(end) = length.and_then(|length| {
                let end = start.checked_add(u32::from_le_bytes(*length) as usize)?;
                (end <= page.len()).then_some(end)
            }) else {
                return false;
            };
            let Ok(next) = u32::try_from(end.saturating_add(LENGTH_BYTES as usize)) else {
                return false;
            };
            self.starts.push(next);
        }
        true
    }

    /// With the page, in which there must be `count` entries.
    pub(crate) fn finish(mut self, page: Bytes, count: usize) -> Decoded<Self> {
        if !self.extend(&page, count) {
            return Err(Malformed::new("the dictionary ends before its last value"));
        }
        self.page = page;
        Ok(self)
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, code: u32) -> Option<&[u8]> {
        let start = *self.starts.get(code as usize)? as usize;
        let next = *self.starts.get(code as usize + 1)? as usize;
        self.page.get(start..next - LENGTH_BYTES as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).filter_map(|code| self.get(code))
    }
}

impl Dictionary {
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Numbers(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.page.len() + bytes.starts.capacity() * size_of::<u32>(),
            Self::Numbers(values) => values.memory_bytes(),
        }
    }

    /// The values of codes, as a file without a dictionary has them. None when a code has no value.
    pub fn resolve(&self, codes: &[u32]) -> Option<Values> {
        fn pick<T: Copy>(values: &[T], codes: &[u32]) -> Option<Vec<T>> {
            codes
                .iter()
                .map(|&code| values.get(code as usize).copied())
                .collect()
        }
        Some(match self {
            Self::Bytes(dictionary) => {
                let mut bytes = ByteArrays::default();
                for &code in codes {
                    bytes.push(dictionary.get(code)?);
                }
                Values::Bytes(bytes)
            }
            Self::Numbers(Values::I32(values)) => Values::I32(pick(values, codes)?),
            Self::Numbers(Values::I64(values)) => Values::I64(pick(values, codes)?),
            Self::Numbers(Values::F64(values)) => Values::F64(pick(values, codes)?),
            Self::Numbers(Values::Bool(values)) => Values::Bool(pick(values, codes)?),
            Self::Numbers(Values::Codes(_) | Values::Bytes(_)) => return None,
        })
    }
}

/// What a reading may still put into memory.
#[derive(Debug)]
pub struct Budget {
    left: usize,
    is_exceeded: bool,
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self {
            left: bytes,
            is_exceeded: false,
        }
    }

    /// Of one trace.
    pub fn of_trace() -> Self {
        Self::new(MAX_TRACE_BYTES)
    }

    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) -> Decoded<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.is_exceeded = true;
                Err(Malformed::new("more values than may be read at once"))
            }
        }
    }

    /// Whether something failed because it did not fit: fewer rows may.
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_of_the_first_entries() {
        let texts: [&[u8]; 4] = [b"a", b"", b"longer", b"z"];
        let mut page = Vec::new();
        for text in texts {
            page.extend((text.len() as u32).to_le_bytes());
            page.extend(text);
        }
        for most in 0..=4 {
            let mut entries = BytesDictionary::default();
            let enough = (0..=page.len()).find(|&len| entries.extend(&page[..len], most));
            let enough = enough.unwrap();
            let page = Bytes::copy_from_slice(&page[..enough]);
            let dictionary = entries.finish(page, most).unwrap();
            assert!(dictionary.iter().eq(texts[..most].iter().copied()));
            assert_eq!(dictionary.get(most as u32), None);
        }
        let entries = BytesDictionary::default();
        assert!(entries.finish(page.into(), 5).is_err());
        let entries = BytesDictionary::default();
        assert!(entries.finish(Bytes::from_static(&[255; 9]), 1).is_err());
    }
}
