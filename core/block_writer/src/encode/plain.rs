//! PLAIN: booleans as bits, texts with their length.

/// Appends booleans, given as 0 or 1, as bits, the first in the lowest.
pub(crate) fn booleans(values: &[u8], out: &mut Vec<u8>) {
    let (groups, rest) = values.as_chunks::<8>();
    out.extend(groups.iter().map(|group| bits_of(*group)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        out.push(bits_of(last));
    }
}

/// The lowest bits of eight bytes as one byte, the first one's lowest.
fn bits_of(group: [u8; 8]) -> u8 {
    let low = u64::from_le_bytes(group) & 0x0101_0101_0101_0101;
    // Moves the bit of byte n to bit 56 + n; no two of them meet.
    (low.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Appends an entry of a dictionary of texts.
pub(crate) fn dictionary_entry(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_boolean_is_the_lowest_bit() {
        let mut out = Vec::new();
        booleans(&[1, 0, 1, 0, 0, 0, 0, 1, 0, 1], &mut out);
        assert_eq!(out, [0b1000_0101, 0b10]);
    }
}
