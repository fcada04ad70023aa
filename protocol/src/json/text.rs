//! The pieces of JSON: escaped text, numbers, base64, hex, objects.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes `text` in quotes.
pub(super) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if PLAIN[usize::from(byte)] {
            continue;
        }
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9; other text that starts with E2 stays.
        let (escape, width): (&str, usize) = match byte {
            b'"' => ("\\\"", 1),
            b'\\' => ("\\\\", 1),
            b'\n' => ("\\n", 1),
            b'\r' => ("\\r", 1),
            b'\t' => ("\\t", 1),
            0x08 => ("\\b", 1),
            0x0c => ("\\f", 1),
            0xe2 => match bytes.get(at + 1..at + 3) {
                Some([0x80, 0xa8]) => ("\\u2028", 3),
                Some([0x80, 0xa9]) => ("\\u2029", 3),
                _ => continue,
            },
            _ => ("", 1),
        };
        out.push_str(&text[done..at]);
        if escape.is_empty() {
            out.push_str("\\u00");
            push_hex(out, &[byte]);
        } else {
            out.push_str(escape);
        }
        done = at + width;
    }
    out.push_str(&text[done..]);
    out.push('"');
}

/// Bytes that stand for themselves. `E2` does not, because it may begin a line separator.
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain[b'<' as usize] = false;
    plain[b'>' as usize] = false;
    plain[b'&' as usize] = false;
    plain[0xe2] = false;
    plain
};

/// Writes bytes as base64 with padding, in quotes.
pub(super) fn push_base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

/// Writes bytes as lower-case hex, without quotes.
pub(super) fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Writes a number without quotes.
pub(super) fn push_number(out: &mut String, value: impl std::fmt::Display) {
    let _infallible = write!(out, "{value}");
}

/// Writes a double: the shortest digits that read back as the same number, with an exponent below 1e-6
/// and from 1e21 on; what is not a number as a string.
pub(super) fn push_double(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("\"NaN\"");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) {
        let start = out.len();
        push_number(out, format_args!("{value:e}"));
        if let Some(e) = out[start..].find('e')
            && out.as_bytes()[start + e + 1] != b'-'
        {
            out.insert(start + e + 1, '+');
        }
    } else {
        push_number(out, value);
    }
}

/// An object being written. Members are written in the order of the calls.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    pub fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    pub fn close(self) {
        self.out.push('}');
    }

    /// Starts a member; the caller writes its value. `name` must need no escaping.
    pub fn member(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.empty { "\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// Starts a member whose name is outside text.
    pub fn member_named(&mut self, name: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        push_text(self.out, name);
        self.out.push(':');
        self.out
    }

    pub fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            push_text(self.member(name), value);
        }
    }

    pub fn base64(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            push_base64(self.member(name), value);
        }
    }

    /// A 64-bit integer: a string of digits.
    pub fn long(&mut self, name: &str, value: u64) {
        if value != 0 {
            push_number(self.member(name), format_args!("\"{value}\""));
        }
    }

    pub fn int(&mut self, name: &str, value: u32) {
        if value != 0 {
            push_number(self.member(name), value);
        }
    }

    /// An enum: its name, or the number when it has none.
    pub fn name_of(&mut self, name: &str, number: i32, label: Option<&str>) {
        if number != 0 {
            let out = self.member(name);
            match label {
                Some(label) => push_text(out, label),
                None => push_number(out, number),
            }
        }
    }

    /// A repeated member, left out when it has no elements.
    pub fn list<T>(&mut self, name: &str, items: &[T], push: impl FnMut(&mut String, &T)) {
        if !items.is_empty() {
            push_list(self.member(name), items, push);
        }
    }
}

/// Writes an array.
pub(super) fn push_list<T>(out: &mut String, items: &[T], mut push: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}
