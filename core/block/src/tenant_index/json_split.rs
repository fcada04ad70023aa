//! Takes a JSON object apart into the texts of its values without reading them, so that long lists can be read one
//! element at a time.

use super::TenantIndexError;

/// What the next value begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Array,
    Other,
}

/// Where it is within the object. Only what is needed to find the ends of values is checked: the values are not.
pub(super) struct Split<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Nothing taken of the object yet.
    object: Progress,
    array: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Outside,
    Inside,
}

impl<'a> Split<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            object: Progress::Outside,
            array: Progress::Outside,
        }
    }

    /// The next key of the object, as it stands there (escapes included); none at its end. Its value must be taken
    /// before the next key.
    pub fn key(&mut self) -> Result<Option<&'a str>, TenantIndexError> {
        let more = self.next(&mut |split| &mut split.object, b'{', b'}')?;
        if !more {
            return match self.peek() {
                None => Ok(None),
                Some(_) => Err(self.error("the end")),
            };
        }
        if self.peek() != Some(b'"') {
            return Err(self.error("a key"));
        }
        let key = self.value()?;
        self.expect(b':', "a colon")?;
        let key = key.get(1..key.len() - 1).map(std::str::from_utf8);
        match key {
            Some(Ok(key)) => Ok(Some(key)),
            _ => Err(self.error("a key of UTF-8")),
        }
    }

    /// How the next value begins.
    pub fn start(&mut self) -> Start {
        match self.peek() {
            Some(b'[') => Start::Array,
            _ => Start::Other,
        }
    }

    /// The next element of the array that is the next value; none at its end.
    pub fn element(&mut self) -> Result<Option<&'a [u8]>, TenantIndexError> {
        match self.next(&mut |split| &mut split.array, b'[', b']')? {
            true => self.value().map(Some),
            false => Ok(None),
        }
    }

    /// The text of the next value.
    pub fn value(&mut self) -> Result<&'a [u8], TenantIndexError> {
        self.peek();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => self.skip_text()?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth > 0 => self.at += 1,
                Some(b' ' | b'\t' | b'\r' | b'\n') if depth > 0 => self.at += 1,
                Some(b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') | None => {
                    return Err(self.error("a value"));
                }
                Some(_) => self.skip_scalar(),
            }
            if depth == 0 {
                return Ok(self.bytes.get(start..self.at).unwrap_or_default());
            }
        }
    }

    /// Goes to the next member of an object or array: over its opening bracket or a comma. False: it has ended.
    fn next(
        &mut self,
        progress: &mut dyn FnMut(&mut Self) -> &mut Progress,
        open: u8,
        close: u8,
    ) -> Result<bool, TenantIndexError> {
        let next = self.peek();
        let inside = *progress(self) == Progress::Inside;
        if inside && next == Some(close) {
            self.at += 1;
            *progress(self) = Progress::Outside;
            return Ok(false);
        }
        if inside {
            self.expect(b',', "a comma or the end of a list")?;
            return Ok(true);
        }
        self.expect(open, "an object or a list")?;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        *progress(self) = Progress::Inside;
        Ok(true)
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), TenantIndexError> {
        if self.peek() != Some(byte) {
            return Err(self.error(what));
        }
        self.at += 1;
        Ok(())
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn skip_text(&mut self) -> Result<(), TenantIndexError> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.error("the end of a text")),
            }
        }
    }

    fn skip_scalar(&mut self) {
        let end = |byte: &u8| b",:}]{[\" \t\r\n".contains(byte);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(end).unwrap_or(rest.len());
    }

    fn error(&self, what: &str) -> TenantIndexError {
        TenantIndexError::Value {
            place: format!("byte {} of the JSON", self.at.min(self.bytes.len())),
            what: format!("{what} was expected"),
        }
    }
}
