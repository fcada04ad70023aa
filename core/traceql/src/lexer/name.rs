//! Attribute names (traceql.md §1.3).

use std::borrow::Cow;

/// A name, its bytes in the text; or the byte at fault and why.
type Read<'a> = Result<(Cow<'a, str>, usize), (usize, &'static str)>;

fn ends_name(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '{' | '}' | '(' | ')' | '=' | '~' | '!' | '<' | '>' | '&' | '|' | '^' | ','
        )
}

/// Reads the name that `text` starts with. Bare and quoted parts are joined.
pub fn read(text: &str) -> Read<'_> {
    let bare = text
        .find(|c| c == '"' || ends_name(c))
        .unwrap_or(text.len());
    if text.as_bytes().get(bare) != Some(&b'"') {
        return match bare {
            0 => Err((0, "expected an attribute name")),
            _ => Ok((Cow::Borrowed(&text[..bare]), bare)),
        };
    }
    let mut name = String::from(&text[..bare]);
    let mut at = bare;
    let mut quoted = false;
    loop {
        let rest = &text[at..];
        let stop = rest.find(|c| match c {
            '"' => true,
            '\\' => quoted,
            c => !quoted && ends_name(c),
        });
        let stop = match stop {
            Some(stop) => stop,
            None if quoted => return Err((bare, "quoted attribute name without an end")),
            None => rest.len(),
        };
        name.push_str(&rest[..stop]);
        at += stop;
        match (text.as_bytes().get(at), text.as_bytes().get(at + 1)) {
            (Some(b'"'), _) => {
                quoted = !quoted;
                at += 1;
            }
            (Some(b'\\'), Some(escaped @ (b'"' | b'\\'))) => {
                name.push(char::from(*escaped));
                at += 2;
            }
            (Some(b'\\'), _) => {
                return Err((at, "only `\"` and `\\` are escaped in an attribute name"));
            }
            _ => return Ok((Cow::Owned(name), at)),
        }
    }
}

/// The name as it must be written. Empty names and unscoped ones that start with a digit are not marked as they
/// would need to be: canonical texts are compared, and theirs are like this (traceql.md §2.9).
pub fn quote(name: &str) -> Cow<'_, str> {
    if !name.contains(|c| c == '"' || ends_name(c)) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!(
        "\"{}\"",
        name.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}
