//! PLAIN: booleans as bits, texts with their length.

/// Appends booleans, given as 0 or 1, as bits, the first in the lowest.
pub(crate) fn booleans(values: &[u8], out: &mut Vec<u8>) {
    for group in values.chunks(8) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |bits, (place, value)| bits | (value & 1) << place);
        out.push(bits);
    }
}

/// Appends an entry of a dictionary of texts.
pub(crate) fn dictionary_entry(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}
