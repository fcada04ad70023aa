//! Texts and their ids.

use vivace_block_reader::ByteArrays;
use vivace_model::View;

/// The id of a text, None when the batch does not have it. Goes through the dictionary, but looks at texts of the same length only.
pub(super) fn find_string(view: &View<'_>, text: &str) -> Option<u32> {
    let (starts, _) = view.string_starts().as_bytes().as_chunks::<4>();
    let data = view.string_data();
    let mut starts = starts.iter().map(|start| u32::from_le_bytes(*start));
    let mut start = starts.next()? as usize;
    let found = starts.position(|end| {
        let range = std::mem::replace(&mut start, end as usize)..end as usize;
        range.len() == text.len() && data.get(range) == Some(text.as_bytes())
    });
    found.map(|id| id as u32)
}

/// The id of a text that lies in the dictionary: views of elements and of scopes give texts only. 0 for others.
pub(super) fn id_of(view: &View<'_>, text: &str) -> u32 {
    let data = view.string_data();
    let offset = text.as_ptr().addr().wrapping_sub(data.as_ptr().addr());
    if text.is_empty() || offset >= data.len() {
        return 0;
    }
    let starts = view.string_starts();
    // The last text that starts no later: those before it with the same start are empty.
    let (mut low, mut high) = (0, view.string_count());
    while high - low > 1 {
        let middle = low.midpoint(high);
        if starts.get(middle) as usize <= offset {
            low = middle;
        } else {
            high = middle;
        }
    }
    low as u32
}

/// Lower-case hex of ids without leading zeros.
#[derive(Default)]
pub(super) struct HexTexts {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl HexTexts {
    pub(super) fn push(&mut self, id: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let start = self.text.len();
        for byte in id {
            for number in [byte >> 4, byte & 15] {
                if number != 0 || self.text.len() > start {
                    let digit = DIGITS.get(usize::from(number));
                    self.text.push(digit.copied().unwrap_or_default());
                }
            }
        }
        self.ends.push(self.text.len());
    }

    pub(super) fn finish(&self) -> ByteArrays {
        let mut start = 0;
        let texts = self.ends.iter().map(|end| {
            let range = std::mem::replace(&mut start, *end)..*end;
            self.text.get(range).unwrap_or_default()
        });
        texts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_no_leading_zeros() {
        let ids: [&[u8]; 5] = [&[0, 1, 0xab], &[], &[0, 0], &[0x10], &[0xff; 20]];
        let mut texts = HexTexts::default();
        ids.iter().for_each(|id| texts.push(id));
        let texts = texts.finish();
        let texts: Vec<_> = texts.iter().map(<[u8]>::to_vec).collect();
        let long = "f".repeat(40);
        let expected = ["1ab", "", "", "10", &long];
        assert_eq!(texts, expected.map(|text| text.as_bytes().to_vec()));
    }
}
