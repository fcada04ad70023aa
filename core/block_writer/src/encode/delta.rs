//! The delta encodings: numbers as differences, packed in blocks, and byte arrays over them.

use super::hybrid::varint;

const BLOCK: usize = 128;
const MINI_BLOCKS: usize = 4;
const MINI_BLOCK: usize = BLOCK / MINI_BLOCKS;

/// DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
pub(crate) fn delta_length_byte_array(lengths: &[u32], data: &[u8], out: &mut Vec<u8>) {
    delta_binary_packed(lengths.iter().map(|len| *len as i32), out);
    out.extend_from_slice(data);
}

/// DELTA_BYTE_ARRAY: of each array how many bytes it shares with the one before, and the rest.
pub(crate) fn delta_byte_array(lengths: &[u32], data: &[u8], out: &mut Vec<u8>) {
    let mut prefixes = Vec::with_capacity(lengths.len());
    let mut suffixes = Vec::with_capacity(lengths.len());
    let mut rest = Vec::with_capacity(data.len());
    let (mut start, mut before): (usize, &[u8]) = (0, &[]);
    for len in lengths {
        let end = start + *len as usize;
        let this = &data[start..end];
        let shared = this.iter().zip(before).take_while(|(a, b)| a == b).count();
        prefixes.push(shared as u32);
        suffixes.push(len - shared as u32);
        rest.extend_from_slice(&this[shared..]);
        (start, before) = (end, this);
    }
    delta_binary_packed(prefixes.iter().map(|len| *len as i32), out);
    delta_length_byte_array(&suffixes, &rest, out);
}

/// DELTA_BINARY_PACKED.
fn delta_binary_packed(values: impl ExactSizeIterator<Item = i32>, out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint(MINI_BLOCKS as u64, out);
    varint(values.len() as u64, out);
    let mut values = values.peekable();
    let mut before = values.next().unwrap_or_default();
    varint(zigzag(i64::from(before)), out);
    let mut deltas = [0_i64; BLOCK];
    while values.peek().is_some() {
        let mut count = 0;
        for (place, value) in deltas.iter_mut().zip(&mut values) {
            // Never wraps: lengths are not negative.
            *place = i64::from(value) - i64::from(before);
            before = value;
            count += 1;
        }
        block(&mut deltas[..count], out);
    }
}

fn block(deltas: &mut [i64], out: &mut Vec<u8>) {
    let least = deltas.iter().copied().min().unwrap_or_default();
    varint(zigzag(least), out);
    let mut widths = [0_u8; MINI_BLOCKS];
    for (width, mini) in widths.iter_mut().zip(deltas.chunks_mut(MINI_BLOCK)) {
        let mut all = 0;
        for delta in mini {
            *delta -= least;
            all |= *delta;
        }
        *width = (i64::BITS - all.leading_zeros()) as u8;
    }
    out.extend_from_slice(&widths);
    for (width, mini) in widths.iter().zip(deltas.chunks(MINI_BLOCK)) {
        let (mut bits, mut held) = (0_u128, 0);
        for place in 0..MINI_BLOCK {
            let value = mini.get(place).copied().unwrap_or_default();
            bits |= (value as u128) << held;
            held += u32::from(*width);
            while held >= 8 {
                out.push(bits as u8);
                bits >>= 8;
                held -= 8;
            }
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take_varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }

    fn take_signed(bytes: &mut &[u8]) -> i64 {
        let value = take_varint(bytes);
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    /// Reads numbers as the format describes them.
    fn take_numbers(bytes: &mut &[u8]) -> Vec<i64> {
        let block = take_varint(bytes) as usize;
        let minis = take_varint(bytes) as usize;
        let count = take_varint(bytes) as usize;
        let mut values = vec![take_signed(bytes)];
        while values.len() < count {
            let least = take_signed(bytes);
            let (widths, rest) = bytes.split_at(minis);
            *bytes = rest;
            for width in widths {
                let per_mini = block / minis;
                let (packed, rest) = bytes.split_at(per_mini * usize::from(*width) / 8);
                *bytes = rest;
                for place in 0..per_mini {
                    let mut delta = 0_i64;
                    for bit in 0..usize::from(*width) {
                        let at = place * usize::from(*width) + bit;
                        delta |= i64::from(packed[at / 8] >> (at % 8) & 1) << bit;
                    }
                    values.push(values.last().unwrap() + delta + least);
                }
            }
        }
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<i32>(), 0..600)) {
            let mut out = Vec::new();
            delta_binary_packed(values.iter().copied(), &mut out);
            let expected: Vec<_> = values.iter().map(|value| i64::from(*value)).collect();
            let mut bytes = &out[..];
            prop_assert_eq!(take_numbers(&mut bytes), expected);
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn arrays_come_back(values in prop::collection::vec(prop::collection::vec(0..3_u8, 0..9), 1..300)) {
            let data = values.concat();
            let lengths: Vec<_> = values.iter().map(|value| value.len() as u32).collect();
            let mut out = Vec::new();
            delta_byte_array(&lengths, &data, &mut out);
            let mut bytes = &out[..];
            let prefixes = take_numbers(&mut bytes);
            let suffixes = take_numbers(&mut bytes);
            let mut before: Vec<u8> = Vec::new();
            for (index, value) in values.iter().enumerate() {
                let (suffix, rest) = bytes.split_at(suffixes[index] as usize);
                bytes = rest;
                before.truncate(prefixes[index] as usize);
                before.extend_from_slice(suffix);
                prop_assert_eq!(&before, value);
            }
            prop_assert!(bytes.is_empty());
        }
    }
}
