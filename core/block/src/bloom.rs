//! The bloom filter over the trace ids of a block, cut into shards (block-format.md §4.1 to §4.4).
//!
//! A shard is kept as it is stored, so that writing and reading one copies nothing: three big-endian u64 (bits, hashes,
//! bits again), then the bits as big-endian u64 words, bit `b` being bit `b mod 64` of word `b / 64`.

use bytes::Bytes;
use thiserror::Error;
use vivace_model::{TraceId, hash::bloom_fnv1_32};

use crate::limits::{MAX_BLOOM_HASHES, MAX_BLOOM_SHARD_BYTES, MAX_BLOOM_SHARDS};

const HEADER_BYTES: usize = 24;
const WORD_BYTES: usize = 8;
/// Taken for a share of mistakes that is none.
const DEFAULT_FALSE_POSITIVE: f64 = 0.01;

/// Why bytes are not a bloom shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BloomError {
    #[error("bloom shard of {0} bytes: the header alone takes {HEADER_BYTES}")]
    Short(usize),
    #[error("bloom shard of {0} bits: 1 to {max} are possible", max = MAX_BLOOM_SHARD_BYTES * 8)]
    Bits(u64),
    #[error("bloom shard says it has {bits} bits, and {again} further on")]
    BitsDiffer { bits: u64, again: u64 },
    #[error("bloom shard with {0} hashes: 1 to {MAX_BLOOM_HASHES} are possible")]
    Hashes(u64),
    #[error("bloom shard of {bits} bits takes {expected} bytes and has {actual}")]
    Length {
        bits: u64,
        expected: usize,
        actual: usize,
    },
}

impl BloomError {
    /// The same bytes never become a shard.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// The shard of an id. 0 shards stand for 10, as in a meta.
pub fn shard_of(id: TraceId, shards: u32) -> u32 {
    let shards = if shards == 0 { 10 } else { shards };
    bloom_fnv1_32(id) % shards
}

/// A filter that is being filled.
#[derive(Clone, Debug)]
pub struct BloomBuilder {
    /// As stored, header included.
    shards: Vec<Vec<u8>>,
    bits: u64,
    hashes: u64,
}

impl BloomBuilder {
    /// Sized for `estimated_objects` ids (0 counts as 1) of which a share of `false_positive` (above 0 and below 1;
    /// else 0.01) may be found although they are not there, in shards of `shard_bytes` bytes (at least 1, and at most
    /// [`MAX_BLOOM_SHARD_BYTES`]).
    pub fn new(estimated_objects: u64, false_positive: f64, shard_bytes: u64) -> Self {
        let objects = estimated_objects.max(1) as f64;
        let false_positive = if false_positive > 0.0 && false_positive < 1.0 {
            false_positive
        } else {
            DEFAULT_FALSE_POSITIVE
        };
        let bits = shard_bytes.clamp(1, MAX_BLOOM_SHARD_BYTES) * 8;
        let ln2 = std::f64::consts::LN_2;
        let all_bits = (-objects * false_positive.ln() / (ln2 * ln2)).ceil();
        // From f64 to integer, what is too large becomes the largest.
        let hashes = ((ln2 * all_bits / objects).ceil() as u64).clamp(1, MAX_BLOOM_HASHES);
        let shards = ((all_bits / bits as f64).ceil() as u64).clamp(1, MAX_BLOOM_SHARDS.into());
        let words = bits.div_ceil(64) as usize;
        let mut empty = vec![0; HEADER_BYTES + words * WORD_BYTES];
        let header = [bits, hashes, bits].map(u64::to_be_bytes);
        empty[..HEADER_BYTES].copy_from_slice(header.as_flattened());
        Self {
            shards: vec![empty; shards as usize],
            bits,
            hashes,
        }
    }

    /// How many shards there will be: `bloomShards` of the meta.
    pub fn shard_count(&self) -> u32 {
        self.shards.len() as u32
    }

    pub fn add(&mut self, id: TraceId) {
        let shard = shard_of(id, self.shard_count()) as usize;
        let shard = &mut self.shards[shard];
        let hash = Hash::of(id);
        for i in 0..self.hashes {
            let (byte, mask) = place(hash.location(i) % self.bits);
            shard[byte] |= mask;
        }
    }

    /// The shards as they are stored: `bloom-0` first.
    pub fn finish(self) -> Vec<Bytes> {
        self.shards.into_iter().map(Bytes::from).collect()
    }
}

/// A shard as it was read.
#[derive(Clone, Debug)]
pub struct BloomShard {
    bytes: Bytes,
    bits: u64,
    hashes: u64,
}

impl BloomShard {
    /// Bits and hashes come from the header, whatever the configuration says.
    pub fn parse(bytes: Bytes) -> Result<Self, BloomError> {
        let number = |index: usize| {
            let number = bytes.get(index * 8..)?.first_chunk::<8>()?;
            Some(u64::from_be_bytes(*number))
        };
        let header = (number(0), number(1), number(2));
        let (Some(bits), Some(hashes), Some(again)) = header else {
            return Err(BloomError::Short(bytes.len()));
        };
        if bits == 0 || bits > MAX_BLOOM_SHARD_BYTES * 8 {
            return Err(BloomError::Bits(bits));
        }
        if bits != again {
            return Err(BloomError::BitsDiffer { bits, again });
        }
        if hashes == 0 || hashes > MAX_BLOOM_HASHES {
            return Err(BloomError::Hashes(hashes));
        }
        let expected = HEADER_BYTES + bits.div_ceil(64) as usize * WORD_BYTES;
        if bytes.len() != expected {
            return Err(BloomError::Length {
                bits,
                expected,
                actual: bytes.len(),
            });
        }
        Ok(Self {
            bytes,
            bits,
            hashes,
        })
    }

    /// False: the id is not among those added. True: it may be. The shard must be that of [`shard_of`].
    pub fn contains(&self, id: TraceId) -> bool {
        let hash = Hash::of(id);
        (0..self.hashes).all(|i| {
            let (byte, mask) = place(hash.location(i) % self.bits);
            // `parse` has checked the length.
            self.bytes.get(byte).is_some_and(|byte| byte & mask != 0)
        })
    }

    /// Bits of the shard.
    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Bits looked at for one id.
    pub fn hashes(&self) -> u64 {
        self.hashes
    }

    /// Bits that are set.
    pub fn bits_set(&self) -> u64 {
        let words = self.bytes.iter().skip(HEADER_BYTES);
        words.map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// The share of ids never added that [`BloomShard::contains`] says may be there, going by the bits set.
    pub fn false_positive(&self) -> f64 {
        let fill = self.bits_set() as f64 / self.bits as f64;
        fill.powi(self.hashes as i32)
    }
}

/// The byte of a stored shard, and the bit in it, of a bit of the filter.
fn place(bit: u64) -> (usize, u8) {
    let word = (bit / 64) as usize * WORD_BYTES;
    let byte = WORD_BYTES - 1 - (bit % 64 / 8) as usize;
    (HEADER_BYTES + word + byte, 1 << (bit % 8))
}

/// Four hashes of an id: Murmur3 of the id, and of the id and one more byte.
struct Hash([u64; 4]);

impl Hash {
    fn of(id: TraceId) -> Self {
        let number = u128::from_le_bytes(id.0);
        let halves = murmur3_block(number as u64, (number >> 64) as u64);
        let [h0, h1] = murmur3_finish(halves, 16);
        // The byte after the id is 1: what is left over of a block goes into the first half only.
        let rest = 1_u64.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
        let [h2, h3] = murmur3_finish([halves[0] ^ rest, halves[1]], 17);
        Self([h0, h1, h2, h3])
    }

    /// The i-th location, before it is taken modulo the bits.
    fn location(&self, i: u64) -> u64 {
        let Self([h0, h1, h2, h3]) = self;
        let start = if i.is_multiple_of(2) { h0 } else { h1 };
        // 2, 3, 3, 2 for i = 0, 1, 2, 3, and so on.
        let step = if matches!(i % 4, 0 | 3) { h2 } else { h3 };
        start.wrapping_add(i.wrapping_mul(*step))
    }
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// Murmur3 (x64, 128 bits, seed 0) after one block of 16 bytes.
fn murmur3_block(k1: u64, k2: u64) -> [u64; 2] {
    let k1 = k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let h1 = k1.rotate_left(27).wrapping_mul(5).wrapping_add(0x52dc_e729);
    let k2 = k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let h2 = k2
        .rotate_left(31)
        .wrapping_add(h1)
        .wrapping_mul(5)
        .wrapping_add(0x3849_5ab5);
    [h1, h2]
}

fn murmur3_finish([h1, h2]: [u64; 2], len: u64) -> [u64; 2] {
    let (h1, h2) = (h1 ^ len, h2 ^ len);
    let h1 = h1.wrapping_add(h2);
    let h2 = h2.wrapping_add(h1);
    let (h1, h2) = (murmur3_mix(h1), murmur3_mix(h2));
    let h1 = h1.wrapping_add(h2);
    [h1, h2.wrapping_add(h1)]
}

fn murmur3_mix(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIRST: TraceId = TraceId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    const SECOND: TraceId = TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    fn positions(id: TraceId) -> Vec<u64> {
        let hash = Hash::of(id);
        (0..7).map(|i| hash.location(i) % 819_200).collect()
    }

    #[test]
    fn shards_of_the_specification() {
        assert_eq!([10, 11, 3].map(|n| shard_of(FIRST, n)), [7, 0, 0]);
        assert_eq!([10, 11, 3].map(|n| shard_of(SECOND, n)), [4, 9, 2]);
        assert_eq!(shard_of(FIRST, 0), 7);
        let expected = [2, 2, 1, 2, 1, 1, 0, 2, 1, 1];
        for (last, expected) in (1..).zip(expected) {
            let mut id = SECOND;
            id.0[15] = last;
            assert_eq!(shard_of(id, 3), expected, "{id}");
        }
    }

    #[test]
    fn hashes_and_positions_of_the_specification() {
        assert_eq!(
            Hash::of(FIRST).0,
            [
                0xb2c9_4760_ef74_0fe0,
                0x892f_5d85_12b9_8935,
                0xb8c1_a628_c44b_1f8a,
                0xf230_5baa_3976_87fc
            ]
        );
        assert_eq!(
            Hash::of(SECOND).0,
            [
                0x23ef_f263_57c4_8224,
                0x0189_7af0_aa0c_a051,
                0x640e_b8eb_aa79_f30c,
                0xea7a_7a80_f5fe_bcaf
            ]
        );
        assert_eq!(
            positions(FIRST),
            [
                233_440, 758_065, 139_224, 583_635, 626_184, 569_633, 769_992
            ]
        );
        assert_eq!(
            positions(SECOND),
            [557_604, 548_096, 97_154, 260_469, 806_484, 479_164, 28_222]
        );
        assert_eq!(
            positions(TraceId([0xff; 16])),
            [
                280_294, 540_657, 711_268, 654_425, 446_234, 550_637, 721_248
            ]
        );
    }

    #[test]
    fn sizes_of_the_specification() {
        let large = BloomBuilder::new(870_825, 0.01, 102_400);
        assert_eq!((large.shard_count(), large.hashes), (11, 7));
        let shards = large.finish();
        assert!(shards.iter().all(|shard| shard.len() == 102_424));
        let small = BloomBuilder::new(50, 0.01, 20);
        assert_eq!((small.shard_count(), small.bits, small.hashes), (3, 160, 7));
        let most = BloomBuilder::new(u64::MAX, 0.01, 8);
        assert_eq!((most.shard_count(), most.hashes), (1000, 7));
    }

    #[test]
    fn odd_settings_still_make_a_filter() {
        let shares = [0.0, -1.0, 1.0, 2.0, f64::NAN, f64::INFINITY, 1e-300, 0.999];
        for false_positive in shares {
            for (objects, shard_bytes) in [(0, 0), (1, 1), (0, 7), (1000, 9)] {
                let mut builder = BloomBuilder::new(objects, false_positive, shard_bytes);
                builder.add(FIRST);
                let shards = builder.finish();
                let shard = shard_of(FIRST, shards.len() as u32) as usize;
                let shard = BloomShard::parse(shards[shard].clone()).unwrap();
                assert!(shard.contains(FIRST));
            }
        }
    }

    #[test]
    fn the_header_is_checked() {
        let bytes = |header: [u64; 3], words: usize| {
            let mut bytes = header.map(u64::to_be_bytes).as_flattened().to_vec();
            bytes.resize(HEADER_BYTES + words * 8, 0);
            BloomShard::parse(bytes.into()).map(|shard| shard.contains(FIRST))
        };
        assert_eq!(bytes([65, 64, 65], 2), Ok(false));
        assert_eq!(
            BloomShard::parse(Bytes::from_static(&[0; 23])).unwrap_err(),
            BloomError::Short(23)
        );
        assert_eq!(bytes([0, 7, 0], 0), Err(BloomError::Bits(0)));
        assert_eq!(bytes([u64::MAX, 7, 0], 1), Err(BloomError::Bits(u64::MAX)));
        assert_eq!(
            bytes([64, 7, 65], 1),
            Err(BloomError::BitsDiffer {
                bits: 64,
                again: 65
            })
        );
        assert_eq!(bytes([64, 0, 64], 1), Err(BloomError::Hashes(0)));
        assert_eq!(bytes([64, 65, 64], 1), Err(BloomError::Hashes(65)));
        for words in [0, 1, 3] {
            let error = BloomError::Length {
                bits: 65,
                expected: 40,
                actual: 24 + 8 * words,
            };
            assert_eq!(bytes([65, 7, 65], words), Err(error));
        }
    }

    #[test]
    fn about_as_many_mistakes_as_asked_for() {
        let id = |number: u64| {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&number.to_be_bytes());
            TraceId(id)
        };
        // One shard that is exactly as large as its ids need.
        let mut builder = BloomBuilder::new(8_546, 0.01, 10_240);
        assert_eq!(builder.shard_count(), 1);
        (0..8_546).for_each(|number| builder.add(id(number)));
        let shard = BloomShard::parse(builder.finish().remove(0)).unwrap();
        let mistakes = (1_000_000..1_100_000).filter(|&number| shard.contains(id(number)));
        let share = mistakes.count() as f64 / 100_000.0;
        assert!((0.005..0.015).contains(&share), "{share}");
        let estimate = shard.false_positive();
        assert!((0.008..0.012).contains(&estimate), "{estimate}");
    }

    /// The words as the specification has them, bit by bit.
    fn naive(ids: &[TraceId], shards: u32, bits: u64, hashes: u64) -> Vec<Vec<u8>> {
        let words = bits.div_ceil(64) as usize;
        let mut all = vec![vec![0_u64; words]; shards as usize];
        for &id in ids {
            let h = Hash::of(id).0;
            for i in 0..hashes {
                let second = 2 + ((i + i % 2) % 4) / 2;
                let place = h[(i % 2) as usize].wrapping_add(i.wrapping_mul(h[second as usize]));
                let bit = place % bits;
                all[shard_of(id, shards) as usize][(bit / 64) as usize] |= 1 << (bit % 64);
            }
        }
        let bytes = |words: Vec<u64>| {
            let numbers = [bits, hashes, bits].into_iter().chain(words);
            numbers.flat_map(u64::to_be_bytes).collect()
        };
        all.into_iter().map(bytes).collect()
    }

    proptest! {
        #[test]
        fn filters_are_those_of_the_specification(
            ids in prop::collection::vec(any::<[u8; 16]>().prop_map(TraceId), 0..200),
            estimate in 0_u64..400,
            shard_bytes in 1_u64..100,
            false_positive in 0.0001_f64..0.9,
        ) {
            let mut builder = BloomBuilder::new(estimate, false_positive, shard_bytes);
            let (bits, hashes) = (builder.bits, builder.hashes);
            ids.iter().for_each(|&id| builder.add(id));
            let shards = builder.finish();
            let expected = naive(&ids, shards.len() as u32, bits, hashes);
            prop_assert_eq!(&shards, &expected);
            for id in ids {
                let shard = shards[shard_of(id, shards.len() as u32) as usize].clone();
                prop_assert!(BloomShard::parse(shard).unwrap().contains(id));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(
            header in any::<[u8; 3]>(),
            rest in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            // Headers that often fit.
            let header = header.map(|number| u64::from(number).to_be_bytes());
            let bytes = [header.as_flattened(), &rest].concat();
            if let Ok(shard) = BloomShard::parse(bytes.into()) {
                shard.contains(FIRST);
                prop_assert!((0.0..=1.0).contains(&shard.false_positive()));
            }
            BloomShard::parse(rest.into()).ok();
        }
    }
}
