//! The hybrid of runs and bit packing, for levels and for the codes of a dictionary.

/// Uniform groups of eight from which a run is shorter than packing them: a run costs up to three bytes, and ending
/// and beginning the packed part around it two more.
const GROUPS_OF_RUN: usize = 8;

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
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
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
