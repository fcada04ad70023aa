//! Paths: templates with variables, cleaning, percent decoding, and the route label of metrics.
//!
//! A template is literal text with `{name}` (one segment) and `{*name}` (one or more segments, slashes included).
//! Matching works on the path as it was sent; what a variable matched is percent-decoded.

use std::borrow::Cow;

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A variable; `true` if it may hold slashes.
    Variable(String, bool),
}

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

/// Why a template is wrong. Templates are program text, so this shows at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A template must start with a slash.
    #[error("path template {0:?} does not start with a slash")]
    NoSlash(String),
    /// Braces that do not pair, or an empty name.
    #[error("path template {0:?} has a malformed variable")]
    BadVariable(String),
    /// Two variables without text between them cannot be told apart.
    #[error("path template {0:?} has two variables side by side")]
    Adjacent(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateError::NoSlash(text.to_owned()));
        }
        let bad = || TemplateError::BadVariable(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open == 0 {
                return Err(TemplateError::Adjacent(text.to_owned()));
            }
            let (literal, after) = rest.split_at(open);
            if literal.contains('}') {
                return Err(bad());
            }
            pieces.push(Piece::Literal(literal.to_owned()));
            let close = after.find('}').ok_or_else(bad)?;
            let inner = &after[1..close];
            let (name, wide) = match inner.strip_prefix('*') {
                Some(name) => (name, true),
                None => (inner, false),
            };
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(bad());
            }
            pieces.push(Piece::Variable(name.to_owned(), wide));
            rest = &after[close + 1..];
        }
        if rest.contains('}') {
            return Err(bad());
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The path itself if it has no variables.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables' decoded values in order, or `None` if the path does not match.
    pub(crate) fn matches(&self, path: &str) -> Option<Vec<(&str, String)>> {
        let mut values = Vec::new();
        match_pieces(&self.pieces, path, &mut values).then_some(values)
    }
}

/// A wide variable takes as much as it can; a narrow one has only one possible extent, or the extents up to the next slash.
/// Templates have one or two variables, so the backtracking is bounded by the path length squared.
fn match_pieces<'t>(pieces: &'t [Piece], path: &str, values: &mut Vec<(&'t str, String)>) -> bool {
    match pieces {
        [] => path.is_empty(),
        [Piece::Literal(text), rest @ ..] => path
            .strip_prefix(text.as_str())
            .is_some_and(|tail| match_pieces(rest, tail, values)),
        [Piece::Variable(name, wide), rest @ ..] => {
            let longest = if *wide {
                path.len()
            } else {
                path.find('/').unwrap_or(path.len())
            };
            for end in (1..=longest).rev() {
                if !path.is_char_boundary(end) {
                    continue;
                }
                let before = values.len();
                values.push((name, percent_decode(&path[..end]).into_owned()));
                if match_pieces(rest, &path[end..], values) {
                    return true;
                }
                values.truncate(before);
                if rest.is_empty() {
                    return false;
                }
            }
            false
        }
    }
}

/// Percent-decodes; a `%` that is not followed by two hex digits stays, and bytes that are not UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = (bytes.get(i + 1).copied(), bytes.get(i + 2).copied());
        if bytes[i] == b'%'
            && let (Some(high), Some(low)) = pair
            && let (Some(high), Some(low)) = (hex_digit(high), hex_digit(low))
        {
            out.push(high << 4 | low);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The path a client should have asked for: no doubled slashes, `.` and `..` resolved, a trailing slash kept. `None` if it is clean.
pub(crate) fn clean(path: &str) -> Option<String> {
    let clean_already = path.starts_with('/')
        && !path.contains("//")
        && path
            .split('/')
            .all(|segment| segment != "." && segment != "..");
    if clean_already {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    let directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    if out.is_empty() || directory {
        out.push('/');
    }
    Some(out)
}

/// The `route` label of a template: lower case, everything that is not a letter or digit to one `_` (observability.md section 1).
pub fn route_label(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    for c in template.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    while out.ends_with('_') {
        out.pop();
    }
    if out.is_empty() {
        "root".to_owned()
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        let template = Template::parse(template).expect("test templates are valid");
        template
            .matches(path)
            .map(|found| found.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn variables_match_segments_or_across_slashes() {
        let one = |v: &str| Some(vec![v.to_owned()]);
        assert_eq!(
            values("/api/traces/{traceID}", "/api/traces/abc"),
            one("abc")
        );
        assert_eq!(values("/api/traces/{traceID}", "/api/traces/"), None);
        assert_eq!(values("/api/traces/{traceID}", "/api/traces/a/b"), None);
        assert_eq!(
            values("/api/traces/{traceID}", "/api/traces/a%2Fb"),
            one("a/b")
        );
        let wide = "/api/search/tag/{*tagName}/values";
        assert_eq!(values(wide, "/api/search/tag/a/values"), one("a"));
        assert_eq!(values(wide, "/api/search/tag/a/b/values"), one("a/b"));
        assert_eq!(
            values(wide, "/api/search/tag/a/values/values"),
            one("a/values")
        );
        assert_eq!(values(wide, "/api/search/tag//values"), None);
        assert_eq!(
            values(wide, "/api/search/tag/.a%20%7Bb/values"),
            one(".a {b")
        );
        assert_eq!(values("/status", "/status"), Some(vec![]));
        assert_eq!(values("/status", "/status/"), None);
        assert_eq!(
            values("/a/{x}-{y}", "/a/1-2-3"),
            Some(vec!["1-2".into(), "3".into()])
        );
    }

    #[test]
    fn wrong_templates_are_refused() {
        for bad in [
            "a", "/{", "/}", "/{}", "/{*}", "/{a b}", "/a}/{b}", "/{a}{b}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_follow_the_dashboards() {
        for (template, label) in [
            (
                "/api/search/tag/{*tagName}/values",
                "api_search_tag_tagname_values",
            ),
            ("/api/traces/{traceID}", "api_traces_traceid"),
            ("/status/{endpoint}", "status_endpoint"),
            (
                "/live-store/prepare-downscale",
                "live_store_prepare_downscale",
            ),
            ("/tempo/api/search", "tempo_api_search"),
            ("/status/usage-stats", "status_usage_stats"),
        ] {
            assert_eq!(route_label(template), label);
        }
    }

    #[test]
    fn cleaning() {
        for (path, expected) in [
            ("/api/echo", None),
            ("/api/echo/", None),
            ("/", None),
            ("//api/echo", Some("/api/echo")),
            ("/api//echo/", Some("/api/echo/")),
            ("/api/../status", Some("/status")),
            ("/../..", Some("/")),
            ("/a/b/..", Some("/a/")),
            ("*", Some("/*")),
            ("", Some("/")),
        ] {
            assert_eq!(clean(path).as_deref(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_cleaned_path_is_clean(path in "[/.a%]{0,20}") {
            if let Some(cleaned) = clean(&path) {
                prop_assert_eq!(clean(&cleaned), None);
            }
        }

        #[test]
        fn decoding_undoes_encoding(text in "\\PC{0,20}") {
            let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
            prop_assert_eq!(percent_decode(&encoded), text.as_str());
        }

        #[test]
        fn decoding_takes_anything(text in "[%0-9a-zA-Z]{0,20}") {
            let _ = percent_decode(&text);
        }
    }
}
