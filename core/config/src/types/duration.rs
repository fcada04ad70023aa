//! Durations as Go writes them: `5m0s`, `1h30m`, `-5m`, `100ms`; a bare number is nanoseconds.

use std::fmt;
use std::str::FromStr;

use crate::field::{Field, Reader, Secrets};
use crate::yaml::{Node, Style, Value, scalar};

/// A signed duration in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

const NANOS_PER: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// So many milliseconds.
pub const fn millis(n: i64) -> Duration {
    Duration(n.saturating_mul(1_000_000))
}

/// So many seconds.
pub const fn secs(n: i64) -> Duration {
    millis(n.saturating_mul(1000))
}

/// So many minutes.
pub const fn mins(n: i64) -> Duration {
    secs(n.saturating_mul(60))
}

/// So many hours.
pub const fn hours(n: i64) -> Duration {
    mins(n.saturating_mul(60))
}

impl Duration {
    pub const ZERO: Duration = Duration(0);
    /// Go's "infinity" of keep-alive settings: the longest duration there is.
    pub const MAX: Duration = Duration(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Duration {
        Duration(nanos)
    }

    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// For timers: a negative duration is none at all.
    pub const fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(if self.0 < 0 { 0 } else { self.0 as u64 })
    }

    /// Twice, three times … as long, at most the longest there is.
    pub const fn times(self, n: i64) -> Duration {
        Duration(self.0.saturating_mul(n))
    }
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("not a duration such as 30s, 5m0s or 1h30m")]
    Malformed,
    #[error("a duration needs a unit: ns, us, ms, s, m or h")]
    NoUnit,
    #[error("longer than the longest duration, about 292 years")]
    TooLong,
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
            None => return Err(DurationError::Malformed),
        };
        if rest == "0" {
            return Ok(Duration::ZERO);
        }
        if rest.is_empty() {
            return Err(DurationError::Malformed);
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number_end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_end);
            let unit_end = after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            if number.is_empty() {
                return Err(DurationError::Malformed);
            }
            if unit.is_empty() {
                return Err(DurationError::NoUnit);
            }
            let (_, nanos) = NANOS_PER
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or(DurationError::Malformed)?;
            total += part(number, i128::from(*nanos))?;
            if total > 1 << 63 {
                return Err(DurationError::TooLong);
            }
            rest = after;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total)
            .map(Duration)
            .map_err(|_| DurationError::TooLong)
    }
}

/// `number` × `unit` in nanoseconds; fractions are cut, as Go does.
fn part(number: &str, unit: i128) -> Result<i128, DurationError> {
    const DIGITS: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::Malformed);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > DIGITS + 1 {
        return Err(DurationError::TooLong);
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| DurationError::Malformed)?
    };
    let fraction = &fraction[..fraction.len().min(DIGITS)];
    let scale = 10i128.pow(fraction.len() as u32);
    let fraction: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().map_err(|_| DurationError::Malformed)?
    };
    Ok(whole * unit + fraction * unit / scale)
}

impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return out.write_str("0s");
        }
        if self.0 < 0 {
            out.write_str("-")?;
        }
        let decimal = |out: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str| {
            let (whole, fraction) = (value / unit, value % unit);
            write!(out, "{whole}")?;
            if fraction > 0 {
                let width = unit.ilog10() as usize;
                let digits = format!("{fraction:0width$}");
                write!(out, ".{}", digits.trim_end_matches('0'))?;
            }
            out.write_str(name)
        };
        match nanos {
            ..1_000 => write!(out, "{nanos}ns"),
            1_000..1_000_000 => decimal(out, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => decimal(out, nanos, 1_000_000, "ms"),
            _ => {
                let minutes = nanos / 60_000_000_000;
                if minutes >= 60 {
                    write!(out, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(out, "{}m", minutes % 60)?;
                }
                decimal(out, nanos % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

impl Field for Duration {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::Scalar(value) = &node.value else {
            reader.mismatch(node, "a duration such as 30s, 5m0s or 1h30m");
            return;
        };
        // As yaml.v2 reads into a duration: a number without quotes is nanoseconds. A flag always is a text.
        if value.style == Style::Plain
            && let Some(nanos) = scalar::integer(&value.text)
        {
            match i64::try_from(nanos) {
                Ok(nanos) => *self = Duration(nanos),
                Err(_) => reader.problem(node.mark, DurationError::TooLong.to_string()),
            }
            return;
        }
        match value.text.parse() {
            Ok(duration) => *self = duration,
            Err(error) => reader.problem(node.mark, format!("{}: {error}", node.kind())),
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::plain(self)
    }

    fn zero() -> Self {
        Duration::ZERO
    }

    fn kind() -> String {
        "duration".to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        let cases = [
            ("0", "0s"),
            ("5m", "5m0s"),
            ("1h30m", "1h30m0s"),
            ("168h", "168h0m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("100ms", "100ms"),
            ("1.25ms", "1.25ms"),
            ("1500us", "1.5ms"),
            ("7ns", "7ns"),
            ("2µs", "2µs"),
            ("-5m", "-5m0s"),
            (".5h", "30m0s"),
            ("1.s", "1s"),
            ("+1h0m1s", "1h0m1s"),
        ];
        for (text, want) in cases {
            let duration: Duration = text.parse().expect(text);
            assert_eq!(duration.to_string(), want, "{text}");
            assert_eq!(want.parse(), Ok(duration), "{want}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "-",
            "5",
            "s",
            "5x",
            "1d",
            ".s",
            "1..5s",
            "5 m",
            "1m 2s",
            "99999999999h",
            "9223372037s",
            "1µ",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert_eq!(
            "9223372036s".parse(),
            Ok(Duration(9_223_372_036_000_000_000))
        );
        assert_eq!("-9223372036854775808ns".parse(), Ok(Duration(i64::MIN)));
        assert_eq!(
            Duration(i64::MIN).to_string().parse(),
            Ok(Duration(i64::MIN))
        );
    }
}
