//! Numbers and durations (traceql.md §1.5, §1.6). Nothing here reads more than the literal.

use super::token::Token;

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units of durations of whole numbers, in the order in which they must stand.
const COARSE_UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MILLISECOND),
];

/// Units of durations of decimal numbers, in any order.
const FINE_UNITS: [(&str, u64); 7] = [
    ("ns", NANOSECOND),
    ("us", MICROSECOND),
    ("µs", MICROSECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];

/// Reads the number or duration that `text` starts with: the token and its bytes, or the bytes at fault and why.
pub fn read(text: &str) -> Result<(Token<'static>, usize), (usize, String)> {
    let number = scan(text)?;
    let run = text[number.length..]
        .find(|c: char| {
            !matches!(
                c,
                '0'..='9' | '.' | 'n' | 's' | 'u' | 'm' | 'h' | 'µ' | 'd' | 'w' | 'y'
            )
        })
        .unwrap_or(text.len() - number.length);
    let length = number.length + run;
    if run > 0 {
        let candidate = &text[..length];
        return match coarse_duration(candidate).or_else(|| fine_duration(candidate)) {
            Some(nanoseconds) => Ok((Token::Duration(nanoseconds), length)),
            None => Err((
                length,
                format!("invalid duration: {}", super::shorten(candidate)),
            )),
        };
    }
    let literal = &text[..length];
    let token = match number.kind {
        Kind::Int => literal.parse().ok().map(Token::Int),
        Kind::Decimal => finite(literal.replace('_', "").parse().ok()),
        Kind::Hexadecimal => finite(hexadecimal(literal)),
    };
    match token {
        Some(token) => Ok((token, length)),
        None => Err((
            length,
            format!("number out of range: {}", super::shorten(literal)),
        )),
    }
}

fn finite(value: Option<f64>) -> Option<Token<'static>> {
    value.filter(|value| value.is_finite()).map(Token::Float)
}

enum Kind {
    Int,
    Decimal,
    Hexadecimal,
}

struct Number {
    kind: Kind,
    length: usize,
}

fn scan(text: &str) -> Result<Number, (usize, String)> {
    let bytes = text.as_bytes();
    let fault = |length: usize, why: &str| {
        Err((
            length,
            format!("{why}: {}", super::shorten(&text[..length])),
        ))
    };
    let digits = |from: usize, hexadecimal: bool| {
        let more = bytes[from..].iter().take_while(|byte| {
            **byte == b'_' || byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit())
        });
        from + more.count()
    };
    let prefix = match bytes {
        [b'0', letter, ..] => letter.to_ascii_lowercase(),
        _ => 0,
    };
    if matches!(prefix, b'b' | b'o') {
        return fault(digits(2, false), "numbers are decimal");
    }
    let hexadecimal = prefix == b'x';
    let start = if hexadecimal { 2 } else { 0 };
    let whole = digits(start, hexadecimal);
    let mut end = whole;
    let mut has_digits = whole > start;
    let fraction = bytes.get(end) == Some(&b'.');
    if fraction {
        end = digits(end + 1, hexadecimal);
        has_digits |= end > whole + 1;
    }
    let exponent = match bytes.get(end).map(u8::to_ascii_lowercase) {
        Some(b'e') => !hexadecimal,
        Some(b'p') => hexadecimal,
        _ => false,
    };
    if exponent {
        end += 1;
        if matches!(bytes.get(end), Some(b'+' | b'-')) {
            end += 1;
        }
        let from = end;
        end = digits(from, false);
        if end == from {
            return fault(end, "an exponent needs digits");
        }
    }
    if !has_digits {
        return fault(end, "a number needs digits");
    }
    if hexadecimal && !exponent {
        return fault(end, "whole numbers are decimal");
    }
    let literal = &bytes[..end];
    if literal.contains(&b'_') {
        if !fraction && !exponent {
            return fault(end, "whole numbers have no separators");
        }
        let separates = |at: usize| {
            let after_prefix = hexadecimal && at == 2;
            let is_digit =
                |byte: &u8| byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit());
            (after_prefix || is_digit(&literal[at - 1]))
                && literal.get(at + 1).is_some_and(is_digit)
        };
        if !(0..end)
            .filter(|at| literal[*at] == b'_')
            .all(|at| at > 0 && separates(at))
        {
            return fault(end, "a separator stands between two digits");
        }
    }
    let kind = match (hexadecimal, fraction || exponent) {
        (true, _) => Kind::Hexadecimal,
        (false, true) => Kind::Decimal,
        (false, false) => {
            if literal[0] == b'0' && literal.iter().any(|byte| matches!(byte, b'8' | b'9')) {
                return fault(end, "a leading zero allows digits up to 7 only");
            }
            Kind::Int
        }
    };
    Ok(Number { kind, length: end })
}

/// `0x1.8p3`: digits beyond the 60th bit only matter for rounding.
fn hexadecimal(literal: &str) -> Option<f64> {
    let lower = literal.to_ascii_lowercase().replace('_', "");
    let (digits, exponent) = lower.strip_prefix("0x")?.split_once('p')?;
    let mut mantissa: u64 = 0;
    let mut shift: i64 = 0;
    let mut fraction = false;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(16) else {
            fraction = true;
            continue;
        };
        if mantissa < 1 << 58 {
            mantissa = mantissa << 4 | u64::from(digit);
            shift -= if fraction { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            shift += if fraction { 0 } else { 4 };
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    // Beyond these bounds the result is infinite or zero whatever the digits.
    let exponent = match exponent.parse::<i64>() {
        Ok(exponent) => exponent.saturating_add(shift).clamp(-4000, 4000),
        Err(_) if exponent.starts_with('-') => -4000,
        Err(_) => 4000,
    };
    let mut value = mantissa as f64;
    let mut left = exponent;
    while left != 0 {
        // In steps, since the power alone may be out of range where the product is not.
        let step = left.clamp(-1000, 1000);
        value *= 2f64.powi(step as i32);
        left -= step;
    }
    Some(value)
}

/// `1d12h`: whole numbers, each unit once, from large to small.
fn coarse_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    let mut allowed = &COARSE_UNITS[..];
    while !rest.is_empty() {
        let (number, after) = split_digits(rest);
        let (unit, after) = split_unit(after);
        let position = allowed.iter().position(|(name, _)| *name == unit)?;
        let nanoseconds = number.parse::<i64>().ok()?;
        total = nanoseconds
            .checked_mul(i64::try_from(allowed[position].1).ok()?)?
            .checked_add(total)?;
        allowed = &allowed[position + 1..];
        rest = after;
    }
    Some(total)
}

/// `1.5s.5ms`: decimal numbers, any order, repeats.
fn fine_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (name, after) = split_unit(after);
        let (_, unit) = FINE_UNITS.iter().find(|(known, _)| *known == name)?;
        let number: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let mut part = number.checked_mul(*unit)?;
        part = part.checked_add(fraction_of(fraction, *unit))?;
        total = total.checked_add(part)?;
        if total > i64::MAX as u64 {
            return None;
        }
        rest = after;
    }
    i64::try_from(total).ok()
}

/// Digits behind a point, in units; cut to nanoseconds.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    // 18 digits fit an integer, and the largest unit has 13.
    let digits = digits.get(..18).unwrap_or(digits);
    let Ok(number) = digits.parse::<u64>() else {
        return 0;
    };
    let scale = 10f64.powi(digits.len() as i32);
    (number as f64 * (unit as f64 / scale)) as u64
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c == '.' || c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}
