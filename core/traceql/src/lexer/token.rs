//! What a query text is made of (traceql.md §1.2).

use std::sync::Arc;

use crate::ast::Attribute;

#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    BraceOpen,
    BraceClose,
    ParenOpen,
    ParenClose,
    Comma,
    Pipe,
    /// One of `words::OPERATORS`.
    Operator(&'static str),
    String(Arc<str>),
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    Attribute(Attribute),
    /// `span:` and the like, without the colon.
    Scope(&'static str),
    /// A keyword, or an identifier that only hints may have.
    Word(&'a str),
    End,
}
