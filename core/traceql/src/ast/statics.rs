//! Typed literals and values.

use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    Error,
    Ok,
    Unset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Unspecified,
    Internal,
    Client,
    Server,
    Producer,
    Consumer,
}

/// A literal of a query, or a value that a query made (traceql.md §4.1). Queries have no literals for lists and nil stands only beside
/// `=` and `!=`, so the parser never puts those into an `Expr::Static`.
#[derive(Clone, Debug)]
pub enum Static {
    Nil,
    Int(i64),
    Float(f64),
    String(Arc<str>),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(Status),
    Kind(Kind),
    IntArray(Vec<i64>),
    FloatArray(Vec<f64>),
    StringArray(Vec<Arc<str>>),
    BoolArray(Vec<bool>),
}

/// The same type and the same value; floats by their bits, so that NaN equals itself.
impl PartialEq for Static {
    fn eq(&self, other: &Self) -> bool {
        let bits = |values: &[f64]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Int(a), Self::Int(b)) | (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Status(a), Self::Status(b)) => a == b,
            (Self::Kind(a), Self::Kind(b)) => a == b,
            (Self::IntArray(a), Self::IntArray(b)) => a == b,
            (Self::FloatArray(a), Self::FloatArray(b)) => bits(a) == bits(b),
            (Self::StringArray(a), Self::StringArray(b)) => a == b,
            (Self::BoolArray(a), Self::BoolArray(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Static {}
