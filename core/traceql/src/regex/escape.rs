//! What follows a backslash, in classes and outside.

use super::RegexError;
use super::translate::{ANY_STATES, Translator};

/// Of a Unicode class: letters have some 650 ranges.
const UNICODE_CLASS_STATES: u64 = 600;

pub(super) enum Escape {
    Character(char),
    /// A class for the crate, which may also stand in brackets.
    Class {
        text: String,
        states: u64,
    },
}

/// RE2's perl classes are of ASCII.
pub(super) fn perl_class(letter: u8) -> Option<(&'static str, u64)> {
    Some(match letter {
        b'd' => ("[0-9]", 2),
        b'D' => ("[^0-9]", ANY_STATES),
        b's' => ("[\\t\\n\\x0c\\r ]", 2),
        b'S' => ("[^\\t\\n\\x0c\\r ]", ANY_STATES),
        b'w' => ("[0-9A-Za-z_]", 8),
        b'W' => ("[^0-9A-Za-z_]", ANY_STATES + 8),
        _ => return None,
    })
}

impl<'a> Translator<'a> {
    /// Reads an escape, backslash and all.
    pub(super) fn escape(&mut self) -> Result<Escape, RegexError> {
        match self.rest.as_bytes().get(1) {
            Some(letter @ (b'p' | b'P')) => self.unicode_class(*letter == b'P'),
            Some(letter) => match perl_class(*letter) {
                Some((text, states)) => {
                    self.skip(2);
                    Ok(Escape::Class {
                        text: text.to_owned(),
                        states,
                    })
                }
                None => self.escaped_character().map(Escape::Character),
            },
            None => Err(self.invalid("trailing backslash at end of expression")),
        }
    }

    pub(super) fn escaped_character(&mut self) -> Result<char, RegexError> {
        let mut chars = self.rest[1..].chars();
        let Some(first) = chars.next() else {
            return Err(self.invalid("trailing backslash at end of expression"));
        };
        let after = chars.as_str();
        let simple = match first {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => return self.hexadecimal(),
            '0'..='7' => {
                let is_octal = |c: &char| ('0'..='7').contains(c);
                // One digit other than zero would be a back reference.
                let more = after.chars().take_while(is_octal).take(2).count();
                if first != '0' && more == 0 {
                    return Err(self.invalid_escape());
                }
                let digits = &self.rest[1..2 + more];
                let value = u32::from_str_radix(digits, 8).ok().and_then(char::from_u32);
                self.skip(2 + more);
                return value.ok_or_else(|| self.invalid_escape());
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(self.invalid_escape()),
        };
        self.skip(1 + first.len_utf8());
        Ok(simple)
    }

    fn invalid_escape(&self) -> RegexError {
        self.invalid("invalid escape sequence")
    }

    /// `\x7f` or `\x{10ffff}`
    fn hexadecimal(&mut self) -> Result<char, RegexError> {
        let after = &self.rest[2..];
        let (digits, length) = match after.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((digits, _)) => (digits, digits.len() + 2),
                None => return Err(self.invalid_escape()),
            },
            None => match after.get(..2) {
                Some(digits) => (digits, 2),
                None => return Err(self.invalid_escape()),
            },
        };
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = valid
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
            .and_then(char::from_u32);
        match value {
            Some(c) => {
                self.skip(2 + length);
                Ok(c)
            }
            None => Err(self.invalid_escape()),
        }
    }

    /// `\pN`, `\p{Greek}`, `\p{^Greek}`
    fn unicode_class(&mut self, negated: bool) -> Result<Escape, RegexError> {
        let rest: &'a str = self.rest;
        let after = &rest[2..];
        let (name, length) = match after.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((name, _)) => (name, name.len() + 2),
                None => return Err(self.invalid("invalid character class range")),
            },
            None => match after.chars().next() {
                Some(c) => (&after[..c.len_utf8()], c.len_utf8()),
                None => return Err(self.invalid("invalid character class range")),
            },
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let known = self.classes.contains(name)
            || (!name.is_empty()
                && name.chars().all(word)
                && ::regex::Regex::new(&format!("\\p{{{name}}}")).is_ok());
        if !known {
            return Err(self.invalid("unknown character class"));
        }
        self.classes.insert(name);
        self.skip(2 + length);
        let letter = if negated { 'P' } else { 'p' };
        Ok(Escape::Class {
            text: format!("\\{letter}{{{name}}}"),
            states: UNICODE_CLASS_STATES,
        })
    }
}
