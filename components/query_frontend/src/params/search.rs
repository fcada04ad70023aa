//! Searches (http-api.md §6).

use std::sync::Arc;

use vivace_traceql::{Body, MetricsExpr, Query, parse, validate};

use super::numbers::{go_duration, uint_param};
use super::time::{Asked, Bounds, SECOND, Window, complete, out_of_order, since_of_range};
use super::{BadParameter, Pairs, logfmt, value};
use crate::config::SearchConfig;
use crate::jobs::{Remembered, SearchSpec};
use crate::legacy;

/// A search as it was asked for, by URL or by stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSearch {
    pub query: String,
    /// Legacy tags and bounds of the trace's duration in nanoseconds, 0: none.
    pub tags: Vec<(String, String)>,
    pub min_duration: u64,
    pub max_duration: u64,
    pub limit: Option<u32>,
    pub spans_per_set: Option<u32>,
    pub time: Asked,
}

/// A search that can run.
#[derive(Clone, Debug)]
pub struct SearchPlan {
    pub spec: SearchSpec,
    /// By tags: answers have no span sets.
    pub legacy: bool,
    /// A metrics expression of several queries, which searches can't run.
    pub math: bool,
    /// Nothing can match, so nothing is read.
    pub empty: bool,
}

impl RawSearch {
    /// Reads the parameters of `/api/search`.
    pub fn from_pairs(query: &Pairs) -> Result<Self, BadParameter> {
        let text = value(query, "q").unwrap_or_default();
        let tags = value(query, "tags");
        if !text.is_empty() && tags.is_some() {
            return Err(BadParameter(
                "invalid request: can't specify tags and q in the same query".into(),
            ));
        }
        let tags = tags.map(logfmt::parse).transpose()?.unwrap_or_default();
        let min_duration = duration_param(query, "minDuration")?;
        let max_duration = duration_param(query, "maxDuration")?;
        if max_duration != 0 && max_duration <= min_duration {
            return Err(BadParameter(
                "invalid maxDuration: must be greater than minDuration".into(),
            ));
        }
        let limit = uint_param(query, "limit")?;
        if limit == Some(0) {
            return Err(BadParameter(
                "invalid limit: must be a positive number".into(),
            ));
        }
        let spans_per_set = uint_param(query, "spss")?;
        let start = uint_param(query, "start")?.map(u64::from);
        let end = uint_param(query, "end")?.map(u64::from);
        if let Some(start) = start
            && end.unwrap_or(0) <= start
        {
            let end = end.unwrap_or(0);
            return Err(out_of_order(Window { start, end }));
        }
        Ok(Self {
            query: text.to_owned(),
            tags,
            min_duration,
            max_duration,
            limit,
            spans_per_set,
            time: Asked {
                start: start.map(|seconds| seconds * SECOND),
                end: end.map(|seconds| seconds * SECOND),
                since: since_of_range(query)?,
            },
        })
    }
}

/// A bound of a duration in nanoseconds; 0 when it is not given.
fn duration_param(query: &Pairs, name: &str) -> Result<u64, BadParameter> {
    let Some(text) = value(query, name) else {
        return Ok(0);
    };
    let bad = |why: String| BadParameter(format!("invalid {name}: {why}"));
    let nanos = go_duration(text).map_err(bad)?;
    u64::try_from(nanos).map_err(|_| bad("must not be negative".into()))
}

/// Refuses texts that are larger than `max_query_expression_size_bytes`; 0: none is.
pub(super) fn check_size(text: &str, max: usize) -> Result<(), BadParameter> {
    if max == 0 || text.len() <= max {
        return Ok(());
    }
    Err(BadParameter(format!(
        "TraceQL expression exceeds the configured maximum size of {max} bytes, reduce the query expression size or contact your system administrator"
    )))
}

/// Checks a search against the limits and fills in what is missing.
pub fn plan_search(
    raw: RawSearch,
    config: &SearchConfig,
    bounds: Bounds,
) -> Result<SearchPlan, BadParameter> {
    let limit = raw
        .limit
        .filter(|limit| *limit > 0)
        .unwrap_or(config.default_limit);
    if config.max_limit > 0 && limit > config.max_limit {
        let max = config.max_limit;
        return Err(BadParameter(format!(
            "limit {limit} exceeds max limit {max}"
        )));
    }
    let max_spans = config.max_spans_per_set;
    let spans_per_set = match raw.spans_per_set {
        // Without a limit 0 asks for all spans, else there is no such thing.
        Some(0) if max_spans == 0 => 0,
        None | Some(0) => config.default_spans_per_set,
        Some(spans) => spans,
    };
    if max_spans > 0 && spans_per_set > max_spans {
        return Err(BadParameter(format!(
            "spans per span set exceeds {max_spans}. received {spans_per_set}"
        )));
    }
    let window = complete(raw.time, bounds)?;
    let legacy = raw.query.trim().is_empty();
    let query = if legacy {
        let query = legacy::query(&raw.tags, raw.min_duration, raw.max_duration);
        validate(&query).map_err(|why| BadParameter(format!("invalid tags: {why}")))?;
        query
    } else {
        check_size(&raw.query, config.max_query_bytes)?;
        checked(&raw.query).map_err(|why| BadParameter(format!("invalid TraceQL query: {why}")))?
    };
    let most_recent = query.typed_hints(false).most_recent();
    Ok(SearchPlan {
        legacy,
        math: query.search_pipeline().is_none(),
        empty: is_constant_false(&query),
        spec: SearchSpec {
            query: Arc::new(query),
            start: window.start,
            end: window.end,
            spans_per_set,
            limit,
            most_recent,
            remembered: Remembered::default(),
        },
    })
}

fn checked(text: &str) -> Result<Query, String> {
    let query = parse(text).map_err(|error| error.to_string())?;
    validate(&query).map_err(|error| error.to_string())?;
    Ok(query)
}

/// Whether nothing can match, so that nothing has to be read (traceql.md §6.5).
pub fn is_constant_false(query: &Query) -> bool {
    match &query.body {
        Body::Spans(pipeline) => pipeline.is_trivially_false(),
        Body::ScalarFilter(_) => false,
        Body::Metrics(expr) => matches_nothing(expr),
    }
}

fn matches_nothing(expr: &MetricsExpr) -> bool {
    match expr {
        MetricsExpr::Query(query) => query.pipeline.is_trivially_false(),
        MetricsExpr::Constant(_) => true,
        MetricsExpr::Math { left, right, .. } => matches_nothing(left) && matches_nothing(right),
        MetricsExpr::Stages { inner, .. } => matches_nothing(inner),
    }
}
