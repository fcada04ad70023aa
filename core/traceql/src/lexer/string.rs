//! String literals (traceql.md §1.4).

use std::sync::Arc;

/// A literal, its bytes with the quotes; or the byte at fault and why.
type Read = Result<(Arc<str>, usize), (usize, &'static str)>;

/// Text that starts with a backquote: no escapes, carriage returns are dropped.
pub fn read_raw(text: &str) -> Read {
    let Some(length) = text[1..].find('`') else {
        return Err((0, "string without an end, expected a backquote"));
    };
    let content = &text[1..=length];
    let value = if content.contains('\r') {
        content.replace('\r', "").into()
    } else {
        content.into()
    };
    Ok((value, length + 2))
}

/// Text that starts with `"`. Escaped bytes that are no UTF-8 become U+FFFD, as attribute values are UTF-8 anyway.
pub fn read_quoted(text: &str) -> Read {
    let mut value = Vec::new();
    let mut at = 1;
    loop {
        let rest = &text[at..];
        let Some(stop) = rest.find(['"', '\\', '\n']) else {
            return Err((0, "string without an end, expected `\"`"));
        };
        value.extend_from_slice(&rest.as_bytes()[..stop]);
        at += stop;
        match text.as_bytes()[at] {
            b'"' => {
                let value = match String::from_utf8(value) {
                    Ok(value) => value,
                    Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
                };
                return Ok((value.into(), at + 1));
            }
            b'\n' => return Err((0, "a string in `\"` cannot hold a line break")),
            _ => match escape(&text[at + 1..], &mut value) {
                Some(length) => at += 1 + length,
                None => return Err((at, "unknown escape in a string")),
            },
        }
    }
}

/// Reads what follows a backslash: the bytes taken, or `None` if it is no escape.
fn escape(text: &str, value: &mut Vec<u8>) -> Option<usize> {
    let bytes = text.as_bytes();
    let number = |digits: std::ops::Range<usize>, radix: u32| {
        let digits = bytes.get(digits)?;
        digits.iter().try_fold(0u32, |number, digit| {
            Some(number * radix + char::from(*digit).to_digit(radix)?)
        })
    };
    let simple = match bytes.first()? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'"' => b'"',
        b'0'..=b'7' => {
            value.push(u8::try_from(number(0..3, 8)?).ok()?);
            return Some(3);
        }
        b'x' => {
            value.push(u8::try_from(number(1..3, 16)?).ok()?);
            return Some(3);
        }
        letter @ (b'u' | b'U') => {
            let length = if *letter == b'u' { 5 } else { 9 };
            let c = char::from_u32(number(1..length, 16)?)?;
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(length);
        }
        _ => return None,
    };
    value.push(simple);
    Some(1)
}

/// A literal for `value` that reads as it again: raw where a raw one can hold it.
pub fn quote(value: &str) -> String {
    if !value.contains(['`', '\r', '\0']) {
        return format!("`{value}`");
    }
    let mut text = String::with_capacity(value.len() + 8);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0' => text.push_str("\\x00"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
