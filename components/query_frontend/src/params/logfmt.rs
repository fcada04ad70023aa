//! `k=v k2="v 2"`, the legacy form of tags.

use super::BadParameter;
use crate::limits::LEGACY_TAGS;

/// Reads pairs. A key without a value has an empty one; a key may be there once.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, BadParameter> {
    let bad = |why: String| BadParameter(format!("invalid tags: {why}"));
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let at = |rest: &str| text.len() - rest.len() + 1;
        let key_end = rest
            .find(|c| is_blank(c) || c == '=' || c == '"')
            .unwrap_or(rest.len());
        let (key, after) = rest.split_at(key_end);
        if key.is_empty() || after.starts_with('"') {
            let found = after.chars().next().unwrap_or_default();
            return Err(bad(format!("unexpected {found:?} at pos {}", at(after))));
        }
        let value;
        (value, rest) = match after.strip_prefix('=') {
            None => (String::new(), after),
            Some(quoted) if quoted.starts_with('"') => {
                read_quoted(&quoted[1..]).ok_or_else(|| {
                    bad(format!(
                        "unterminated quoted value at pos {}",
                        text.len() + 2
                    ))
                })?
            }
            Some(plain) => {
                let end = plain.find(is_blank).unwrap_or(plain.len());
                let (value, after) = plain.split_at(end);
                if let Some(quote) = value.find('"') {
                    return Err(bad(format!("unexpected '\"' at pos {}", at(plain) + quote)));
                }
                (value.to_owned(), after)
            }
        };
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(bad(format!("tag {key} has been set twice")));
        }
        if pairs.len() == LEGACY_TAGS {
            return Err(bad(format!("more than {LEGACY_TAGS} tags")));
        }
        pairs.push((key.to_owned(), value));
        rest = rest.trim_start_matches(is_blank);
    }
    Ok(pairs)
}

fn is_blank(c: char) -> bool {
    c <= ' '
}

/// The text up to the closing quote, unescaped, and what follows.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}
