//! Trace and span ids.

use std::fmt;

/// 16 bytes, printed as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes, printed as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpanId(pub [u8; 8]);

/// Why a text is not an id. The texts are those of http-api.md §4.3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error(
        "{kind} IDs can only contain hex characters: invalid character '{character}' at position {position}"
    )]
    NotHex {
        kind: &'static str,
        character: char,
        /// Counted from 1.
        position: usize,
    },
    #[error("{kind} IDs can't be larger than {bits} bits")]
    TooLong { kind: &'static str, bits: usize },
    #[error("{kind} IDs can't be empty")]
    Empty { kind: &'static str },
}

impl IdError {
    /// The same text never becomes an id.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// 1 to 2·N hex digits of any case, padded with zeros on the left.
fn parse<const N: usize>(text: &str, kind: &'static str) -> Result<[u8; N], IdError> {
    for (index, character) in text.chars().enumerate() {
        if !character.is_ascii_hexdigit() {
            let position = index + 1;
            return Err(IdError::NotHex {
                kind,
                character,
                position,
            });
        }
    }
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > 2 * N {
        return Err(IdError::TooLong { kind, bits: 8 * N });
    }
    let mut id = [0; N];
    for (place, digit) in text.bytes().rev().enumerate() {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        };
        id[N - 1 - place / 2] |= nibble << (4 * (place % 2));
    }
    Ok(id)
}

fn print(f: &mut fmt::Formatter<'_>, id: &[u8]) -> fmt::Result {
    id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! id {
    ($name:ident, $bytes:literal, $kind:literal) => {
        impl $name {
            /// From 1 to 2·size hex digits of any case, padded with zeros on the left.
            pub fn from_hex(text: &str) -> Result<Self, IdError> {
                parse(text, $kind).map(Self)
            }

            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// All bits zero: OTLP's "no id".
            pub fn is_zero(&self) -> bool {
                self.0 == [0; $bytes]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(f, &self.0)
            }
        }

        impl From<[u8; $bytes]> for $name {
            fn from(id: [u8; $bytes]) -> Self {
                Self(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::from_hex(text)
            }
        }
    };
}

id!(TraceId, 16, "trace");
id!(SpanId, 8, "span");

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        TraceId::from_hex(text).unwrap_err().to_string()
    }

    #[test]
    fn short_and_odd_texts_are_padded_on_the_left() {
        let id = TraceId::from_hex("aBc").unwrap();
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        let full = "0123456789abcdefFEDCBA9876543210";
        assert_eq!(
            TraceId::from_hex(full).unwrap().to_string(),
            full.to_lowercase()
        );
        assert_eq!(
            SpanId::from_hex("1").unwrap(),
            SpanId([0, 0, 0, 0, 0, 0, 0, 1])
        );
        assert!(TraceId::from_hex("0").unwrap().is_zero());
    }

    #[test]
    fn what_is_not_an_id_is_named() {
        assert_eq!(
            message("xyz"),
            "trace IDs can only contain hex characters: invalid character 'x' at position 1"
        );
        assert_eq!(
            message("ab€"),
            "trace IDs can only contain hex characters: invalid character '€' at position 3"
        );
        assert_eq!(
            message(&"0".repeat(33)),
            "trace IDs can't be larger than 128 bits"
        );
        assert_eq!(message(""), "trace IDs can't be empty");
        assert_eq!(
            SpanId::from_hex(&"0".repeat(17)).unwrap_err().to_string(),
            "span IDs can't be larger than 64 bits"
        );
    }
}
