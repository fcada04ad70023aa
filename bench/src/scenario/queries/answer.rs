//! What an answer says: how much was found, and what it took.

use serde_json::Value;

use super::list::Kind;

/// The figures of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Answer {
    /// Traces, series, values or names.
    pub found: u64,
    /// The sum over the values of an instant query.
    pub total: f64,
    /// Bytes of the answer.
    pub bytes: f64,
    /// Bytes that the server looked at.
    pub inspected_bytes: f64,
    /// Reads of the object store, and their bytes, where the server tells.
    pub reads: f64,
    pub read_bytes: f64,
}

/// `None` if the text is no answer to this kind of query.
pub fn read(kind: Kind, body: &[u8]) -> Option<Answer> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer.as_object()?;
    let list = |name: &str| answer.get(name).and_then(Value::as_array);
    let length = |name: &str| list(name).map_or(0, Vec::len) as u64;
    let found = match kind {
        Kind::Search | Kind::Wide => length("traces"),
        Kind::Range | Kind::Instant => length("series"),
        Kind::Values => length("tagValues"),
        Kind::Tags => {
            let scopes = list("scopes")?.iter();
            let tags = scopes.filter_map(|scope| scope.get("tags")?.as_array());
            tags.map(Vec::len).sum::<usize>() as u64
        }
    };
    let values = list("series").into_iter().flatten();
    let values = values.filter_map(|series| series.get("value")?.as_f64());
    // 64-bit numbers are strings in protobuf's JSON, and zeros are left out.
    let number = |name: &str| match answer.get("metrics").and_then(|all| all.get(name)) {
        None => Some(0.0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_f64(),
    };
    Some(Answer {
        found,
        total: values.sum(),
        bytes: body.len() as f64,
        inspected_bytes: number("inspectedBytes")?,
        reads: number("backendReads")?,
        read_bytes: number("backendBytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_and_cost_are_read() {
        let body = br#"{"traces":[{},{}],"metrics":{"inspectedBytes":"12","backendReads":"3","backendBytes":"1024"}}"#;
        let expected = Answer {
            found: 2,
            total: 0.0,
            bytes: body.len() as f64,
            inspected_bytes: 12.0,
            reads: 3.0,
            read_bytes: 1024.0,
        };
        assert_eq!(read(Kind::Search, body), Some(expected));
        let found = |kind, body: &[u8]| read(kind, body).map(|answer| answer.found);
        let tags = br#"{"scopes":[{"name":"a","tags":["x","y"]},{"name":"b"},{"tags":["z"]}]}"#;
        assert_eq!(found(Kind::Tags, tags), Some(3));
        assert_eq!(found(Kind::Values, br#"{"tagValues":[{}]}"#), Some(1));
        let instant = read(
            Kind::Instant,
            br#"{"series":[{"value":2.5},{},{"value":4}]}"#,
        );
        assert_eq!(instant.map(|one| (one.found, one.total)), Some((3, 6.5)));
        for broken in [
            &b"<html>"[..],
            b"[]",
            br#"{"metrics":{"inspectedBytes":"x"}}"#,
        ] {
            assert_eq!(read(Kind::Range, broken), None);
        }
    }
}
