//! Literals and values.

use std::fmt::{self, Display};

use super::go;
use crate::ast::{Kind, Static, Status};
use crate::lexer::string::quote;

impl Status {
    /// The keyword.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Ok => "ok",
            Self::Unset => "unset",
        }
    }
}

impl Kind {
    /// The keyword.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Client => "client",
            Self::Server => "server",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `.0` is added to what could be taken for an integer.
fn float(value: f64) -> String {
    let mut text = go::float(value);
    if !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// As it is written in a query; strings quoted.
impl fmt::Display for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(value) => f.write_str(&quote(value)),
            Self::StringArray(values) => list(f, values, |value| quote(value)),
            plain => write_plain(plain, f),
        }
    }
}

impl Static {
    /// The bare value: strings without quotes, durations as `1.5s`, status and kind as their keywords, lists as `[a, b]`.
    /// For attributes of results and labels.
    pub fn text(&self) -> String {
        /// Prints a value without quotes.
        struct Plain<'a>(&'a Static);
        impl fmt::Display for Plain<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_plain(self.0, f)
            }
        }
        Plain(self).to_string()
    }
}

fn write_plain(value: &Static, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Static::Nil => f.write_str("nil"),
        Static::Int(value) => write!(f, "{value}"),
        Static::Float(value) => f.write_str(&float(*value)),
        Static::String(value) => f.write_str(value),
        Static::Bool(value) => write!(f, "{value}"),
        Static::Duration(value) => f.write_str(&go::duration(*value)),
        Static::Status(value) => value.fmt(f),
        Static::Kind(value) => value.fmt(f),
        Static::IntArray(values) => list(f, values, |value| value),
        Static::FloatArray(values) => list(f, values, |value| float(*value)),
        Static::StringArray(values) => list(f, values, |value| value),
        Static::BoolArray(values) => list(f, values, |value| value),
    }
}

fn list<'a, T, D: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    values: &'a [T],
    text: impl Fn(&'a T) -> D,
) -> fmt::Result {
    f.write_str("[")?;
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{}", text(value))?;
    }
    f.write_str("]")
}
