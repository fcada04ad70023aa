//! Numbers, booleans, durations and UUIDs with the refusal texts that clients of Tempo know.

use std::num::IntErrorKind::{NegOverflow, PosOverflow};

use vivace_config::types::Duration;

use super::{BadParameter, Pairs, value};

type DurationError = <Duration as std::str::FromStr>::Err;

fn why(error: &std::num::ParseIntError) -> &'static str {
    match error.kind() {
        PosOverflow | NegOverflow => "value out of range",
        _ => "invalid syntax",
    }
}

/// A decimal integer.
pub(super) fn int(text: &str) -> Result<i64, String> {
    text.parse::<i64>()
        .map_err(|error| format!("strconv.ParseInt: parsing {text:?}: {}", why(&error)))
}

/// A decimal integer of 32 bits that is not negative.
pub(super) fn uint(text: &str) -> Result<u32, String> {
    let parsed = match text.starts_with(['+', '-']) {
        true => Err("invalid syntax"),
        false => text.parse::<u32>().map_err(|error| why(&error)),
    };
    parsed.map_err(|why| format!("strconv.ParseUint: parsing {text:?}: {why}"))
}

/// A parameter of 32 bits: None when it is not given.
pub(super) fn uint_param(query: &Pairs, name: &str) -> Result<Option<u32>, BadParameter> {
    value(query, name)
        .map(|text| uint(text).map_err(|why| BadParameter(format!("invalid {name}: {why}"))))
        .transpose()
}

/// An integer parameter; 0 when it is not given.
pub(super) fn int_param(query: &Pairs, name: &str) -> Result<i64, BadParameter> {
    match value(query, name) {
        None => Ok(0),
        Some(text) => int(text).map_err(|why| BadParameter(format!("invalid {name}: {why}"))),
    }
}

pub(super) fn boolean(name: &str, text: &str) -> Result<bool, BadParameter> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(BadParameter(format!(
            "invalid value for {name}: strconv.ParseBool: parsing {text:?}: invalid syntax"
        ))),
    }
}

/// A Go duration in nanoseconds, as in `1h30m`.
pub(super) fn go_duration(text: &str) -> Result<i64, String> {
    match text.parse::<Duration>() {
        Ok(duration) => Ok(duration.as_nanos()),
        Err(DurationError::NoUnit) => Err(format!("time: missing unit in duration {text:?}")),
        Err(_) => Err(format!("time: invalid duration {text:?}")),
    }
}

/// A UUID in its usual forms: hyphenated (also `urn:uuid:` or braces around it) or 32 hex digits.
pub(super) fn uuid(name: &str, text: &str) -> Result<u128, BadParameter> {
    let bad = |why: String| BadParameter(format!("invalid value for {name}: {why}"));
    let hyphenated = match text.len() {
        32 => return u128::from_str_radix(text, 16).map_err(|_| bad("invalid UUID format".into())),
        36 => text,
        38 => text
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
            .ok_or_else(|| bad("invalid UUID length: 38".into()))?,
        45 => text
            .strip_prefix("urn:uuid:")
            .ok_or_else(|| bad("invalid urn prefix".into()))?,
        other => return Err(bad(format!("invalid UUID length: {other}"))),
    };
    let mut value: u128 = 0;
    for (position, byte) in hyphenated.bytes().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return Err(bad("invalid UUID format".into()));
            }
            continue;
        }
        let digit = char::from(byte)
            .to_digit(16)
            .ok_or_else(|| bad("invalid UUID format".into()))?;
        value = value << 4 | u128::from(digit);
    }
    Ok(value)
}
