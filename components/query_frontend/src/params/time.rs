//! Times of requests: their forms, what is filled in, and how long a range may be (http-api.md §6-8).

use chrono::DateTime;
use vivace_config::types::{Duration, PromDuration};

use super::numbers::int;
use super::{BadParameter, Pairs, value};

pub(super) const SECOND: u64 = 1_000_000_000;
/// Numbers of at most that many characters are seconds, longer ones nanoseconds.
const SECONDS_CHARACTERS: usize = 10;

/// What an operator allows and fills in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Now, in Unix nanoseconds.
    pub now: u64,
    /// How far back a range without bounds reaches, in nanoseconds (`query_backend_after`).
    pub default_range: u64,
    /// The newest data is left out for that many nanoseconds (`query_end_cutoff`).
    pub cutoff: u64,
    /// Longest range in nanoseconds; 0: any.
    pub max_range: u64,
}

impl Bounds {
    /// No query looks at what is newer.
    pub fn newest(&self) -> u64 {
        self.now.saturating_sub(self.cutoff)
    }
}

/// Unix seconds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: u64,
    pub end: u64,
}

/// What a request says about time. Unix nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub start: Option<u64>,
    pub end: Option<u64>,
    /// Nanoseconds before now; wins over the others.
    pub since: Option<u64>,
}

fn bad_range(why: &str) -> BadParameter {
    BadParameter(format!("error parsing date range: {why}"))
}

/// `since` as Prometheus writes durations.
pub(super) fn since(query: &Pairs) -> Result<Option<u64>, String> {
    value(query, "since")
        .map(|text| match text.parse::<PromDuration>() {
            Ok(duration) => Ok(duration.as_millis().saturating_mul(1_000_000)),
            Err(_) => Err(format!(
                "could not parse 'since' parameter: not a valid duration string: {text:?}"
            )),
        })
        .transpose()
}

/// `since` of searches and tags.
pub(super) fn since_of_range(query: &Pairs) -> Result<Option<u64>, BadParameter> {
    since(query).map_err(|why| bad_range(&why))
}

/// `start`, `end` and `since` of tags: times in any form.
pub(super) fn asked(query: &Pairs) -> Result<Asked, BadParameter> {
    Ok(Asked {
        start: time_param(query, "start").map_err(|why| bad_range(&why))?,
        end: time_param(query, "end").map_err(|why| bad_range(&why))?,
        since: since_of_range(query)?,
    })
}

/// A time in any form; None when it is not given.
pub(super) fn time_param(query: &Pairs, name: &str) -> Result<Option<u64>, String> {
    value(query, name)
        .map(|text| time(text).map_err(|why| format!("could not parse '{name}' parameter: {why}")))
        .transpose()
}

/// Unix seconds, Unix nanoseconds, seconds with a fraction, or RFC 3339, as Unix nanoseconds. Before 1970 is 1970.
fn time(text: &str) -> Result<u64, String> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        // To the millisecond: doubles are not finer for the times of today.
        return Ok(((seconds * 1000.0).round().max(0.0) as u64).saturating_mul(1_000_000));
    }
    match int(text) {
        Ok(number) => {
            let number = u64::try_from(number).unwrap_or(0);
            Ok(if text.len() <= SECONDS_CHARACTERS {
                number.saturating_mul(SECOND)
            } else {
                number
            })
        }
        Err(why) => DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|time| time.timestamp_nanos_opt())
            .map(|nanos| u64::try_from(nanos).unwrap_or(0))
            .ok_or(why),
    }
}

/// The time range of a search or of tags: what is missing is filled in, what is too new cut off.
pub(super) fn complete(asked: Asked, bounds: Bounds) -> Result<Window, BadParameter> {
    let (newest, default_start) = (
        bounds.newest(),
        bounds.now.saturating_sub(bounds.default_range),
    );
    let (start, end) = match (asked.since, asked.start, asked.end) {
        (Some(since), _, _) => (bounds.now.saturating_sub(since), bounds.now),
        (None, None, None) => (default_start, newest),
        (None, Some(start), Some(end)) => (start, end),
        _ => {
            return Err(bad_range(
                "only one of start and end provided: must provide both or neither",
            ));
        }
    };
    let end = end.min(newest);
    let start = if start > end { default_start } else { start };
    let window = Window {
        start: start / SECOND,
        end: end.div_ceil(SECOND),
    };
    if end <= start {
        return Err(out_of_order(window));
    }
    if bounds.max_range > 0 && end - start > bounds.max_range {
        let Window { start, end } = window;
        return Err(BadParameter(format!(
            "range specified by start and end exceeds {}. received start={start} end={end}",
            duration(bounds.max_range)
        )));
    }
    Ok(window)
}

pub(super) fn out_of_order(Window { start, end }: Window) -> BadParameter {
    BadParameter(format!(
        "http parameter start must be before end. received start={start} end={end}"
    ))
}

/// Nanoseconds as Go prints them.
pub(super) fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}
