//! Why a query that parses cannot run.

use thiserror::Error;

use crate::limits::{MAX_COMPARE_TOP, MAX_ERROR_TEXT_CHARS, MAX_REGEX_STATES_PER_QUERY};
use crate::regex::RegexError;

/// A query that the checker refuses (traceql.md §4). Texts in it are canonical and cut at `MAX_ERROR_TEXT_CHARS`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValidationError {
    #[error("binary operations must operate on the same type: {0}")]
    DifferentTypes(String),
    #[error("illegal operation for the given types: {0}")]
    IllegalOperation(String),
    #[error("illegal operation for the given type: {0}")]
    IllegalUnary(String),
    #[error("a filter must be a boolean: {{ {0} }}")]
    FilterNotBoolean(String),
    #[error("an aggregate must be over a number: {0}")]
    AggregateNotNumeric(String),
    #[error("{0} must read an attribute or intrinsic of the span")]
    NoField(String),
    #[error("the right side of a regular expression must be a literal string: {0}")]
    PatternNotLiteral(String),
    #[error(transparent)]
    Regex(#[from] RegexError),
    #[error(
        "the regular expressions of the query are too complex: more than {MAX_REGEX_STATES_PER_QUERY} states"
    )]
    RegexesTooComplex,
    #[error("{0} cannot be nil: {1}")]
    NeverNil(String, String),
    #[error("quantile must be between 0 and 1: {0}")]
    Quantile(String),
    #[error("limit must be greater than 0: {0}")]
    Limit(i64),
    #[error("compare() top number must be between 1 and {MAX_COMPARE_TOP}: {0}")]
    CompareTop(i64),
    #[error(
        "compare() start and end must both be 0, or greater than 0 with the end after the start: {start}, {end}"
    )]
    CompareWindow { start: i64, end: i64 },
    #[error("compare() cannot be combined with {0}")]
    CompareAlone(&'static str),
    /// Parsed, but not part of what runs: the rest of the text says what.
    #[error("{0} not yet supported")]
    NotYetSupported(String),
}

impl ValidationError {
    /// Of the family "not yet supported".
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::NotYetSupported(_))
    }
}

/// The canonical text, cut.
pub(super) fn text(part: &impl std::fmt::Display) -> String {
    use std::fmt::Write;

    /// Stops taking text when it has enough, so that a part of a megabyte is not printed for a line.
    struct Cut {
        text: String,
        left: usize,
    }
    impl Write for Cut {
        fn write_str(&mut self, more: &str) -> std::fmt::Result {
            for c in more.chars() {
                if self.left == 0 {
                    return Err(std::fmt::Error);
                }
                self.left -= 1;
                self.text.push(c);
            }
            Ok(())
        }
    }
    let mut cut = Cut {
        text: String::new(),
        left: MAX_ERROR_TEXT_CHARS,
    };
    if write!(cut, "{part}").is_err() {
        cut.text.push('…');
    }
    cut.text
}
