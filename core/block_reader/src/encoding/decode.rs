//! Values of a page by encoding: some are skipped, some are taken, the rest is not looked at.

use vivace_block::schema::Physical;

use super::delta::DeltaInts;
use super::hybrid::Hybrid;
use super::number;
use crate::error::Malformed;
use crate::thrift::Decoded;
use crate::values::{Budget, ByteArrays, Values};

/// Which values of a page are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub skip: usize,
    pub take: usize,
}

fn ends() -> Malformed {
    Malformed::new("the page ends before its last value")
}

/// The empty values of a type.
pub(crate) fn none_of(physical: Physical) -> Values {
    match physical {
        Physical::Boolean => Values::Bool(Vec::new()),
        Physical::Int32 => Values::I32(Vec::new()),
        Physical::Int64 => Values::I64(Vec::new()),
        Physical::Double => Values::F64(Vec::new()),
        Physical::ByteArray => Values::Bytes(ByteArrays::default()),
    }
}

pub(crate) fn is_dictionary(encoding: i32) -> bool {
    matches!(encoding, number::PLAIN_DICTIONARY | number::RLE_DICTIONARY)
}

/// Codes of a page: one byte says how wide they are.
pub(crate) fn codes(
    body: &[u8],
    pick: Pick,
    budget: &mut Budget,
    out: &mut Vec<u32>,
) -> Decoded<()> {
    let (&width, runs) = body.split_first().ok_or_else(ends)?;
    let mut codes = Hybrid::new(runs, u32::from(width))?;
    budget.take(pick.take.saturating_mul(4))?;
    codes.skip(pick.skip)?;
    codes.read(pick.take, out, |code| code)
}

/// Appends the values asked for; `out` has the type of the leaf.
pub(crate) fn values(
    encoding: i32,
    body: &[u8],
    pick: Pick,
    budget: &mut Budget,
    out: &mut Values,
) -> Decoded<()> {
    match (encoding, out) {
        (number::PLAIN, Values::Bytes(out)) => plain_bytes(body, pick, budget, out),
        (number::DELTA_LENGTH_BYTE_ARRAY, Values::Bytes(out)) => {
            delta_length(body, pick, budget, out)
        }
        (number::DELTA_BYTE_ARRAY, Values::Bytes(out)) => delta_bytes(body, pick, budget, out),
        (number::PLAIN, Values::Bool(out)) => plain_bools(body, pick, budget, out),
        (number::RLE, Values::Bool(out)) => run_bools(body, pick, budget, out),
        (number::PLAIN, Values::I32(out)) => plain(body, pick, budget, out, i32::from_le_bytes),
        (number::PLAIN, Values::I64(out)) => plain(body, pick, budget, out, i64::from_le_bytes),
        (number::PLAIN, Values::F64(out)) => plain(body, pick, budget, out, f64::from_le_bytes),
        (number::BYTE_STREAM_SPLIT, Values::I32(out)) => {
            split(body, pick, budget, out, i32::from_le_bytes)
        }
        (number::BYTE_STREAM_SPLIT, Values::I64(out)) => {
            split(body, pick, budget, out, i64::from_le_bytes)
        }
        (number::BYTE_STREAM_SPLIT, Values::F64(out)) => {
            split(body, pick, budget, out, f64::from_le_bytes)
        }
        (number::DELTA_BINARY_PACKED, Values::I32(out)) => {
            delta(body, pick, budget, out, |value| value as i32)
        }
        (number::DELTA_BINARY_PACKED, Values::I64(out)) => {
            delta(body, pick, budget, out, |value| value)
        }
        (encoding, _) => Err(Malformed::new(format!(
            "encoding {encoding}, which does not fit the type of the column"
        ))),
    }
}

fn plain<const N: usize, T>(
    body: &[u8],
    pick: Pick,
    budget: &mut Budget,
    out: &mut Vec<T>,
    value: impl Fn([u8; N]) -> T,
) -> Decoded<()> {
    budget.take(pick.take.saturating_mul(N))?;
    let start = pick.skip.checked_mul(N).ok_or_else(ends)?;
    let end = pick
        .take
        .checked_mul(N)
        .and_then(|len| start.checked_add(len))
        .ok_or_else(ends)?;
    let (values, _) = body.get(start..end).ok_or_else(ends)?.as_chunks::<N>();
    out.extend(values.iter().map(|&bytes| value(bytes)));
    Ok(())
}

/// Byte k of all values lies in stream k.
fn split<const N: usize, T>(
    body: &[u8],
    pick: Pick,
    budget: &mut Budget,
    out: &mut Vec<T>,
    value: impl Fn([u8; N]) -> T,
) -> Decoded<()> {
    budget.take(pick.take.saturating_mul(N))?;
    let stream = body.len() / N;
    let end = pick.skip.checked_add(pick.take).ok_or_else(ends)?;
    if end > stream || !body.len().is_multiple_of(N) {
        return Err(ends());
    }
    out.extend((pick.skip..end).map(|index| {
        let mut bytes = [0; N];
        for (number, byte) in bytes.iter_mut().enumerate() {
            *byte = body[number * stream + index];
        }
        value(bytes)
    }));
    Ok(())
}

fn delta<T>(
    body: &[u8],
    pick: Pick,
    budget: &mut Budget,
    out: &mut Vec<T>,
    cast: impl Fn(i64) -> T,
) -> Decoded<()> {
    budget.take(pick.take.saturating_mul(size_of::<T>()))?;
    let mut ints = DeltaInts::new(body)?;
    ints.skip(pick.skip)?;
    for _ in 0..pick.take {
        out.push(cast(ints.next()?));
    }
    Ok(())
}

fn plain_bools(body: &[u8], pick: Pick, budget: &mut Budget, out: &mut Vec<bool>) -> Decoded<()> {
    let end = pick.skip.checked_add(pick.take).ok_or_else(ends)?;
    if end > body.len().saturating_mul(8) {
        return Err(ends());
    }
    budget.take(pick.take)?;
    out.extend((pick.skip..end).map(|index| body[index / 8] >> (index % 8) & 1 == 1));
    Ok(())
}

fn run_bools(body: &[u8], pick: Pick, budget: &mut Budget, out: &mut Vec<bool>) -> Decoded<()> {
    let (length, rest) = body.split_first_chunk().ok_or_else(ends)?;
    let runs = rest
        .get(..u32::from_le_bytes(*length) as usize)
        .ok_or_else(ends)?;
    budget.take(pick.take)?;
    let mut bools = Hybrid::new(runs, 1)?;
    bools.skip(pick.skip)?;
    bools.read(pick.take, out, |bit| bit == 1)
}

fn push(bytes: &[u8], budget: &mut Budget, out: &mut ByteArrays) -> Decoded<()> {
    budget.take(bytes.len() + 4)?;
    out.push(bytes);
    Ok(())
}

fn plain_bytes(body: &[u8], pick: Pick, budget: &mut Budget, out: &mut ByteArrays) -> Decoded<()> {
    let mut rest = body;
    let mut next = || -> Decoded<&[u8]> {
        let (length, behind) = rest.split_first_chunk().ok_or_else(ends)?;
        let (value, behind) = behind
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or_else(ends)?;
        rest = behind;
        Ok(value)
    };
    for _ in 0..pick.skip {
        next()?;
    }
    for _ in 0..pick.take {
        push(next()?, budget, out)?;
    }
    Ok(())
}

fn length(value: i64) -> Decoded<usize> {
    usize::try_from(value).map_err(|_| Malformed::new("a negative length"))
}

/// All lengths, then all bytes.
fn delta_length(body: &[u8], pick: Pick, budget: &mut Budget, out: &mut ByteArrays) -> Decoded<()> {
    let mut lengths = DeltaInts::new(body)?;
    let data = body.get(lengths.clone().end()?..).unwrap_or_default();
    let mut at = length(lengths.skip_sum(pick.skip)?)?;
    for _ in 0..pick.take {
        let end = at.checked_add(length(lengths.next()?)?).ok_or_else(ends)?;
        push(data.get(at..end).ok_or_else(ends)?, budget, out)?;
        at = end;
    }
    Ok(())
}

/// How much of the value before each begins with, then the rest of each as above.
fn delta_bytes(body: &[u8], pick: Pick, budget: &mut Budget, out: &mut ByteArrays) -> Decoded<()> {
    let mut prefixes = DeltaInts::new(body)?;
    let suffixes = body.get(prefixes.clone().end()?..).unwrap_or_default();
    let mut lengths = DeltaInts::new(suffixes)?;
    let data = suffixes.get(lengths.clone().end()?..).unwrap_or_default();
    let mut value = Vec::new();
    let mut at = 0_usize;
    let end = pick.skip.checked_add(pick.take).ok_or_else(ends)?;
    for index in 0..end {
        let prefix = length(prefixes.next()?)?;
        if prefix > value.len() {
            return Err(Malformed::new("a prefix longer than the value before"));
        }
        let end = at.checked_add(length(lengths.next()?)?).ok_or_else(ends)?;
        value.truncate(prefix);
        value.extend_from_slice(data.get(at..end).ok_or_else(ends)?);
        at = end;
        if index >= pick.skip {
            push(&value, budget, out)?;
        }
    }
    Ok(())
}
