//! The hybrid of runs and bit packing, for levels and for the codes of a dictionary.

/// Uniform groups of eight from which a run is shorter than packing them: a run costs up to three bytes, and ending
/// and beginning the packed part around it two more.
const GROUPS_OF_RUN: usize = 8;

/// Bytes of most runs. Where all of them together are fewer bytes than packed levels, runs alone compress better: their
/// lengths are whole bytes.
const RUN_BYTES: usize = 2;

const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Bits that a value of at most `max` takes.
pub(crate) fn width_of(max: u32) -> u32 {
    u32::BITS - max.leading_zeros()
}

/// Appends levels, none above `max`: their length in 4 bytes, then runs and packed groups.
pub(crate) fn levels(levels: &[u8], max: u8, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend([0; 4]);
    let width = width_of(u32::from(max));
    if RUN_BYTES * 8 * (changes(levels) + 1) <= levels.len() * width as usize {
        runs(levels, out);
    } else {
        mixed(levels, width, out);
    }
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

/// Places where a level is not the one before.
fn changes(levels: &[u8]) -> usize {
    let Some((_, behind)) = levels.split_first() else {
        return 0;
    };
    let (these, _) = levels.as_chunks::<8>();
    let (next, rest) = behind.as_chunks::<8>();
    let groups = these.iter().zip(next).map(|(these, next)| {
        let differing = u64::from_le_bytes(*these) ^ u64::from_le_bytes(*next);
        // Levels are so low that whatever is not 0 carries into the highest bit of its byte, and no further.
        let carried = differing + LOW_BITS * 0x7f;
        let bits = carried >> 7 & LOW_BITS;
        // The highest byte of the product is the sum of all bytes.
        (bits.wrapping_mul(LOW_BITS) >> 56) as usize
    });
    let at = levels.len() - rest.len();
    let last = rest.iter().zip(&levels[at - 1..]);
    groups.sum::<usize>() + last.filter(|(a, b)| a != b).count()
}

/// Every run as one, however short.
fn runs(levels: &[u8], out: &mut Vec<u8>) {
    let mut rest = levels;
    while let Some(&value) = rest.first() {
        let word = LOW_BITS * u64::from(value);
        let (groups, _) = rest.as_chunks::<8>();
        let same = |group: &&[u8; 8]| u64::from_le_bytes(**group) == word;
        let whole = groups.iter().take_while(same).count() * 8;
        let more = rest[whole..].iter().take_while(|level| **level == value);
        let len = whole + more.count();
        run(len, u32::from(value), 1, out);
        rest = &rest[len..];
    }
}

/// Long runs as such, all else packed.
fn mixed(levels: &[u8], width: u32, out: &mut Vec<u8>) {
    let (groups, rest) = levels.as_chunks::<8>();
    let mut pending = 0;
    let mut index = 0;
    while index < groups.len() {
        let word = u64::from_le_bytes(groups[index]);
        let value = groups[index][0];
        if word != LOW_BITS * u64::from(value) {
            index += 1;
            continue;
        }
        let same = groups[index..]
            .iter()
            .take_while(|group| u64::from_le_bytes(**group) == word)
            .count();
        if same >= GROUPS_OF_RUN {
            pack_levels(&groups[pending..index], width, out);
            run(same * 8, u32::from(value), 1, out);
            pending = index + same;
        }
        index += same;
    }
    if rest.is_empty() {
        pack_levels(&groups[pending..], width, out);
    } else if pending == groups.len() && rest.iter().all(|level| *level == rest[0]) {
        run(rest.len(), u32::from(rest[0]), 1, out);
    } else {
        // The last group is filled up; readers know how many values there are.
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        header_of_packed(groups.len() - pending + 1, out);
        for group in groups[pending..].iter().chain([&last]) {
            pack_group(*group, width, out);
        }
    }
}

fn pack_levels(groups: &[[u8; 8]], width: u32, out: &mut Vec<u8>) {
    if groups.is_empty() {
        return;
    }
    header_of_packed(groups.len(), out);
    for group in groups {
        pack_group(*group, width, out);
    }
}

/// Eight values of `width` (at most 8) bits each, the first in the lowest bits.
fn pack_group(group: [u8; 8], width: u32, out: &mut Vec<u8>) {
    let bytes = u64::from_le_bytes(group);
    let pairs = bytes & 0x00ff_00ff_00ff_00ff | (bytes & 0xff00_ff00_ff00_ff00) >> (8 - width);
    let fours = pairs & 0x0000_ffff_0000_ffff | (pairs & 0xffff_0000_ffff_0000) >> (16 - 2 * width);
    let packed = fours & 0xffff_ffff | fours >> 32 << (4 * width);
    out.extend_from_slice(&packed.to_le_bytes()[..width as usize]);
}

fn header_of_packed(groups: usize, out: &mut Vec<u8>) {
    varint((groups as u64) << 1 | 1, out);
}

fn run(count: usize, value: u32, value_bytes: usize, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..value_bytes]);
}

/// Codes of a page's values.
pub(crate) struct Codes<'c> {
    pub(crate) codes: &'c [u32],
    /// The largest code there can be.
    pub(crate) max: u32,
}

/// Appends the codes: one byte with their width, then runs and packed groups. The width is one of whole bytes, though
/// fewer bits may do: what comes after compresses bytes, and finds in them what it would not find in shifted bits.
pub(crate) fn codes(codes: &Codes<'_>, out: &mut Vec<u8>) {
    let bytes = (width_of(codes.max).div_ceil(8) as usize).max(1);
    out.push(bytes as u8 * 8);
    let all = codes.codes;
    if let Some(first) = all.first()
        && all.iter().all(|code| code == first)
    {
        run(all.len(), *first, bytes, out);
        return;
    }
    if all.is_empty() {
        return;
    }
    let groups = all.len().div_ceil(8);
    header_of_packed(groups, out);
    let padding = (groups * 8 - all.len()) * bytes;
    match bytes {
        1 => out.extend(all.iter().map(|code| *code as u8)),
        2 => all
            .iter()
            .for_each(|code| out.extend_from_slice(&(*code as u16).to_le_bytes())),
        3 => all
            .iter()
            .for_each(|code| out.extend_from_slice(&code.to_le_bytes()[..3])),
        _ => all
            .iter()
            .for_each(|code| out.extend_from_slice(&code.to_le_bytes())),
    }
    out.resize(out.len() + padding, 0);
}

/// Appends a number in groups of seven bits.
pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads runs and packed groups as the format describes them.
    fn read(mut bytes: &[u8], width: usize, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let (first, rest) = bytes.split_first().unwrap();
                bytes = rest;
                header |= u64::from(first & 0x7f) << shift;
                shift += 7;
                if first & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(width.div_ceil(8));
                bytes = rest;
                let value = value
                    .iter()
                    .rev()
                    .fold(0, |all, byte| all << 8 | u32::from(*byte));
                values.extend(std::iter::repeat_n(value, (header >> 1) as usize));
            } else {
                let groups = (header >> 1) as usize;
                let (packed, rest) = bytes.split_at(groups * width);
                bytes = rest;
                for place in 0..groups * 8 {
                    let bit = |bit: usize| {
                        let at = place * width + bit;
                        u32::from(packed[at / 8] >> (at % 8) & 1) << bit
                    };
                    values.push((0..width).map(bit).sum());
                }
            }
        }
        assert!(bytes.is_empty() && values.len() < count + 8);
        values.truncate(count);
        values
    }

    /// Values in runs of lengths around those at which the encoder decides.
    fn runs(max: u32) -> impl Strategy<Value = Vec<u32>> {
        let run = (0..=max, prop_oneof![1..4_usize, 1..30_usize, 60..140_usize]);
        prop::collection::vec(run, 0..20).prop_map(|runs| {
            let run = |(value, count)| std::iter::repeat_n(value, count);
            runs.into_iter().flat_map(run).collect()
        })
    }

    proptest! {
        #[test]
        fn levels_come_back((max, all) in (1..9_u32).prop_flat_map(|max| (Just(max), runs(max)))) {
            let bytes: Vec<u8> = all.iter().map(|level| *level as u8).collect();
            let mut out = vec![7];
            levels(&bytes, max as u8, &mut out);
            let len = u32::from_le_bytes(*out[1..].first_chunk().unwrap());
            prop_assert_eq!(len as usize, out.len() - 5);
            prop_assert_eq!(read(&out[5..], width_of(max) as usize, all.len()), all);
        }

        #[test]
        fn codes_come_back(
            (max, all) in prop::sample::select(vec![0, 1, 255, 256, 65_535, 65_536, 1 << 24, u32::MAX])
                .prop_flat_map(|max| (Just(max), runs(max)))
        ) {
            let mut out = Vec::new();
            codes(&Codes { codes: &all, max }, &mut out);
            prop_assert_eq!(read(&out[1..], usize::from(out[0]), all.len()), all);
        }
    }
}
