//! Least and greatest values of pages and chunks, as they are stored.

use std::cmp::Ordering;

use crate::limits::BOUND_BYTES;

/// How values of a leaf are ordered; all but bytes are stored little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Bool,
    I32,
    U32,
    I64,
    U64,
    F64,
    Bytes,
}

/// A bound, and whether it is a value rather than only below or above all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) bytes: Vec<u8>,
    pub(crate) exact: bool,
}

impl Order {
    pub(crate) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let four = |bytes: &[u8]| bytes.first_chunk().copied().unwrap_or_default();
        let eight = |bytes: &[u8]| bytes.first_chunk().copied().unwrap_or_default();
        match self {
            Self::Bool | Self::Bytes => a.cmp(b),
            Self::I32 => i32::from_le_bytes(four(a)).cmp(&i32::from_le_bytes(four(b))),
            Self::U32 => u32::from_le_bytes(four(a)).cmp(&u32::from_le_bytes(four(b))),
            Self::I64 => i64::from_le_bytes(eight(a)).cmp(&i64::from_le_bytes(eight(b))),
            Self::U64 => u64::from_le_bytes(eight(a)).cmp(&u64::from_le_bytes(eight(b))),
            Self::F64 => f64::from_le_bytes(eight(a)).total_cmp(&f64::from_le_bytes(eight(b))),
        }
    }
}

impl Bound {
    pub(crate) fn exact(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            exact: true,
        }
    }

    /// A lower bound of a byte array: its beginning.
    pub(crate) fn lower(value: &[u8]) -> Self {
        let cut = cut(value);
        Self {
            bytes: cut.to_vec(),
            exact: cut.len() == value.len(),
        }
    }

    /// An upper bound of a byte array: its beginning, raised. Text stays text.
    pub(crate) fn upper(value: &[u8]) -> Self {
        let cut = cut(value);
        if cut.len() == value.len() {
            return Self::exact(value);
        }
        let raised = match std::str::from_utf8(cut) {
            Ok(text) => raise_text(text),
            Err(_) => raise_bytes(cut),
        };
        match raised {
            Some(bytes) => Self {
                bytes,
                exact: false,
            },
            // Nothing of this length is above it.
            None => Self::exact(value),
        }
    }
}

/// At most `BOUND_BYTES` of a value, and whole characters of what is text.
fn cut(value: &[u8]) -> &[u8] {
    let Some(cut) = value.get(..BOUND_BYTES) else {
        return value;
    };
    if cut.len() == value.len() {
        return value;
    }
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        _ => cut,
    }
}

/// The text with its last character that has a successor of the same length raised, and nothing behind it.
fn raise_text(text: &str) -> Option<Vec<u8>> {
    for (at, character) in text.char_indices().rev() {
        let next = char::from_u32(u32::from(character) + 1)
            .filter(|next| next.len_utf8() == character.len_utf8());
        if let Some(next) = next {
            let mut raised = text[..at].to_owned();
            raised.push(next);
            return Some(raised.into_bytes());
        }
    }
    None
}

fn raise_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut raised = bytes[..=at].to_vec();
    raised[at] += 1;
    Some(raised)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_bounds_are_cut_and_raised() {
        let bytes = |text: &str| (Bound::lower(text.as_bytes()), Bound::upper(text.as_bytes()));
        let (lower, upper) = bytes("0123456789abcdef");
        assert_eq!(lower, upper);
        assert!(lower.exact);
        let (lower, upper) = bytes("0123456789abcdefg");
        assert_eq!(lower.bytes, b"0123456789abcdef");
        assert_eq!(upper.bytes, b"0123456789abcdeg");
        assert!(!lower.exact && !upper.exact);
        // 0x7f has no successor of one byte.
        let (_, upper) = bytes("0123456789abcd\u{7f}\u{7f}x");
        assert_eq!(upper.bytes, b"0123456789abce");
        // A character is not cut through.
        let (lower, upper) = bytes("0123456789abcd\u{20ac}");
        assert_eq!(lower.bytes, b"0123456789abcd");
        assert_eq!(upper.bytes, b"0123456789abce");
        let highest = "\u{7f}".repeat(20);
        assert_eq!(Bound::upper(highest.as_bytes()), Bound::exact(highest));
        assert_eq!(Bound::upper(&[255; 20]), Bound::exact([255; 20]));
    }

    proptest! {
        #[test]
        fn bounds_hold(value in prop::collection::vec(any::<u8>(), 0..40), text in "\\PC{0,20}") {
            for value in [&value[..], text.as_bytes()] {
                let (lower, upper) = (Bound::lower(value), Bound::upper(value));
                prop_assert!(lower.bytes[..] <= *value && *value <= upper.bytes[..]);
                prop_assert_eq!(lower.exact, lower.bytes == value);
                prop_assert_eq!(upper.exact, upper.bytes == value);
            }
            prop_assert!(std::str::from_utf8(&Bound::upper(text.as_bytes()).bytes).is_ok());
        }
    }
}
