//! Times as Go writes them: RFC 3339 without the zeros at the end of the fraction; the zero time is the year 1.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Seconds of Go's zero time, `0001-01-01T00:00:00Z`.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// Go's zero time: "not set".
pub const ZERO_TIME: DateTime<Utc> = match DateTime::from_timestamp(ZERO_SECONDS, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};

pub(crate) fn print(time: DateTime<Utc>) -> String {
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    // chrono counts a leap second as nanoseconds beyond the last.
    let nanos = time.nanosecond().min(999_999_999);
    if nanos > 0 {
        let fraction = format!(".{nanos:09}");
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Whether a time lies in the years 1 to 9999, which is what Go prints and what protobuf holds.
pub(crate) fn can_be_printed(time: DateTime<Utc>) -> bool {
    (1..=9999).contains(&time.year())
}

/// None: not a time of RFC 3339 with a year from 1 to 9999.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let nanos = time.timestamp_subsec_nanos().min(999_999_999);
    let time = DateTime::from_timestamp(time.timestamp(), nanos)?;
    // A zone can move it out of what `print` can write.
    can_be_printed(time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_go_prints_them() {
        for text in [
            "0001-01-01T00:00:00Z",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:15:00.000005Z",
            "2023-11-14T22:15:00.12Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(print(parse(text).unwrap()), text);
        }
        assert_eq!(print(ZERO_TIME), "0001-01-01T00:00:00Z");
        let printed = |text| parse(text).map(print);
        assert_eq!(
            printed("2023-11-14T22:13:20.100000000+01:30").unwrap(),
            "2023-11-14T20:43:20.1Z"
        );
        assert_eq!(
            printed("2016-12-31T23:59:60Z").unwrap(),
            "2016-12-31T23:59:59.999999999Z"
        );
        for text in [
            "",
            "2023-11-14",
            "yesterday",
            "9999-12-31T23:59:59-01:00",
            "0000-12-31T23:59:59Z",
        ] {
            assert_eq!(printed(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(seconds in ZERO_SECONDS..253_402_300_799, nanos in 0_u32..1_000_000_000) {
            let time = DateTime::from_timestamp(seconds, nanos).unwrap();
            prop_assert_eq!(parse(&print(time)), Some(time));
        }
    }
}
