//! Problems of a configuration: each with its place, all of a file at once.

use std::fmt;

use crate::limits::MAX_PROBLEMS;
use crate::yaml::Mark;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text; line 0 when it does not come from a text (a flag, a cross-check of several keys).
    pub mark: Mark,
    /// The key, with dots: `storage.trace.local.path`. Empty for the whole file.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything wrong with one source (a file, the flags).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// What was read: a file name, or a description.
    pub source: String,
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().take(MAX_PROBLEMS).enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            if problem.mark.line > 0 {
                write!(
                    out,
                    "{}:{}:{}: ",
                    self.source, problem.mark.line, problem.mark.column
                )?;
            } else if !self.source.is_empty() {
                write!(out, "{}: ", self.source)?;
            }
            if !problem.path.is_empty() {
                write!(out, "{}: ", problem.path)?;
            }
            write!(out, "{}", problem.message)?;
        }
        if self.list.len() > MAX_PROBLEMS {
            write!(
                out,
                "\n{}: {} more problems",
                self.source,
                self.list.len() - MAX_PROBLEMS
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Why no configuration came out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The command line is wrong. `usage` is what to print after the message.
    #[error("{message}")]
    Usage { message: String, usage: String },
    /// `${…}` in the text is malformed.
    #[error("failed to expand env vars from configFile {file}: line {line}: {message}")]
    Expansion {
        file: String,
        line: u32,
        message: String,
    },
    /// The text is not what a configuration may be.
    #[error("failed parsing config: {0}")]
    Parse(Problems),
    /// The text is well formed but the values don't fit together, or ask for what this version cannot do.
    #[error("invalid config: {0}")]
    Invalid(Problems),
}

impl Error {
    /// No configuration error goes away by itself.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// The exit code of the process: 2 for a wrong command line, 1 for all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage { .. } => 2,
            _ => 1,
        }
    }
}
