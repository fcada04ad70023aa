//! Sizes in bytes: a number, or one with units (`512MiB`, `63KiB1023B`).

use std::fmt;
use std::str::FromStr;

use crate::field::{Field, Reader, Secrets};
use crate::yaml::{Node, Value, scalar};

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;
pub const GIB: u64 = 1024 * MIB;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 11] = [
    ("TiB", 1024 * GIB),
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("kB", 1000),
    ("kiB", KIB),
    ("B", 1),
];
/// Those that sizes are printed with.
const PRINTED: usize = 4;

/// Why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a size such as 67108864, 64MiB or 63KiB1023B")]
pub struct SizeError;

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        if let Some(bytes) = scalar::integer(text) {
            return u64::try_from(bytes).map(Size).map_err(|_| SizeError);
        }
        let mut rest = text;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(SizeError)?;
            let (number, after) = rest.split_at(number_end);
            let unit_end = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            let number: u64 = number.parse().map_err(|_| SizeError)?;
            let (_, scale) = UNITS
                .iter()
                .find(|(name, _)| *name == unit.trim())
                .ok_or(SizeError)?;
            total = number
                .checked_mul(*scale)
                .and_then(|part| total.checked_add(part))
                .ok_or(SizeError)?;
            rest = after;
        }
        if text.is_empty() {
            Err(SizeError)
        } else {
            Ok(Size(total))
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("0");
        }
        let mut rest = self.0;
        for (name, scale) in &UNITS[..PRINTED] {
            if rest >= *scale {
                write!(out, "{}{name}", rest / scale)?;
                rest %= scale;
            }
        }
        if rest > 0 {
            write!(out, "{rest}B")
        } else {
            Ok(())
        }
    }
}

impl Field for Size {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::Scalar(scalar) = &node.value else {
            reader.mismatch(node, "a size such as 67108864 or 64MiB");
            return;
        };
        match scalar.text.parse() {
            Ok(size) => *self = size,
            Err(error) => reader.problem(node.mark, format!("{}: {error}", node.kind())),
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::plain(self)
    }

    fn zero() -> Self {
        Size(0)
    }

    fn kind() -> String {
        "size".to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_and_without_units() {
        let cases = [
            ("0", 0, "0"),
            ("1048576", 1 << 20, "1MiB"),
            ("512MiB", 512 << 20, "512MiB"),
            ("63KiB1023B", 65_535, "63KiB1023B"),
            ("10GB", 10_000_000_000, "9GiB320MiB761KiB"),
            ("1 GiB", 1 << 30, "1GiB"),
        ];
        for (text, bytes, printed) in cases {
            let Ok(size) = text.parse::<Size>() else {
                panic!("{text}")
            };
            assert_eq!(size.0, bytes, "{text}");
            if text != "10GB" {
                assert_eq!(size.to_string(), printed);
            }
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "B", "-1", "1XB", "MiB", "1.5MiB", "99999999999TiB"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError), "{text}");
        }
    }
}
