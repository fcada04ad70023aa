//! Parameters of the trace-by-id endpoints and the texts of their refusals (http-api.md §4.1, §4.3).

use thiserror::Error;
use vivace_model::TraceId;

/// A parameter that could not be used. The text goes to the client as it is, with status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadParameter(pub String);

impl BadParameter {
    /// Repeating the same request can't help.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

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

/// A checked trace-by-id request.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Reads the parameters of `/api/traces/{id}` (`v2 = false`) and `/api/v2/traces/{id}`.
pub fn parse_trace_by_id(
    path_id: &str,
    query: &[(String, String)],
    v2: bool,
) -> Result<TraceByIdParams, BadParameter> {
    let trace_id = TraceId::from_hex(path_id).map_err(|error| BadParameter(error.to_string()))?;
    let mut params = TraceByIdParams {
        trace_id,
        mode: parse_mode(query)?,
        block_start: 0,
        block_end: u128::MAX,
        start_seconds: 0,
        end_seconds: 0,
    };
    // Recent data has no blocks and no time ranges, so the other parameters mean nothing there.
    if params.mode == Mode::Recent {
        return Ok(params);
    }
    if let Some(text) = value(query, "blockStart") {
        params.block_start = parse_uuid("blockstart", text)?;
    }
    if let Some(text) = value(query, "blockEnd") {
        params.block_end = parse_uuid("blockend", text)?;
    }
    params.start_seconds = parse_int(query, "start")?;
    params.end_seconds = parse_int(query, "end")?;
    let (start, end) = (params.start_seconds, params.end_seconds);
    if start != 0 && end != 0 && end <= start {
        return Err(BadParameter(format!(
            "http parameter start must be before end. received start={start} end={end}"
        )));
    }
    if v2 {
        check_v2(query)?;
    }
    Ok(params)
}

fn check_v2(query: &[(String, String)]) -> Result<(), BadParameter> {
    if let Some(text) = value(query, "keep_hierarchy") {
        parse_bool("keep_hierarchy", text)?;
    }
    for name in ["match_depth", "ancestor_depth"] {
        let depth = match value(query, name) {
            None => continue,
            Some(text) => go_parse_int(text)
                .map_err(|why| BadParameter(format!("invalid value for {name}: {why}")))?,
        };
        if depth < -1 {
            return Err(BadParameter(format!(
                "invalid value for {name}: must be >= -1"
            )));
        }
    }
    // Filtering needs TraceQL; an unfiltered answer to a filtered question would be a wrong answer.
    if value(query, "q").is_some_and(|q| !q.trim().is_empty()) {
        return Err(BadParameter(
            "invalid TraceQL filter: this version cannot filter a trace by TraceQL; leave the parameter q out".to_owned(),
        ));
    }
    Ok(())
}

fn parse_mode(query: &[(String, String)]) -> Result<Mode, BadParameter> {
    match value(query, "mode") {
        None | Some("all") => Ok(Mode::All),
        Some("ingesters") => Ok(Mode::Recent),
        Some("blocks") => Ok(Mode::Blocks),
        Some("external") => Ok(Mode::External),
        Some(other) => Err(BadParameter(format!("invalid value for mode {other}"))),
    }
}

/// The first non-empty value of a parameter.
fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

fn parse_int(query: &[(String, String)], name: &str) -> Result<i64, BadParameter> {
    match value(query, name) {
        None => Ok(0),
        Some(text) => {
            go_parse_int(text).map_err(|why| BadParameter(format!("invalid {name}: {why}")))
        }
    }
}

/// A decimal integer with the refusal texts that clients of Tempo know.
fn go_parse_int(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|error| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

fn parse_bool(name: &str, text: &str) -> Result<bool, BadParameter> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(BadParameter(format!(
            "invalid value for {name}: strconv.ParseBool: parsing {text:?}: invalid syntax"
        ))),
    }
}

/// A UUID in its usual forms: hyphenated (also `urn:uuid:` or braces around it) or 32 hex digits.
fn parse_uuid(name: &str, text: &str) -> Result<u128, BadParameter> {
    let bad = |why: String| BadParameter(format!("invalid value for {name}: {why}"));
    let hyphenated = match text.len() {
        32 => return u128::from_str_radix(text, 16).map_err(|_| bad("invalid UUID format".into())),
        36 => text,
        38 if text.starts_with('{') && text.ends_with('}') => &text[1..37],
        45 => text
            .strip_prefix("urn:uuid:")
            .ok_or_else(|| bad("invalid urn prefix".into()))?,
        other => return Err(bad(format!("invalid UUID length: {other}"))),
    };
    let bytes = hyphenated.as_bytes();
    let mut value: u128 = 0;
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return Err(bad("invalid UUID format".into()));
            }
            continue;
        }
        let digit = (*byte as char)
            .to_digit(16)
            .ok_or_else(|| bad("invalid UUID format".into()))?;
        value = value << 4 | u128::from(digit);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Vec<(String, String)> {
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn refusal(id: &str, text: &str) -> String {
        match parse_trace_by_id(id, &query(text), true) {
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
        let params = parse_trace_by_id("0A", &query("mode=ingesters&start=abc"), false);
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
            assert_eq!(parse_uuid("x", text), Ok(want), "{text}");
        }
        assert!(parse_uuid("x", "11111111-2222-3333-4444-55555555555é").is_err());
    }
}
