//! Runs and bit-packed groups of small numbers: levels, dictionary codes, booleans.

use crate::error::Malformed;
use crate::thrift::Decoded;

/// A cursor over numbers of one bit width. Whole runs are skipped and counted without unpacking.
#[derive(Clone)]
pub(crate) struct Hybrid<'a> {
    bytes: &'a [u8],
    at: usize,
    width: u32,
    run: Run<'a>,
}

#[derive(Clone, Copy)]
enum Run<'a> {
    /// The same value again and again.
    Repeated { value: u32, left: usize },
    /// Values `next..end` of a bit-packed sequence.
    Packed {
        bytes: &'a [u8],
        next: usize,
        end: usize,
    },
}

/// Eight bytes from `at` on, zeros where there are none.
#[inline]
pub(crate) fn load(bytes: &[u8], at: usize) -> u64 {
    if let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0; 8];
    let rest = bytes.get(at..).unwrap_or_default();
    word[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
    u64::from_le_bytes(word)
}

#[inline]
fn unpack(bytes: &[u8], index: usize, width: u32) -> u32 {
    let bit = index * width as usize;
    let word = load(bytes, bit / 8) >> (bit % 8);
    (word & ((1 << width) - 1)) as u32
}

/// How many lanes of `W` bits a word has when it holds whole groups of eight, and the lowest bit of each.
const fn lanes<const W: u32>() -> (usize, u64) {
    let count = 8 * (8 / W as usize);
    let mut mask = 0_u64;
    let mut lane = 0;
    while lane < count {
        mask |= 1 << (lane * W as usize);
        lane += 1;
    }
    (count, mask)
}

/// Values `next..end` of a packed sequence, a word at a time: how many equal `value`, and where that count was reached.
/// Stops before the word in which `most` would be reached. `next` is a multiple of eight.
fn count_words<const W: u32>(
    bytes: &[u8],
    (mut next, end): (usize, usize),
    value: u32,
    most: usize,
) -> (usize, usize) {
    let (step, low) = const { lanes::<W>() };
    let pattern = low.wrapping_mul(u64::from(value));
    let mut count = 0;
    while next + step <= end {
        let mut differing = load(bytes, next * W as usize / 8) ^ pattern;
        // Any bit of a lane ends up in its lowest one.
        let mut folded = differing;
        for _ in 1..W {
            differing >>= 1;
            folded |= differing;
        }
        let equal = step - (folded & low).count_ones() as usize;
        if count + equal >= most {
            break;
        }
        count += equal;
        next += step;
    }
    (count, next)
}

/// How many of the values `next..end` equal `value`, up to the value after which there are `most`; and where that is.
fn count_packed(
    bytes: &[u8],
    width: u32,
    (mut next, end): (usize, usize),
    value: u32,
    most: usize,
) -> (usize, usize) {
    if width < 32 && value >> width != 0 {
        return (0, end);
    }
    let mut count = 0;
    let one_by_one = |next: &mut usize, end: usize, count: &mut usize| {
        while *next < end && *count < most {
            *count += usize::from(unpack(bytes, *next, width) == value);
            *next += 1;
        }
    };
    let aligned = end.min(next.next_multiple_of(8));
    one_by_one(&mut next, aligned, &mut count);
    if next == aligned {
        let (rest, left) = ((next, end), most - count);
        let (equal, at) = match width {
            1 => count_words::<1>(bytes, rest, value, left),
            2 => count_words::<2>(bytes, rest, value, left),
            3 => count_words::<3>(bytes, rest, value, left),
            4 => count_words::<4>(bytes, rest, value, left),
            8 => count_words::<8>(bytes, rest, value, left),
            _ => (0, next),
        };
        count += equal;
        next = at;
    }
    one_by_one(&mut next, end, &mut count);
    (count, next)
}

/// Groups of eight packed numbers, the first of which is number `next` (a multiple of eight); says how many groups were
/// appended: the last ones, for which a load would go beyond the bytes, are left to the caller.
fn unpack_groups<const W: usize, T: Copy>(
    bytes: &[u8],
    next: usize,
    groups: usize,
    out: &mut Vec<T>,
    cast: &impl Fn(u32) -> T,
) -> usize {
    out.reserve(groups * 8);
    let packed = bytes.get(next / 8 * W..).unwrap_or_default();
    for number in 0..groups {
        let Some(window) = packed.get(number * W..number * W + W + 8) else {
            return number;
        };
        let group: [T; 8] = std::array::from_fn(|index| {
            let bit = index * W;
            let word = window.get(bit / 8..).and_then(|rest| rest.first_chunk());
            let word = word.map_or(0, |word| u64::from_le_bytes(*word)) >> (bit % 8);
            cast((word & ((1 << W) - 1)) as u32)
        });
        out.extend_from_slice(&group);
    }
    groups
}

/// Numbers `next..end` of a packed sequence.
fn unpack_all<T: Copy>(
    bytes: &[u8],
    width: u32,
    (mut next, end): (usize, usize),
    out: &mut Vec<T>,
    cast: &impl Fn(u32) -> T,
) {
    let aligned = end.min(next.next_multiple_of(8));
    out.extend((next..aligned).map(|index| cast(unpack(bytes, index, width))));
    next = aligned;
    macro_rules! groups {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_groups::<$width, T>(bytes, next, (end - next) / 8, out, cast),)*
                _ => 0,
            }
        };
    }
    next += 8 * groups!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
    out.extend((next..end).map(|index| cast(unpack(bytes, index, width))));
}

impl<'a> Hybrid<'a> {
    /// Numbers of `width` bits, at most 32.
    pub fn new(bytes: &'a [u8], width: u32) -> Decoded<Self> {
        if width > 32 {
            return Err(Malformed::new("numbers of more than 32 bits"));
        }
        Ok(Self {
            bytes,
            at: 0,
            width,
            run: Run::Repeated { value: 0, left: 0 },
        })
    }

    fn header(&mut self) -> Decoded<usize> {
        let mut value = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or_else(|| Malformed::new("runs end before the last value"))?;
            self.at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::new("a run header of more than five bytes"))
    }

    /// Makes sure that the run has something left.
    fn fill(&mut self) -> Decoded<()> {
        loop {
            match self.run {
                Run::Repeated { left: 1.., .. } => return Ok(()),
                Run::Packed { next, end, .. } if next < end => return Ok(()),
                _ => {}
            }
            let header = self.header()?;
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if header & 1 == 1 {
                let groups = header >> 1;
                let len = groups.saturating_mul(self.width as usize).min(rest.len());
                // Some writers leave out the end of the last group.
                let end = match self.width {
                    0 => groups * 8,
                    width => len * 8 / width as usize,
                };
                self.run = Run::Packed {
                    bytes: &rest[..len],
                    next: 0,
                    end,
                };
                self.at += len;
            } else {
                let len = self.width.div_ceil(8) as usize;
                if rest.len() < len {
                    return Err(Malformed::new("a run without a value"));
                }
                let value = (load(&rest[..len], 0) & ((1 << self.width) - 1)) as u32;
                self.at += len;
                self.run = Run::Repeated {
                    value,
                    left: header >> 1,
                };
            }
        }
    }

    /// Passes over `count` values and says how many of them equal `value`.
    pub fn skip_counting(&mut self, mut count: usize, value: u32) -> Decoded<usize> {
        let mut equal = 0;
        while count > 0 {
            self.fill()?;
            let width = self.width;
            match &mut self.run {
                Run::Repeated { value: same, left } => {
                    let step = count.min(*left);
                    *left -= step;
                    count -= step;
                    equal += if *same == value { step } else { 0 };
                }
                Run::Packed { bytes, next, end } => {
                    let step = count.min(*end - *next);
                    let until = (*next, *next + step);
                    equal += count_packed(bytes, width, until, value, usize::MAX).0;
                    *next += step;
                    count -= step;
                }
            }
        }
        Ok(equal)
    }

    /// Passes over `count` values.
    pub fn skip(&mut self, mut count: usize) -> Decoded<()> {
        while count > 0 {
            self.fill()?;
            match &mut self.run {
                Run::Repeated { left, .. } => {
                    let step = count.min(*left);
                    *left -= step;
                    count -= step;
                }
                Run::Packed { next, end, .. } => {
                    let step = count.min(*end - *next);
                    *next += step;
                    count -= step;
                }
            }
        }
        Ok(())
    }

    /// Passes over at most `limit` values, until `most` of them (at least one) were equal to `value`; says how many were
    /// passed and how many were equal.
    pub fn skip_until(&mut self, limit: usize, value: u32, most: usize) -> Decoded<(usize, usize)> {
        let (mut passed, mut equal) = (0, 0);
        while passed < limit && equal < most {
            self.fill()?;
            let width = self.width;
            match &mut self.run {
                Run::Repeated { value: same, left } => {
                    let mut step = (*left).min(limit - passed);
                    if *same == value {
                        step = step.min(most - equal);
                        equal += step;
                    }
                    *left -= step;
                    passed += step;
                }
                Run::Packed { bytes, next, end } => {
                    let until = (*next, (*end).min(*next + (limit - passed)));
                    let (count, at) = count_packed(bytes, width, until, value, most - equal);
                    passed += at - *next;
                    equal += count;
                    *next = at;
                }
            }
        }
        Ok((passed, equal))
    }

    /// Appends the next `count` values.
    pub fn read<T>(
        &mut self,
        mut count: usize,
        out: &mut Vec<T>,
        cast: impl Fn(u32) -> T,
    ) -> Decoded<()>
    where
        T: Copy,
    {
        out.reserve(count);
        while count > 0 {
            self.fill()?;
            let width = self.width;
            match &mut self.run {
                Run::Repeated { value, left } => {
                    let step = count.min(*left);
                    out.resize(out.len() + step, cast(*value));
                    *left -= step;
                    count -= step;
                }
                Run::Packed { bytes, next, end } => {
                    let step = count.min(*end - *next);
                    unpack_all(bytes, width, (*next, *next + step), out, &cast);
                    *next += step;
                    count -= step;
                }
            }
        }
        Ok(())
    }
}
