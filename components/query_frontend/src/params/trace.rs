//! Trace by id (http-api.md §4).

use std::sync::Arc;

use vivace_model::TraceId;
use vivace_traceql::{Body, Element, Expr, Field, Intrinsic, Query, SpansetExpr, parse, validate};

use super::numbers::{boolean, int, int_param, uuid};
use super::{BadParameter, Pairs, value};

/// Where to look for the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Recent data and blocks.
    All,
    /// Recent data only (`ingesters`).
    Recent,
    /// Blocks only.
    Blocks,
    /// The external endpoint only.
    External,
}

/// Which spans of a trace are wanted (read-path-and-backend-work.md §6.1).
#[derive(Debug, Clone, PartialEq)]
pub struct TraceFilter {
    /// One filter of spans.
    pub query: Arc<Query>,
    /// Levels of descendants kept under a match; None: all.
    pub match_depth: Option<u32>,
    /// Levels of ancestors kept over a match; None: all.
    pub ancestor_depth: Option<u32>,
}

/// A checked trace-by-id request.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceByIdParams {
    /// The trace asked for.
    pub trace_id: TraceId,
    /// Which sources to ask.
    pub mode: Mode,
    /// First block id of the shard, inclusive, as 16 bytes.
    pub block_start: u128,
    /// Last block id of the shard, inclusive.
    pub block_end: u128,
    /// Unix seconds; narrows the blocks, not the spans. 0 = not given.
    pub start_seconds: i64,
    /// Unix seconds; narrows the blocks, not the spans. 0 = not given.
    pub end_seconds: i64,
    /// None: the whole trace.
    pub filter: Option<TraceFilter>,
}

/// Reads the parameters of `/api/traces/{id}` (`v2 = false`) and `/api/v2/traces/{id}`. A `q` longer than `max_query_bytes` (0: any)
/// is refused.
pub fn parse_trace_by_id(
    path_id: &str,
    query: &Pairs,
    v2: bool,
    max_query_bytes: usize,
) -> Result<TraceByIdParams, BadParameter> {
    let trace_id = TraceId::from_hex(path_id).map_err(|error| BadParameter(error.to_string()))?;
    let mut params = TraceByIdParams {
        trace_id,
        mode: parse_mode(query)?,
        block_start: 0,
        block_end: u128::MAX,
        start_seconds: 0,
        end_seconds: 0,
        filter: None,
    };
    // Recent data has no blocks and no time ranges, so the other parameters mean nothing there.
    if params.mode == Mode::Recent {
        return Ok(params);
    }
    if let Some(text) = value(query, "blockStart") {
        params.block_start = uuid("blockstart", text)?;
    }
    if let Some(text) = value(query, "blockEnd") {
        params.block_end = uuid("blockend", text)?;
    }
    params.start_seconds = int_param(query, "start")?;
    params.end_seconds = int_param(query, "end")?;
    let (start, end) = (params.start_seconds, params.end_seconds);
    if start != 0 && end != 0 && end <= start {
        return Err(BadParameter(format!(
            "http parameter start must be before end. received start={start} end={end}"
        )));
    }
    if v2 {
        params.filter = parse_filter(query, max_query_bytes)?;
    }
    Ok(params)
}

fn parse_filter(
    query: &Pairs,
    max_query_bytes: usize,
) -> Result<Option<TraceFilter>, BadParameter> {
    let keep_hierarchy = match value(query, "keep_hierarchy") {
        Some(text) => boolean("keep_hierarchy", text)?,
        None => false,
    };
    let match_depth = depth(query, "match_depth", 0)?;
    let ancestor_depth = depth(query, "ancestor_depth", -1)?;
    let Some(text) = value(query, "q").filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    super::search::check_size(text, max_query_bytes)?;
    Ok(Some(TraceFilter {
        query: Arc::new(one_filter(text)?),
        match_depth,
        ancestor_depth: if keep_hierarchy {
            ancestor_depth
        } else {
            Some(0)
        },
    }))
}

/// Levels; None for -1, which is all.
fn depth(query: &Pairs, name: &str, unset: i64) -> Result<Option<u32>, BadParameter> {
    let depth = match value(query, name) {
        None => unset,
        Some(text) => {
            int(text).map_err(|why| BadParameter(format!("invalid value for {name}: {why}")))?
        }
    };
    match depth {
        ..-1 => Err(BadParameter(format!(
            "invalid value for {name}: must be >= -1"
        ))),
        -1 => Ok(None),
        depth => Ok(Some(u32::try_from(depth).unwrap_or(u32::MAX))),
    }
}

/// A query that is one filter of spans, of things that spans have.
fn one_filter(text: &str) -> Result<Query, BadParameter> {
    let bad = |why: String| BadParameter(format!("invalid TraceQL filter: {why}"));
    let query = parse(text).map_err(|error| bad(error.to_string()))?;
    validate(&query).map_err(|error| bad(error.to_string()))?;
    let filter = match &query.body {
        Body::Spans(pipeline) => match pipeline.elements.as_slice() {
            [Element::Spanset(SpansetExpr::Filter(expr))] => Some(expr),
            _ => None,
        },
        _ => None,
    };
    let Some(filter) = filter else {
        return Err(bad(
            "only a single TraceQL filter is supported: got a structural or aggregate query".into(),
        ));
    };
    match of_trace(filter) {
        Some(name) => Err(bad(format!(
            "{name} is a property of the whole trace and cannot select spans"
        ))),
        None => Ok(query),
    }
}

/// The first intrinsic of the whole trace. The parser has bounded the depth of the tree.
fn of_trace(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Static(_) => None,
        Expr::Field(Field::Intrinsic(intrinsic)) => match intrinsic {
            Intrinsic::TraceId => Some("trace:id"),
            Intrinsic::TraceDuration => Some("trace:duration"),
            Intrinsic::TraceRootName => Some("trace:rootName"),
            Intrinsic::TraceRootService => Some("trace:rootService"),
            _ => None,
        },
        Expr::Field(Field::Attribute(_)) => None,
        Expr::Unary { inner, .. } | Expr::Exists(inner) | Expr::NotExists(inner) => of_trace(inner),
        Expr::Binary { left, right, .. } => of_trace(left).or_else(|| of_trace(right)),
    }
}

fn parse_mode(query: &Pairs) -> Result<Mode, BadParameter> {
    match value(query, "mode") {
        None | Some("all") => Ok(Mode::All),
        Some("ingesters") => Ok(Mode::Recent),
        Some("blocks") => Ok(Mode::Blocks),
        Some("external") => Ok(Mode::External),
        Some(other) => Err(BadParameter(format!("invalid value for mode {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::numbers::uuid;

    fn query(text: &str) -> Vec<(String, String)> {
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn refusal(id: &str, text: &str) -> String {
        match parse_trace_by_id(id, &query(text), true, 100) {
            Ok(params) => panic!("accepted: {params:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn refusals_have_the_texts_of_the_specification() {
        let long = "0".repeat(33);
        for (id, text, want) in [
            (
                "xyz",
                "",
                "trace IDs can only contain hex characters: invalid character 'x' at position 1",
            ),
            (long.as_str(), "", "trace IDs can't be larger than 128 bits"),
            (
                "1",
                "start=abc",
                "invalid start: strconv.ParseInt: parsing \"abc\": invalid syntax",
            ),
            (
                "1",
                "start=20&end=10",
                "http parameter start must be before end. received start=20 end=10",
            ),
            ("1", "mode=foo", "invalid value for mode foo"),
            (
                "1",
                "blockStart=abc",
                "invalid value for blockstart: invalid UUID length: 3",
            ),
            (
                "1",
                "match_depth=-2",
                "invalid value for match_depth: must be >= -1",
            ),
            (
                "1",
                "keep_hierarchy=x",
                "invalid value for keep_hierarchy: strconv.ParseBool: parsing \"x\": invalid syntax",
            ),
            (
                "1",
                "end=99999999999999999999",
                "invalid end: strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
            ),
        ] {
            assert_eq!(refusal(id, text), want, "{id} {text}");
        }
    }

    #[test]
    fn recent_mode_looks_at_no_other_parameter() {
        let params = parse_trace_by_id("0A", &query("mode=ingesters&start=abc"), false, 0);
        assert_eq!(params.map(|p| p.mode), Ok(Mode::Recent));
    }

    #[test]
    fn uuids_in_all_their_forms() {
        let want = 0x1111_1111_2222_3333_4444_5555_5555_5555;
        for text in [
            "11111111-2222-3333-4444-555555555555",
            "11111111222233334444555555555555",
            "{11111111-2222-3333-4444-555555555555}",
            "urn:uuid:11111111-2222-3333-4444-555555555555",
        ] {
            assert_eq!(uuid("x", text), Ok(want), "{text}");
        }
        assert!(uuid("x", "11111111-2222-3333-4444-55555555555é").is_err());
    }
}
