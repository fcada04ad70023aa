//! Regular expressions of RE2, on top of the `regex` crate (traceql.md §5.9).
//!
//! `Pattern` reads RE2's syntax in full, so that what it refuses is refused and what the crate reads otherwise (perl classes of
//! ASCII only, brackets within brackets, `\Q..\E`, octal numbers, `\C`) is rewritten. `Matcher` runs it.

mod class;
mod escape;
mod translate;

use ::regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

pub use translate::Pattern;

use crate::limits::{
    MAX_ERROR_TEXT_CHARS, MAX_REGEX_CACHE_BYTES, MAX_REGEX_NESTING, MAX_REGEX_PROGRAM_BYTES,
    MAX_REGEX_STATES,
};

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegexError {
    #[error("invalid regex: `{pattern}`: {why}")]
    Invalid { pattern: String, why: String },
    #[error("regex too complex: `{pattern}`: more than {MAX_REGEX_STATES} states")]
    TooComplex { pattern: String },
    #[error("regex nested too deep: `{pattern}`: more than {MAX_REGEX_NESTING} groups")]
    TooDeep { pattern: String },
}

impl RegexError {
    fn invalid(pattern: &str, why: impl Into<String>) -> Self {
        Self::Invalid {
            pattern: cut(pattern),
            why: why.into(),
        }
    }
}

fn cut(pattern: &str) -> String {
    match pattern.char_indices().nth(MAX_ERROR_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &pattern[..end]),
        None => pattern.to_owned(),
    }
}

/// A compiled pattern; it matches whole values: `^(?s:pattern)$`. Cloning is cheap.
///
/// Values are taken to be UTF-8: `.` and classes match no byte that is not part of a character.
#[derive(Clone, Debug)]
pub struct Matcher {
    pattern: Box<str>,
    program: Program,
}

#[derive(Clone, Debug)]
enum Program {
    /// `.*`
    Everything,
    /// No operator in it.
    Exact(Box<[u8]>),
    Regex(Regex),
}

impl Matcher {
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let read = Pattern::read(pattern)?;
        let program = if read.matches_everything() {
            Program::Everything
        } else if let Some(literal) = read.literal() {
            Program::Exact(literal.as_bytes().into())
        } else {
            // Alternations, concatenations and repeats count as levels beside groups.
            let levels = u32::try_from(MAX_REGEX_NESTING * 4 + 20).unwrap_or(u32::MAX);
            let regex = RegexBuilder::new(&read.anchored())
                .size_limit(MAX_REGEX_PROGRAM_BYTES)
                .dfa_size_limit(MAX_REGEX_CACHE_BYTES)
                .nest_limit(levels)
                .build();
            Program::Regex(regex.map_err(|error| RegexError::invalid(pattern, error.to_string()))?)
        };
        Ok(Self {
            pattern: pattern.into(),
            program,
        })
    }

    /// As it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The whole value matches.
    #[inline]
    pub fn is_match(&self, value: &[u8]) -> bool {
        match &self.program {
            Program::Everything => true,
            Program::Exact(literal) => **literal == *value,
            Program::Regex(regex) => regex.is_match(value),
        }
    }

    /// The only value that matches, if the pattern has no operator.
    pub fn exact(&self) -> Option<&[u8]> {
        match &self.program {
            Program::Exact(literal) => Some(literal),
            _ => None,
        }
    }
}
