//! Why a text is no query.

use thiserror::Error;

/// A text that the lexer or the grammar refuses. Only the first fault is told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("parse error at line {line}, col {column}: {message}")]
pub struct ParseError {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters, of the token at fault.
    pub column: usize,
    /// What was found and what was expected instead.
    pub message: String,
}

impl ParseError {
    /// `at` is a byte of `text`; one beyond its end means the end.
    pub(crate) fn new(text: &str, at: usize, message: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
            column: 1 + before[line_start..].chars().count(),
            message: message.into(),
        }
    }
}
