//! `grpc-timeout`: up to eight digits and a unit.

use std::time::Duration;

use super::status::{Code, Status};

/// Parses a header value.
pub(super) fn parse(value: &str) -> Result<Duration, Status> {
    let malformed = || {
        Status::new(
            Code::Internal,
            format!("malformed grpc-timeout: transport: timeout string is not valid: {value:?}"),
        )
    };
    let (digits, unit) = value
        .split_at_checked(value.len().saturating_sub(1))
        .ok_or_else(malformed)?;
    let digits_only = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > 8 || !digits_only {
        return Err(malformed());
    }
    let number: u64 = digits.parse().map_err(|_| malformed())?;
    Ok(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(malformed()),
    })
}

/// A header value that is at least `timeout`, in the finest unit that has room for it.
pub(super) fn format(timeout: Duration) -> String {
    const MAX: u128 = 99_999_999;
    let nanos = timeout.as_nanos();
    let units: [(u128, &str); 6] = [
        (1, "n"),
        (1_000, "u"),
        (1_000_000, "m"),
        (1_000_000_000, "S"),
        (60_000_000_000, "M"),
        (3_600_000_000_000, "H"),
    ];
    for (size, unit) in units {
        let number = nanos.div_ceil(size);
        if number <= MAX {
            return format!("{number}{unit}");
        }
    }
    format!("{MAX}H")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_and_errors() {
        assert_eq!(parse("2S").unwrap(), Duration::from_secs(2));
        assert_eq!(parse("100m").unwrap(), Duration::from_millis(100));
        assert_eq!(
            parse("99999999H").unwrap(),
            Duration::from_secs(359_999_996_400)
        );
        for bad in ["", "S", "1", "1s", "-1S", "123456789n", "1 S", "\u{e9}"] {
            assert_eq!(parse(bad).unwrap_err().code, Code::Internal, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_timeout_is_never_shorter(nanos in any::<u64>()) {
            let timeout = Duration::from_nanos(nanos);
            let back = parse(&format(timeout)).unwrap();
            prop_assert!(back >= timeout);
            prop_assert!(back <= timeout.mul_f64(1.00001) + Duration::from_nanos(1000));
        }

        #[test]
        fn anything_is_taken(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }
    }
}
