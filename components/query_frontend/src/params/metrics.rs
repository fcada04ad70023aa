//! Metrics queries (http-api.md §8, traceql.md §7).

use std::sync::Arc;

use vivace_query_metrics::{
    MetricsRequest, align_range, count_intervals, cut_instant_end, cut_range_end, default_step,
};
use vivace_traceql::{Exemplars, Query, parse, validate};

use super::numbers::{go_duration, uint_param};
use super::time::{Asked, Bounds, SECOND, duration, since, time_param};
use super::{BadParameter, Pairs, value};
use crate::config::MetricsConfig;

const HOUR: u64 = 3600 * SECOND;

/// A metrics query as it was asked for, by URL or by stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawMetrics {
    pub query: String,
    pub time: Asked,
    /// Nanoseconds; None: as the range asks.
    pub step: Option<u64>,
    /// 0: the default.
    pub exemplars: u32,
    /// 0: the default.
    pub max_series: u32,
    pub instant: bool,
}

/// A metrics query that can run.
#[derive(Clone, Debug)]
pub struct MetricsCall {
    pub query: Arc<Query>,
    pub request: MetricsRequest,
    /// Nothing can match, so nothing is read.
    pub empty: bool,
}

/// Why a metrics query can't run. Both are 400; streams tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetrics {
    /// The text is no query.
    #[error("{0}")]
    Text(String),
    #[error(transparent)]
    Parameter(#[from] BadParameter),
}

fn bad(text: impl Into<String>) -> BadParameter {
    BadParameter(text.into())
}

/// Times and steps are refused behind a wrapper that clients know.
fn wrapped(why: String) -> BadParameter {
    bad(format!("rpc error: code = Code(400) desc = {why}"))
}

impl RawMetrics {
    /// Reads the parameters of `/api/metrics/query_range` and `/api/metrics/query`.
    pub fn from_pairs(query: &Pairs, instant: bool) -> Result<Self, BadParameter> {
        let text = value(query, "q").or_else(|| value(query, "query"));
        let time = Asked {
            start: time_param(query, "start").map_err(wrapped)?,
            end: time_param(query, "end").map_err(wrapped)?,
            since: since(query).map_err(wrapped)?,
        };
        Ok(Self {
            query: text.unwrap_or_default().to_owned(),
            time,
            step: match value(query, "step").filter(|_| !instant) {
                Some(text) => Some(step(text).map_err(wrapped)?),
                None => None,
            },
            exemplars: uint_param(query, "exemplars")?.unwrap_or(0),
            max_series: uint_param(query, "maxSeries")?.unwrap_or(0),
            instant,
        })
    }
}

/// Seconds, or a duration.
fn step(text: &str) -> Result<u64, String> {
    let cannot = || format!("cannot parse {text:?} to a valid duration");
    let nanos = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => {
            let nanos = seconds * SECOND as f64;
            if nanos >= i64::MAX as f64 {
                return Err(cannot());
            }
            nanos as i64
        }
        _ => go_duration(text).map_err(|_| cannot())?,
    };
    u64::try_from(nanos).map_err(|_| cannot())
}

/// Checks a metrics query against the limits, aligns its range, and fills in what is missing.
pub fn plan_metrics(
    raw: &RawMetrics,
    config: &MetricsConfig,
    bounds: Bounds,
) -> Result<MetricsCall, BadMetrics> {
    let (start, end) = range(raw.time, bounds)?;
    let request = if raw.instant {
        instant(start, end, bounds)?
    } else {
        over_time(raw, start, end, config, bounds)?
    };
    let query = checked(&raw.query, config.max_query_bytes)?;
    let max_series = match (raw.max_series, config.max_series) {
        (0, most) | (most, 0) => most,
        (asked, most) => asked.min(most),
    };
    Ok(MetricsCall {
        empty: super::is_constant_false(&query),
        request: MetricsRequest {
            exemplars: if raw.instant {
                0
            } else {
                exemplars(raw.exemplars, &query, config.max_exemplars)
            },
            max_series,
            ..request
        },
        query: Arc::new(query),
    })
}

/// The range that was asked for, without what is too new.
fn range(asked: Asked, bounds: Bounds) -> Result<(u64, u64), BadParameter> {
    let end = asked.end.unwrap_or(bounds.now);
    let start = asked
        .start
        .unwrap_or_else(|| end.saturating_sub(asked.since.unwrap_or(HOUR)));
    if end <= start {
        return Err(bad("end must be greater than start"));
    }
    let newest = bounds.newest();
    if start >= newest {
        return Err(bad(TOO_NEW));
    }
    if bounds.max_range > 0 && end - start > bounds.max_range {
        return Err(bad(format!(
            "metrics query time range exceeds the maximum allowed duration of {}",
            duration(bounds.max_range)
        )));
    }
    Ok((start, end))
}

const TOO_NEW: &str = "query window falls entirely within query_end_cutoff";

fn instant(start: u64, end: u64, bounds: Bounds) -> Result<MetricsRequest, BadParameter> {
    let end = cut_instant_end(end, bounds.newest());
    if end <= start {
        return Err(bad(TOO_NEW));
    }
    Ok(MetricsRequest {
        start,
        end,
        step: end - start,
        is_instant: true,
        exemplars: 0,
        max_series: 0,
    })
}

fn over_time(
    raw: &RawMetrics,
    start: u64,
    end: u64,
    config: &MetricsConfig,
    bounds: Bounds,
) -> Result<MetricsRequest, BadParameter> {
    // The whole range decides, also that part which is too new: so an hour has the same step whenever it is asked for.
    let step = raw.step.unwrap_or_else(|| default_step(end - start));
    let most = config.max_intervals;
    if step == 0 || (most > 0 && (end - start) / step > most) {
        let least = (end - start) / most.max(1);
        return Err(bad(format!(
            "step of {} is too small, minimum step for given range is {}",
            duration(step),
            duration(least)
        )));
    }
    let (start, end) = align_range(start, end, step);
    let end = cut_range_end(end, step, bounds.newest());
    if count_intervals(start, end, step) == 0 {
        return Err(bad(TOO_NEW));
    }
    Ok(MetricsRequest {
        start,
        end,
        step,
        is_instant: false,
        exemplars: 0,
        max_series: 0,
    })
}

fn checked(text: &str, max_bytes: usize) -> Result<Query, BadMetrics> {
    super::search::check_size(text, max_bytes)?;
    if text.trim().is_empty() {
        return Err(BadMetrics::Text(
            "parse error : syntax error: unexpected $end".into(),
        ));
    }
    let query = parse(text).map_err(|error| BadMetrics::Text(error.to_string()))?;
    if !query.is_metrics() {
        return Err(bad("not a metrics query").into());
    }
    validate(&query).map_err(|error| bad(format!("compiling query: {error}")))?;
    Ok(query)
}

/// Exemplars of the answer: the hint, else the parameter, else the most there may be (traceql.md §7.8).
fn exemplars(asked: u32, query: &Query, most: u32) -> u32 {
    match query.typed_hints(false).exemplars() {
        Some(Exemplars::None) => 0,
        Some(Exemplars::AtMost(hinted)) => u32::try_from(hinted).unwrap_or(u32::MAX).min(most),
        None if asked == 0 => most,
        None => asked.min(most),
    }
}
