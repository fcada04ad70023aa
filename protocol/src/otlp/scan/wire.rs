//! Protobuf's wire format.

/// What is wrong with the bytes, and at which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) offset: usize,
    pub(super) what: &'static str,
}

pub(super) type Result<T = ()> = std::result::Result<T, Broken>;

/// Walks the fields of one message. Offsets are those of the whole request.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The request up to the end of the message.
    bytes: &'a [u8],
    at: usize,
}

/// The number of a key's field.
#[inline(always)]
pub(super) fn field_of(key: u32) -> u32 {
    key >> 3
}

impl<'a> Reader<'a> {
    pub(super) fn new(request: &'a [u8]) -> Self {
        Self {
            bytes: request,
            at: 0,
        }
    }

    /// The message in these bytes of the request; empty when there are no such bytes.
    #[inline(always)]
    pub(super) fn range(request: &'a [u8], range: Range) -> Self {
        Self {
            bytes: request.get(..range.end as usize).unwrap_or_default(),
            at: range.start as usize,
        }
    }

    #[inline(always)]
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// What has not been walked yet.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[cold]
    pub(super) fn broken<T>(&self, what: &'static str) -> Result<T> {
        Err(Broken {
            offset: self.at.min(self.bytes.len()),
            what,
        })
    }

    /// The key (field number << 3 | wire type) of the next field; None at the end of the message.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<Option<u32>> {
        match self.bytes.get(self.at) {
            // One byte, field 1 to 15.
            Some(&byte) if (8..0x80).contains(&byte) => {
                self.at += 1;
                Ok(Some(u32::from(byte)))
            }
            None => Ok(None),
            Some(_) => self.long_key().map(Some),
        }
    }

    #[inline(never)]
    fn long_key(&mut self) -> Result<u32> {
        let start = *self;
        let key = self.varint()?;
        match u32::try_from(key) {
            Ok(key) if field_of(key) > 0 => Ok(key),
            Ok(_) => start.broken("field number 0"),
            Err(_) => start.broken("field number too large"),
        }
    }

    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<u64> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (place, &byte) in self
            .bytes
            .get(self.at..)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            // The tenth byte holds the last of 64 bits.
            if place == 9 && byte > 1 {
                return self.broken("varint longer than 64 bits");
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.at += place + 1;
                return Ok(value);
            }
        }
        self.broken("the message ends inside a varint")
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>())
        {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => self.broken("the message ends inside a fixed-size value"),
        }
    }

    #[inline(always)]
    pub(super) fn fixed64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline(always)]
    pub(super) fn fixed32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline(always)]
    fn end_of_payload(&mut self) -> Result<usize> {
        let start = *self;
        let len = self.varint()?;
        if len > (self.bytes.len() - self.at) as u64 {
            return start.broken("a length goes beyond the end of its message");
        }
        Ok(self.at + len as usize)
    }

    /// A length-delimited payload.
    #[inline(always)]
    pub(super) fn payload(&mut self) -> Result<&'a [u8]> {
        let end = self.end_of_payload()?;
        let payload = &self.bytes[self.at..end];
        self.at = end;
        Ok(payload)
    }

    /// A length-delimited payload as a message.
    #[inline(always)]
    pub(super) fn message(&mut self) -> Result<Reader<'a>> {
        let end = self.end_of_payload()?;
        let message = Reader {
            bytes: &self.bytes[..end],
            at: self.at,
        };
        self.at = end;
        Ok(message)
    }

    /// Where a length-delimited payload is in the request.
    #[inline(always)]
    pub(super) fn payload_range(&mut self) -> Result<Range> {
        let end = self.end_of_payload()?;
        let range = Range {
            start: self.at as u32,
            end: end as u32,
        };
        self.at = end;
        Ok(range)
    }

    /// Passes over the value of a field that nobody wants. Fields up to `known` are known: one of them comes here
    /// only when its wire type is wrong.
    #[inline(always)]
    pub(super) fn skip(&mut self, key: u32, known: u32) -> Result {
        if field_of(key) <= known {
            return self.broken("wrong wire type");
        }
        self.skip_value(key)
    }

    pub(super) fn skip_value(&mut self, key: u32) -> Result {
        match key & 7 {
            0 => self.varint().map(drop),
            1 => self.fixed64().map(drop),
            2 => self.end_of_payload().map(|end| self.at = end),
            5 => self.fixed32().map(drop),
            3 | 4 => self.broken("groups are not supported"),
            _ => self.broken("unknown wire type"),
        }
    }
}

/// Bytes of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Range {
    pub(super) fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    pub(super) fn of(self, request: &[u8]) -> &[u8] {
        request
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> std::result::Result<u64, &'static str> {
        Reader::new(bytes).varint().map_err(|broken| broken.what)
    }

    #[test]
    fn varints_have_64_bits_at_most() {
        assert_eq!(varint(&[0]), Ok(0));
        assert_eq!(varint(&[0x80, 0]), Ok(0));
        assert_eq!(varint(&[0xac, 0x02]), Ok(300));
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(varint(&most), Ok(u64::MAX));
        most[9] = 2;
        assert_eq!(varint(&most), Err("varint longer than 64 bits"));
        assert_eq!(varint(&[0x80; 11]), Err("varint longer than 64 bits"));
        assert_eq!(varint(&[0x80]), Err("the message ends inside a varint"));
        assert_eq!(varint(&[]), Err("the message ends inside a varint"));
    }

    #[test]
    fn keys_name_a_field() {
        let key = |bytes| Reader::new(bytes).key().map_err(|broken| broken.what);
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&[0x0a]), Ok(Some(10)));
        assert_eq!(key(&[0x8a, 0]), Ok(Some(10)));
        assert_eq!(key(&[0x02]), Err("field number 0"));
        assert_eq!(
            key(&[0xff, 0xff, 0xff, 0xff, 0x1f]),
            Err("field number too large")
        );
    }

    #[test]
    fn lengths_stay_inside_the_message() {
        assert_eq!(Reader::new(&[2, 7, 8, 9]).payload(), Ok(&[7, 8][..]));
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        for bytes in [&[4, 7, 8, 9][..], &huge] {
            let broken = Reader::new(bytes).payload().unwrap_err();
            assert_eq!(broken.what, "a length goes beyond the end of its message");
            assert_eq!(broken.offset, 0);
        }
    }
}
