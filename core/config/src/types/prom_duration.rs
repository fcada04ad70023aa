//! Durations as Prometheus writes them: `1d`, `2w`, `1h30m`.

use std::fmt;
use std::str::FromStr;

use crate::field::{Field, Reader, Secrets};
use crate::types::Duration;
use crate::yaml::{Node, Value};

/// A duration in milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromDuration(u64);

/// Units from long to short; the first three are printed only where nothing is left over.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];
const EXACT_ONLY: usize = 3;
/// What fits Go's 64-bit nanoseconds.
const MAX_MILLIS: u64 = (i64::MAX / 1_000_000) as u64;

impl PromDuration {
    pub const fn from_millis(millis: u64) -> PromDuration {
        PromDuration(millis)
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// The same as a Go duration.
    pub fn as_duration(self) -> Duration {
        Duration::from_nanos(i64::try_from(self.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
    }
}

/// Why a text is no such duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a duration such as 1h30m, 1d or 2w (units y, w, d, h, m, s, ms in this order, whole numbers)"
)]
pub struct PromDurationError;

impl FromStr for PromDuration {
    type Err = PromDurationError;

    fn from_str(text: &str) -> Result<Self, PromDurationError> {
        if text == "0" {
            return Ok(PromDuration(0));
        }
        let mut rest = text;
        let mut total: u64 = 0;
        let mut next_unit = 0;
        while !rest.is_empty() {
            let number_end = rest
                .find(|c: char| !c.is_ascii_digit())
                .ok_or(PromDurationError)?;
            let (number, after) = rest.split_at(number_end);
            let unit_end = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            let position = UNITS
                .iter()
                .position(|(name, _)| *name == unit)
                .ok_or(PromDurationError)?;
            if position < next_unit {
                return Err(PromDurationError);
            }
            next_unit = position + 1;
            let number: u64 = number.parse().map_err(|_| PromDurationError)?;
            let millis = number
                .checked_mul(UNITS[position].1)
                .ok_or(PromDurationError)?;
            total = total
                .checked_add(millis)
                .filter(|total| *total <= MAX_MILLIS)
                .ok_or(PromDurationError)?;
            rest = after;
        }
        if next_unit == 0 {
            Err(PromDurationError)
        } else {
            Ok(PromDuration(total))
        }
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("0s");
        }
        let mut rest = self.0;
        for (index, (name, millis)) in UNITS.iter().enumerate() {
            if index < EXACT_ONLY && !rest.is_multiple_of(*millis) {
                continue;
            }
            if rest >= *millis {
                write!(out, "{}{name}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl Field for PromDuration {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::Scalar(scalar) = &node.value else {
            reader.mismatch(node, "a duration such as 1h30m, 1d or 2w");
            return;
        };
        match scalar.text.parse() {
            Ok(duration) => *self = duration,
            Err(error) => reader.problem(node.mark, format!("{}: {error}", node.kind())),
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::plain(self)
    }

    fn zero() -> Self {
        PromDuration(0)
    }

    fn kind() -> String {
        "duration (d, w too)".to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_prometheus_prints_them() {
        let cases = [
            ("0", "0s"),
            ("0s", "0s"),
            ("1d", "1d"),
            ("14d", "2w"),
            ("336h0m0s", "2w"),
            ("90m", "1h30m"),
            ("1d1h", "25h"),
            ("1500ms", "1s500ms"),
            ("1y", "1y"),
        ];
        for (text, want) in cases {
            let duration: PromDuration = text.parse().expect(text);
            assert_eq!(duration.to_string(), want, "{text}");
        }
        for text in [
            "", "5", "d", "1h1d", "1m1m", "-1h", "1.5h", "9999999y", "1µs",
        ] {
            assert_eq!(
                text.parse::<PromDuration>(),
                Err(PromDurationError),
                "{text}"
            );
        }
    }
}
