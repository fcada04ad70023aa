//! DELTA_BINARY_PACKED: numbers as differences, in bit-packed miniblocks.

use super::hybrid::load;
use crate::error::Malformed;
use crate::thrift::Decoded;

/// A cursor over the numbers. Arithmetic wraps, as the format says.
#[derive(Clone)]
pub(crate) struct DeltaInts<'a> {
    bytes: &'a [u8],
    at: usize,
    miniblocks: usize,
    miniblock_len: usize,
    /// Values that are left, `next` included.
    left: usize,
    next: i64,
    min_delta: i64,
    /// Bit widths of the miniblocks of this block that did not begin yet.
    widths: &'a [u8],
    packed: &'a [u8],
    width: usize,
    /// Position in the miniblock.
    index: usize,
}

fn ends() -> Malformed {
    Malformed::new("delta-encoded numbers end too early")
}

/// `width` bits (at most 64) from bit `at` on.
#[inline]
fn bits(bytes: &[u8], at: usize, width: usize) -> u64 {
    if width == 0 {
        return 0;
    }
    let shift = at % 8;
    let mut value = load(bytes, at / 8) >> shift;
    if shift + width > 64 {
        value |= load(bytes, at / 8 + 8) << (64 - shift);
    }
    value & (u64::MAX >> (64 - width))
}

impl<'a> DeltaInts<'a> {
    pub fn new(bytes: &'a [u8]) -> Decoded<Self> {
        let mut ints = Self {
            bytes,
            at: 0,
            miniblocks: 0,
            miniblock_len: 0,
            left: 0,
            next: 0,
            min_delta: 0,
            widths: &[],
            packed: &[],
            width: 0,
            index: 0,
        };
        let block_len = ints.size()?;
        ints.miniblocks = ints.size()?;
        ints.left = ints.size()?;
        ints.next = ints.zigzag()?;
        if ints.miniblocks == 0 || !block_len.is_multiple_of(ints.miniblocks) {
            return Err(Malformed::new("a block that its miniblocks don't fill"));
        }
        ints.miniblock_len = block_len / ints.miniblocks;
        if ints.miniblock_len == 0 || !ints.miniblock_len.is_multiple_of(8) {
            return Err(Malformed::new("miniblocks that are not whole bytes"));
        }
        ints.index = ints.miniblock_len;
        Ok(ints)
    }

    fn varint(&mut self) -> Decoded<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(ends)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::new("a number of more than ten bytes"))
    }

    fn size(&mut self) -> Decoded<usize> {
        let size = self.varint()?;
        if size > 1 << 31 {
            return Err(Malformed::new("a delta header with an impossible size"));
        }
        Ok(size as usize)
    }

    fn zigzag(&mut self) -> Decoded<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// Goes to the next miniblock; there is one when values are left.
    fn miniblock(&mut self) -> Decoded<()> {
        if self.widths.is_empty() {
            self.min_delta = self.zigzag()?;
            let end = self.at.checked_add(self.miniblocks).ok_or_else(ends)?;
            self.widths = self.bytes.get(self.at..end).ok_or_else(ends)?;
            self.at = end;
        }
        let (&width, rest) = self.widths.split_first().ok_or_else(ends)?;
        if width > 64 {
            return Err(Malformed::new("differences of more than 64 bits"));
        }
        self.widths = rest;
        self.width = usize::from(width);
        let len = self.miniblock_len / 8 * self.width;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // Some writers cut the last miniblock where its last value ends.
        let needed = (self.left - 1).min(self.miniblock_len) * self.width;
        if rest.len() < needed.div_ceil(8) {
            return Err(ends());
        }
        self.packed = &rest[..len.min(rest.len())];
        self.at += self.packed.len();
        self.index = 0;
        Ok(())
    }

    #[inline]
    pub fn next(&mut self) -> Decoded<i64> {
        let value = self.next;
        match self.left {
            0 => return Err(ends()),
            1 => self.left = 0,
            _ => {
                if self.index == self.miniblock_len {
                    self.miniblock()?;
                }
                let delta = bits(self.packed, self.index * self.width, self.width);
                self.index += 1;
                self.next = value
                    .wrapping_add(self.min_delta)
                    .wrapping_add(delta.cast_signed());
                self.left -= 1;
            }
        }
        Ok(value)
    }

    /// How many of `count` differences lie in this miniblock, once it is made sure that it has some; none when the next
    /// value is the last.
    fn differences(&mut self, count: usize) -> Decoded<usize> {
        if self.left < 2 {
            return Ok(0);
        }
        if self.index == self.miniblock_len {
            self.miniblock()?;
        }
        Ok(count
            .min(self.miniblock_len - self.index)
            .min(self.left - 1))
    }

    /// Passes over values.
    pub fn skip(&mut self, mut count: usize) -> Decoded<()> {
        while count > 0 {
            let step = self.differences(count)?;
            if step == 0 {
                self.next()?;
                count -= 1;
                continue;
            }
            let (first, width) = (self.index, self.width);
            let sum = (first..first + step).fold(0_u64, |sum, index| {
                sum.wrapping_add(bits(self.packed, index * width, width))
            });
            self.next = self
                .next
                .wrapping_add(self.min_delta.wrapping_mul(step.cast_signed() as i64))
                .wrapping_add(sum.cast_signed());
            self.index += step;
            self.left -= step;
            count -= step;
        }
        Ok(())
    }

    /// Passes over values and adds them.
    pub fn skip_sum(&mut self, mut count: usize) -> Decoded<i64> {
        let too_much = || Malformed::new("lengths that add up to too much");
        let mut sum = 0_i64;
        while count > 0 {
            let step = self.differences(count)?;
            let is_constant = step > 0 && self.width == 0 && self.min_delta == 0;
            let (added, step) = match is_constant {
                true => {
                    self.index += step;
                    self.left -= step;
                    let added = self.next.checked_mul(step.cast_signed() as i64);
                    (added.ok_or_else(too_much)?, step)
                }
                false => (self.next()?, 1),
            };
            sum = sum.checked_add(added).ok_or_else(too_much)?;
            count -= step;
        }
        Ok(sum)
    }

    /// Where the encoding ends.
    pub fn end(mut self) -> Decoded<usize> {
        // The last value needs no difference any more.
        while self.left > 1 {
            if self.index == self.miniblock_len {
                self.miniblock()?;
            }
            let step = (self.miniblock_len - self.index).min(self.left - 1);
            self.index += step;
            self.left -= step;
        }
        Ok(self.at)
    }
}
