//! `${…}` in a configuration text (configuration.md §1).
//!
//! | written | stands for |
//! |---|---|
//! | `${V}` | the variable, nothing if unset |
//! | `${V:-d}`, `${V:=d}`, `${V=d}`, `${V:d}` | `d` if the variable is unset or empty (`d` no number in the last form) |
//! | `${V:1}`, `${V:1:2}` | characters from a position, so many |
//! | `${V/a/b}`, `${V//a/b}`, `${V/#a/b}`, `${V/%a/b}` | first, every, leading, trailing `a` replaced |
//! | `${V^}`, `${V^^}`, `${V,}`, `${V,,}` | first letter or all in upper or lower case |
//! | `${#V}` | number of characters |
//! | `${V#p}`, `${V##p}`, `${V%p}`, `${V%%p}` | without the shortest or longest start or end that the pattern matches |
//! | `$$` | `$` |
//!
//! A `$` without a brace stays. Values may themselves hold `${…}` of other variables; what comes out is not expanded
//! again.

use crate::limits::{MAX_EXPANSION_DEPTH, MAX_TEXT_BYTES};

/// What is malformed, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ExpandError {
    pub line: u32,
    pub message: &'static str,
}

const MISSING_BRACE: &str = "missing closing brace";
const BAD: &str = "bad substitution";
const TOO_LONG: &str = "the expanded text is too long";

/// Expands a text; `lookup` gives the variables.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut expander = Expander {
        text,
        at: 0,
        lookup,
    };
    let mut out = String::with_capacity(text.len());
    let result = expander.body(&mut out);
    result.map(|()| out).map_err(|message| {
        let before = text.as_bytes()[..expander.at.min(text.len())].iter();
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        ExpandError {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            message,
        }
    })
}

struct Expander<'a> {
    text: &'a str,
    /// Always on a character's border.
    at: usize,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

type Outcome<T> = Result<T, &'static str>;

impl Expander<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, prefix: &str) -> bool {
        let there = self.rest().starts_with(prefix);
        if there {
            self.at += prefix.len();
        }
        there
    }

    fn body(&mut self, out: &mut String) -> Outcome<()> {
        while let Some(dollar) = self.rest().find('$') {
            out.push_str(&self.text[self.at..self.at + dollar]);
            self.at += dollar;
            if self.take("$$") {
                out.push('$');
            } else if self.take("${") {
                out.push_str(&self.substitution(0)?);
                if out.len() > MAX_TEXT_BYTES {
                    return Err(TOO_LONG);
                }
            } else {
                out.push('$');
                self.at += 1;
            }
        }
        out.push_str(&self.text[self.at..]);
        self.at = self.text.len();
        Ok(())
    }

    /// What follows `${`, with the closing brace.
    fn substitution(&mut self, depth: usize) -> Outcome<String> {
        if depth > MAX_EXPANSION_DEPTH {
            return Err("substitutions nested too deep");
        }
        if self.take("#") {
            let name = self.name()?;
            self.close()?;
            return Ok(self.value(&name).chars().count().to_string());
        }
        let name = self.name()?;
        let value = self.value(&name);
        if self.take("}") {
            return Ok(value);
        }
        if self.take(":-")
            || self.take(":=")
            || self.take(":+")
            || self.take(":?")
            || self.take("=")
        {
            let default = self.argument(depth, None)?;
            self.close()?;
            return Ok(if value.is_empty() { default } else { value });
        }
        if self.take(":") {
            let argument = self.argument(depth, None)?;
            self.close()?;
            return Ok(substring(value, &argument));
        }
        if self.take("^^") {
            self.close()?;
            return Ok(value.to_uppercase());
        }
        if self.take(",,") {
            self.close()?;
            return Ok(value.to_lowercase());
        }
        if self.take("^") {
            self.close()?;
            return Ok(map_first(&value, |c| c.to_uppercase().collect()));
        }
        if self.take(",") {
            self.close()?;
            return Ok(map_first(&value, |c| c.to_lowercase().collect()));
        }
        if self.take("/") {
            return self.replacement(value, depth);
        }
        for (operator, from_end, longest) in [
            ("##", false, true),
            ("#", false, false),
            ("%%", true, true),
            ("%", true, false),
        ] {
            if self.take(operator) {
                let pattern = self.argument(depth, None)?;
                self.close()?;
                return Ok(trim(&value, &pattern, from_end, longest).to_string());
            }
        }
        Err(MISSING_BRACE)
    }

    fn replacement(&mut self, value: String, depth: usize) -> Outcome<String> {
        let kind = if self.take("/") {
            '/'
        } else if self.take("#") {
            '#'
        } else if self.take("%") {
            '%'
        } else {
            ' '
        };
        let from = self.argument(depth, Some('/'))?;
        let to = if self.take("/") {
            self.argument(depth, None)?
        } else {
            String::new()
        };
        self.close()?;
        if from.is_empty() {
            return Ok(value);
        }
        if (value.len() / from.len()).saturating_mul(to.len()) > MAX_TEXT_BYTES {
            return Err(TOO_LONG);
        }
        Ok(match kind {
            '/' => value.replace(&from, &to),
            '#' => value
                .strip_prefix(&from)
                .map(|rest| format!("{to}{rest}"))
                .unwrap_or(value),
            '%' => value
                .strip_suffix(&from)
                .map(|rest| format!("{rest}{to}"))
                .unwrap_or(value),
            _ => value.replacen(&from, &to, 1),
        })
    }

    fn name(&mut self) -> Outcome<String> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(if rest.is_empty() { MISSING_BRACE } else { BAD });
        }
        let name = rest[..end].to_string();
        self.at += end;
        Ok(name)
    }

    fn value(&self, name: &str) -> String {
        (self.lookup)(name).unwrap_or_default()
    }

    fn close(&mut self) -> Outcome<()> {
        if self.take("}") {
            Ok(())
        } else {
            Err(MISSING_BRACE)
        }
    }

    /// Text up to the closing brace or `stop`, with substitutions inside. `\` before `}`, `/` or `\` makes it a text.
    fn argument(&mut self, depth: usize, stop: Option<char>) -> Outcome<String> {
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return Err(MISSING_BRACE),
                Some('}') => return Ok(out),
                Some(c) if stop == Some(c) => return Ok(out),
                Some('$') if self.rest().starts_with("${") => {
                    self.at += 2;
                    out.push_str(&self.substitution(depth + 1)?);
                }
                Some('\\')
                    if matches!(self.rest().as_bytes().get(1), Some(b'}' | b'/' | b'\\')) =>
                {
                    self.at += 1;
                    out.extend(self.peek());
                    self.at += 1;
                }
                Some(c) => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
            if out.len() > MAX_TEXT_BYTES {
                return Err(TOO_LONG);
            }
        }
    }
}

/// `${V:position}`, `${V:position:length}`, or a default when there is no number.
fn substring(value: String, argument: &str) -> String {
    let (position, length) = match argument.split_once(':') {
        Some((position, length)) => (position, Some(length)),
        None => (argument, None),
    };
    let Ok(position) = position.parse::<i64>() else {
        return if value.is_empty() {
            argument.to_string()
        } else {
            value
        };
    };
    let count = value.chars().count() as i64;
    let start = if position < 0 {
        (count.saturating_add(position)).max(0)
    } else {
        position.min(count)
    };
    let rest = value.chars().skip(start as usize);
    match length.map(str::parse::<usize>) {
        Some(Ok(length)) => rest.take(length).collect(),
        // As upstream: a length that is no number changes nothing.
        Some(Err(_)) => value,
        None => rest.collect(),
    }
}

fn map_first(value: &str, map: impl Fn(char) -> String) -> String {
    let mut chars = value.chars();
    match chars.next() {
        Some(first) => map(first) + chars.as_str(),
        None => String::new(),
    }
}

/// Cuts the start or end that the pattern matches.
fn trim<'a>(value: &'a str, pattern: &str, from_end: bool, longest: bool) -> &'a str {
    let pattern: Vec<char> = pattern.chars().collect();
    let borders: Vec<usize> = value
        .char_indices()
        .map(|(at, _)| at)
        .chain([value.len()])
        .collect();
    let chars: Vec<char> = value.chars().collect();
    let count = chars.len();
    // Lengths in characters, in the order in which they are to be tried.
    let lengths: Box<dyn Iterator<Item = usize>> = if longest {
        Box::new((1..=count).rev())
    } else {
        Box::new(1..=count)
    };
    for length in lengths {
        let part = if from_end {
            &chars[count - length..]
        } else {
            &chars[..length]
        };
        if glob(&pattern, part) {
            return if from_end {
                &value[..borders[count - length]]
            } else {
                &value[borders[length]..]
            };
        }
    }
    value
}

/// `*` any characters, `?` one, `[a-z]` and `[^a-z]` one of a set, `\` makes the next a plain one.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if t < text.len()
            && let Some(next) = one(pattern, p, text[t])
        {
            p = next;
            t += 1;
            continue;
        }
        match retry {
            Some((star, from)) if from < text.len() => {
                p = star;
                t = from + 1;
                retry = Some((star, from + 1));
            }
            _ => return false,
        }
    }
}

/// Whether the pattern's next element takes this character; then where the pattern goes on.
fn one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match *pattern.get(p)? {
        '?' => Some(p + 1),
        '\\' => (*pattern.get(p + 1)? == c).then_some(p + 2),
        '[' => {
            let negated = pattern.get(p + 1) == Some(&'^');
            let mut at = p + 1 + usize::from(negated);
            let mut inside = false;
            loop {
                let low = *pattern.get(at)?;
                if low == ']' {
                    return (inside != negated).then_some(at + 1);
                }
                let high = if pattern.get(at + 1) == Some(&'-')
                    && pattern.get(at + 2).is_some_and(|c| *c != ']')
                {
                    at += 2;
                    pattern[at]
                } else {
                    low
                };
                inside |= (low..=high).contains(&c);
                at += 1;
            }
        }
        plain => (plain == c).then_some(p + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "HOST" => "tempo.example.org",
            "PATH_" => "/a/b/c.tar.gz",
            "WORD" => "hello World",
            "EMPTY" => "",
            "UMLAUT" => "äöü",
            "NESTED" => "${HOST}",
            _ => return None,
        };
        Some(value.to_string())
    }

    #[test]
    fn every_form_expands() {
        let cases = [
            ("a ${HOST} b", "a tempo.example.org b"),
            ("${MISSING}", ""),
            ("$HOST $ $1 100$", "$HOST $ $1 100$"),
            ("$${HOST} $$", "${HOST} $"),
            ("$$$${X}", "$${X}"),
            ("${MISSING:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${HOST:-d}", "tempo.example.org"),
            ("${MISSING:=http://x:1/y}", "http://x:1/y"),
            ("${MISSING=d}", "d"),
            ("${MISSING:-}", ""),
            ("${MISSING:default}", "default"),
            ("${MISSING:host:1}", "host:1"),
            ("${HOST:default}", "tempo.example.org"),
            ("${MISSING:-${HOST}:${EMPTY:-80}}", "tempo.example.org:80"),
            ("${NESTED}", "${HOST}"),
            ("${WORD:6}", "World"),
            ("${WORD:0:4}", "hell"),
            ("${WORD:99}", ""),
            ("${WORD:2:99}", "llo World"),
            ("${UMLAUT:1:1}", "ö"),
            ("${#UMLAUT}", "3"),
            ("${#MISSING}", "0"),
            ("${WORD/o/0}", "hell0 World"),
            ("${WORD//o/0}", "hell0 W0rld"),
            ("${WORD/#hello/bye}", "bye World"),
            ("${WORD/%World/all}", "hello all"),
            ("${WORD/ /}", "helloWorld"),
            ("${PATH_//\\//.}", ".a.b.c.tar.gz"),
            ("${WORD^^}", "HELLO WORLD"),
            ("${WORD,,}", "hello world"),
            ("${WORD^}", "Hello World"),
            ("${UMLAUT^}", "Äöü"),
            ("${PATH_##*/}", "c.tar.gz"),
            ("${PATH_#*/}", "a/b/c.tar.gz"),
            ("${PATH_%.*}", "/a/b/c.tar"),
            ("${PATH_%%.*}", "/a/b/c"),
            ("${WORD#[g-i]?l}", "lo World"),
            ("${WORD#[^g-i]}", "hello World"),
        ];
        for (text, want) in cases {
            assert_eq!(expand(text, &lookup).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_line() {
        let cases = [
            ("${HOST-d}", 1, MISSING_BRACE),
            ("a\nb\n${HOST", 3, MISSING_BRACE),
            ("\n${HOST:-", 2, MISSING_BRACE),
            ("${", 1, MISSING_BRACE),
            ("${}", 1, BAD),
            ("${.x}", 1, BAD),
            ("${HOST^x}", 1, MISSING_BRACE),
            ("${WORD/a}x", 1, ""),
        ];
        for (text, line, message) in cases {
            match expand(text, &lookup) {
                Err(error) => assert_eq!((error.line, error.message), (line, message), "{text}"),
                Ok(out) => assert_eq!((message, out.as_str()), ("", "hello Worldx"), "{text}"),
            }
        }
        let deep = "${A:-".repeat(1000);
        assert_eq!(
            expand(&deep, &lookup).map_err(|error| error.message),
            Err("substitutions nested too deep")
        );
    }
}
