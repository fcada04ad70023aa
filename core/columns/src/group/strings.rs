//! Values of leaves as bits of cells.

use std::sync::Arc;

use vivace_block_reader::{ByteArrays, Dictionary, Values};

use super::source::LeafData;
use crate::strings::Strings;

/// Bits of numbers and booleans; None for strings.
pub(super) fn number_bits(values: Values) -> Option<Vec<u64>> {
    Some(match values {
        Values::I64(values) => values.into_iter().map(i64::cast_unsigned).collect(),
        Values::F64(values) => values.into_iter().map(f64::to_bits).collect(),
        Values::I32(values) => {
            let wide = |value: i32| i64::from(value).cast_unsigned();
            values.into_iter().map(wide).collect()
        }
        Values::Bool(values) => values.into_iter().map(u64::from).collect(),
        Values::Codes(_) | Values::Bytes(_) => return None,
    })
}

/// Numbers of strings and what they stand for; None for other values.
pub(super) fn texts(
    values: Values,
    dictionary: Option<Arc<Dictionary>>,
) -> Option<(Vec<u64>, Strings)> {
    match (values, dictionary) {
        (Values::Bytes(values), _) => {
            let numbers = (0..values.len() as u64).collect();
            Some((numbers, Strings::of_values(Arc::new(values))))
        }
        (Values::Codes(codes), Some(dictionary)) => {
            let numbers = codes.into_iter().map(u64::from).collect();
            Some((numbers, Strings::of_dictionary(dictionary)))
        }
        _ => None,
    }
}

impl LeafData {
    /// A string; empty where there is none.
    pub fn bytes(&self, index: usize) -> &[u8] {
        match (&self.page.values, self.dictionary.as_deref()) {
            (Values::Bytes(values), _) => values.get(index).unwrap_or_default(),
            (Values::Codes(codes), Some(Dictionary::Bytes(dictionary))) => {
                let code = codes.get(index).copied();
                code.and_then(|code| dictionary.get(code))
                    .unwrap_or_default()
            }
            _ => &[],
        }
    }
}

/// An id of at most eight bytes as a big-endian number; of a longer one the end.
pub(super) fn span_id(bytes: &[u8]) -> u64 {
    let end = &bytes[bytes.len().saturating_sub(8)..];
    end.iter().fold(0, |id, &byte| id << 8 | u64::from(byte))
}

/// Lower-case hex without leading zeros.
pub(super) fn hex_texts<'i>(ids: impl Iterator<Item = &'i [u8]>) -> ByteArrays {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |number: u8| DIGITS.get(usize::from(number)).copied().unwrap_or(b'0');
    let text = |id: &[u8]| {
        let mut text = Vec::with_capacity(id.len() * 2);
        for number in id.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            if number != 0 || !text.is_empty() {
                text.push(digit(number));
            }
        }
        text
    };
    ids.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(span_id(&[]), 0);
        assert_eq!(span_id(&[1, 2]), 0x102);
        assert_eq!(span_id(&[9, 1, 0, 0, 0, 0, 0, 0, 2]), 0x0100_0000_0000_0002);
        let ids: [&[u8]; 3] = [&[0, 1, 0xab], &[], &[0x10]];
        let texts = hex_texts(ids.into_iter());
        let texts: Vec<&[u8]> = texts.iter().collect();
        assert_eq!(texts, [&b"1ab"[..], b"", b"10"]);
    }
}
