//! Decoders against naive encoders: whatever is skipped and taken, the values are those that went in.

use proptest::prelude::*;

use super::decode::{self, Pick};
use super::delta::DeltaInts;
use super::hybrid::Hybrid;
use super::number;
use crate::values::{Budget, ByteArrays, Values};

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint((value << 1 ^ value >> 63).cast_unsigned(), out);
}

/// Bit by bit, lowest first.
fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let bits = values
        .iter()
        .flat_map(|&value| (0..width).map(move |bit| value >> bit & 1 == 1));
    let bits: Vec<bool> = bits.collect();
    for byte in bits.chunks(8) {
        out.push(
            byte.iter()
                .rev()
                .fold(0, |byte, &bit| byte << 1 | u8::from(bit)),
        );
    }
}

/// Runs as they are given: a value and how often, or values to pack (filled up with zeros to whole groups, but for the
/// last run they are whole groups already).
fn hybrid(runs: &[Run], width: u32) -> (Vec<u8>, Vec<u32>) {
    let (mut out, mut values) = (Vec::new(), Vec::new());
    for run in runs {
        match run {
            Run::Same(value, count) => {
                varint((*count as u64) << 1, &mut out);
                out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
                values.extend(std::iter::repeat_n(*value, *count));
            }
            Run::Packed(packed) => {
                varint((packed.len() as u64 / 8) << 1 | 1, &mut out);
                let wide: Vec<u64> = packed.iter().map(|&value| value.into()).collect();
                pack(&wide, width, &mut out);
                values.extend(packed);
            }
        }
    }
    (out, values)
}

#[derive(Clone, Debug)]
enum Run {
    Same(u32, usize),
    Packed(Vec<u32>),
}

fn runs(width: u32) -> impl Strategy<Value = Vec<Run>> {
    let mask = ((1_u64 << width) - 1) as u32;
    // Few values, or all of the width.
    let value = move || {
        prop_oneof![
            any::<u32>().prop_map(move |value| value & mask),
            0..=mask.min(2)
        ]
    };
    let run = prop_oneof![
        (value(), 0..40_usize).prop_map(|(value, count)| Run::Same(value, count)),
        (0..12_usize)
            .prop_flat_map(move |groups| prop::collection::vec(value(), groups * 8))
            .prop_map(Run::Packed),
    ];
    prop::collection::vec(run, 0..12)
}

fn delta(values: &[i64], miniblock: usize, miniblocks: usize) -> Vec<u8> {
    let mut out = Vec::new();
    varint((miniblock * miniblocks) as u64, &mut out);
    varint(miniblocks as u64, &mut out);
    varint(values.len() as u64, &mut out);
    zigzag(values.first().copied().unwrap_or(0), &mut out);
    let deltas: Vec<i64> = values
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    for block in deltas.chunks(miniblock * miniblocks) {
        let min = block.iter().copied().min().unwrap_or(0);
        zigzag(min, &mut out);
        let above: Vec<u64> = block
            .iter()
            .map(|delta| delta.wrapping_sub(min).cast_unsigned())
            .collect();
        let mut widths = vec![0_u8; miniblocks];
        let mut packed = Vec::new();
        for (number, chunk) in above.chunks(miniblock).enumerate() {
            let width = chunk
                .iter()
                .map(|value| 64 - value.leading_zeros())
                .max()
                .unwrap_or(0);
            widths[number] = width as u8;
            let mut chunk = chunk.to_vec();
            chunk.resize(miniblock, 0);
            pack(&chunk, width, &mut packed);
        }
        out.extend(widths);
        out.extend(packed);
    }
    out
}

fn delta_length(values: &[Vec<u8>]) -> Vec<u8> {
    let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
    let mut out = delta(&lengths, 32, 4);
    out.extend(values.concat());
    out
}

fn delta_bytes(values: &[Vec<u8>]) -> Vec<u8> {
    let mut before: &[u8] = &[];
    let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
    for value in values {
        let prefix = value.iter().zip(before).take_while(|(a, b)| a == b).count();
        prefixes.push(prefix as i64);
        suffixes.push(value[prefix..].to_vec());
        before = value;
    }
    let mut out = delta(&prefixes, 32, 4);
    out.extend(delta_length(&suffixes));
    out
}

fn split<const N: usize>(values: &[[u8; N]]) -> Vec<u8> {
    (0..N)
        .flat_map(|stream| values.iter().map(move |value| value[stream]))
        .collect()
}

/// Bit patterns of values that are often near each other.
fn ints() -> impl Strategy<Value = Vec<i64>> {
    let value = prop_oneof![any::<i64>(), 0..100_i64, Just(i64::MIN), Just(i64::MAX)];
    prop::collection::vec(value, 0..400)
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0..3_u8, 0..10), 0..200)
}

/// Every part of the values, in pieces.
fn picks(len: usize, at: usize, count: usize) -> Pick {
    let skip = if len == 0 { 0 } else { at % (len + 1) };
    Pick {
        skip,
        take: count.min(len - skip),
    }
}

fn decoded(encoding: i32, body: &[u8], pick: Pick, mut out: Values) -> Values {
    decode::values(encoding, body, pick, &mut Budget::of_trace(), &mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn runs_are_read_skipped_and_counted(
        (width, runs) in (0..=32_u32).prop_flat_map(|width| (Just(width), runs(width))),
        skip in 0..600_usize,
        value in 0..3_u32,
        most in 1..50_usize,
    ) {
        let (bytes, values) = hybrid(&runs, width);
        let new = || Hybrid::new(&bytes, width).unwrap();
        let mut read: Vec<u32> = Vec::new();
        new().read(values.len(), &mut read, |value| value).unwrap();
        prop_assert_eq!(&read, &values);
        prop_assert!(new().skip(values.len() + 1).is_err());

        let skip = skip.min(values.len());
        let equal = |values: &[u32]| values.iter().filter(|&&other| other == value).count();
        let mut cursor = new();
        prop_assert_eq!(cursor.skip_counting(skip, value).unwrap(), equal(&values[..skip]));
        let mut other = new();
        other.skip(skip).unwrap();
        for mut cursor in [cursor, other] {
            let rest = &values[skip..];
            let places = rest.iter().enumerate().filter(|(_, other)| **other == value);
            let expected = match places.clone().nth(most - 1) {
                Some((place, _)) => (place + 1, most),
                None => (rest.len(), places.count()),
            };
            prop_assert_eq!(cursor.skip_until(rest.len(), value, most).unwrap(), expected);
            let mut read: Vec<u32> = Vec::new();
            cursor.read(rest.len() - expected.0, &mut read, |value| value).unwrap();
            prop_assert_eq!(&read[..], &rest[expected.0..]);
        }
    }

    #[test]
    fn deltas(values in ints(), miniblock in 1..5_usize, miniblocks in 1..5_usize, at: usize, count in 0..50_usize) {
        let body = delta(&values, miniblock * 8, miniblocks);
        prop_assert_eq!(DeltaInts::new(&body).unwrap().end().unwrap(), body.len());
        let Pick { skip, take } = picks(values.len(), at, count);
        let pick = Pick { skip, take };
        let expected = &values[skip..skip + take];
        prop_assert_eq!(
            decoded(number::DELTA_BINARY_PACKED, &body, pick, Values::I64(Vec::new())),
            Values::I64(expected.to_vec())
        );
        // As 32 bits wide: differences wrap.
        prop_assert_eq!(
            decoded(number::DELTA_BINARY_PACKED, &body, pick, Values::I32(Vec::new())),
            Values::I32(expected.iter().map(|&value| value as i32).collect())
        );
        let too_many = Pick { skip: 0, take: values.len() + 1 };
        let mut out = Values::I64(Vec::new());
        let budget = &mut Budget::of_trace();
        prop_assert!(decode::values(number::DELTA_BINARY_PACKED, &body, too_many, budget, &mut out).is_err());
    }

    #[test]
    fn fixed_width(values in ints(), at: usize, count in 0..50_usize) {
        let pick = picks(values.len(), at, count);
        let expected = &values[pick.skip..pick.skip + pick.take];
        let ints: Vec<_> = values.iter().map(|value| value.to_le_bytes()).collect();
        for (encoding, body) in [(number::PLAIN, ints.concat()), (number::BYTE_STREAM_SPLIT, split(&ints))] {
            prop_assert_eq!(
                decoded(encoding, &body, pick, Values::I64(Vec::new())),
                Values::I64(expected.to_vec())
            );
            let Values::F64(doubles) = decoded(encoding, &body, pick, Values::F64(Vec::new())) else {
                panic!("doubles");
            };
            let bits: Vec<i64> = doubles.iter().map(|double| double.to_bits().cast_signed()).collect();
            prop_assert_eq!(&bits[..], expected);
        }
        let short: Vec<_> = values.iter().map(|&value| (value as i32).to_le_bytes()).collect();
        for (encoding, body) in [(number::PLAIN, short.concat()), (number::BYTE_STREAM_SPLIT, split(&short))] {
            prop_assert_eq!(
                decoded(encoding, &body, pick, Values::I32(Vec::new())),
                Values::I32(expected.iter().map(|&value| value as i32).collect())
            );
        }
        let bools: Vec<u64> = values.iter().map(|value| (value & 1).cast_unsigned()).collect();
        let mut body = Vec::new();
        pack(&bools, 1, &mut body);
        prop_assert_eq!(
            decoded(number::PLAIN, &body, pick, Values::Bool(Vec::new())),
            Values::Bool(expected.iter().map(|value| value & 1 == 1).collect())
        );
    }

    #[test]
    fn byte_strings(values in texts(), at: usize, count in 0..50_usize) {
        let pick = picks(values.len(), at, count);
        let expected: ByteArrays = values[pick.skip..pick.skip + pick.take].iter().collect();
        let plain: Vec<u8> = values
            .iter()
            .flat_map(|value| [&(value.len() as u32).to_le_bytes()[..], value].concat())
            .collect();
        for (encoding, body) in [
            (number::PLAIN, plain),
            (number::DELTA_LENGTH_BYTE_ARRAY, delta_length(&values)),
            (number::DELTA_BYTE_ARRAY, delta_bytes(&values)),
        ] {
            prop_assert_eq!(
                decoded(encoding, &body, pick, Values::Bytes(ByteArrays::default())),
                Values::Bytes(expected.clone())
            );
        }
    }

    #[test]
    fn any_bytes_are_refused_or_decoded(
        body in prop::collection::vec(any::<u8>(), 0..80),
        skip in 0..1000_usize,
        take in 0..1000_usize,
        encoding in 0..10_i32,
        width in 0..40_u32,
    ) {
        let outs = [
            Values::Bool(Vec::new()),
            Values::I32(Vec::new()),
            Values::I64(Vec::new()),
            Values::F64(Vec::new()),
            Values::Bytes(ByteArrays::default()),
        ];
        for mut out in outs {
            let mut budget = Budget::new(1 << 16);
            if decode::values(encoding, &body, Pick { skip, take }, &mut budget, &mut out).is_ok() {
                prop_assert_eq!(out.len(), take);
            }
        }
        if let Ok(mut runs) = Hybrid::new(&body, width) {
            let _ = runs.clone().skip_until(take, 1, 3);
            let _ = runs.clone().skip_counting(take, 1);
            let mut out: Vec<u32> = Vec::new();
            if runs.read(take, &mut out, |value| value).is_ok() {
                prop_assert_eq!(out.len(), take);
            }
        }
        let _ = DeltaInts::new(&body).and_then(DeltaInts::end);
    }
}
