//! Classes in brackets.

use super::RegexError;
use super::escape::Escape;
use super::translate::{ANY_STATES, Translator, push_character};

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];
/// Of a range that goes beyond ASCII.
const WIDE_RANGE_STATES: u64 = 16;

impl Translator<'_> {
    /// Reads `[…]` and writes it for the crate; the states it costs.
    pub(super) fn class(&mut self) -> Result<u64, RegexError> {
        self.skip(1);
        self.out.push('[');
        let mut states = 1;
        if self.rest.starts_with('^') {
            self.skip(1);
            self.out.push('^');
            states += ANY_STATES;
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            if self.rest.is_empty() {
                return Err(self.invalid("missing closing `]`"));
            }
            first = false;
            states += self.class_item()?;
        }
        self.skip(1);
        self.out.push(']');
        Ok(if self.fold() { states * 2 } else { states })
    }

    fn class_item(&mut self) -> Result<u64, RegexError> {
        if let Some(inner) = self.rest.strip_prefix("[:")
            && let Some((name, _)) = inner.split_once(":]")
        {
            let (caret, bare) = match name.strip_prefix('^') {
                Some(bare) => ("^", bare),
                None => ("", name),
            };
            if !POSIX.contains(&bare) {
                return Err(self.invalid("invalid character class range"));
            }
            self.skip(name.len() + 4);
            self.out.push_str(&format!("[:{caret}{bare}:]"));
            return Ok(4 + if caret.is_empty() { 0 } else { ANY_STATES });
        }
        if self.rest.starts_with('\\')
            && let Some(letter) = self.rest.as_bytes().get(1)
            && matches!(
                letter,
                b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'p' | b'P'
            )
        {
            return match self.escape()? {
                Escape::Class { text, states } => {
                    self.out.push_str(&text);
                    Ok(states)
                }
                Escape::Character(c) => {
                    push_character(&mut self.out, c);
                    Ok(1)
                }
            };
        }
        let low = self.class_character()?;
        push_character(&mut self.out, low);
        let mut high = low;
        if self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]") {
            self.skip(1);
            high = self.class_character()?;
            if high < low {
                return Err(self.invalid("invalid character class range"));
            }
            self.out.push('-');
            push_character(&mut self.out, high);
        }
        Ok(if high.is_ascii() {
            1
        } else {
            WIDE_RANGE_STATES
        })
    }

    fn class_character(&mut self) -> Result<char, RegexError> {
        match self.rest.chars().next() {
            None => Err(self.invalid("missing closing `]`")),
            Some('\\') => self.escaped_character(),
            Some(c) => {
                self.skip(c.len_utf8());
                Ok(c)
            }
        }
    }
}
