//! TraceQL, the language: tree, text and types; see README.md.

pub mod ast;
mod chain;
mod error;
pub mod fold;
pub mod hints;
mod lexer;
pub mod limits;
mod parse;
mod query;
pub mod regex;
pub mod tag_filter;
pub mod text;
pub mod types;
mod validate;

pub use self::regex::{Matcher, RegexError};
pub use ast::{
    Aggregate, Arithmetic, Attribute, BinaryOp, Body, Compare, Element, Expr, Field, Form, Hint,
    Intrinsic, Kind, MathOp, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline, Query, Relation,
    ScalarExpr, ScalarFilter, Scope, SecondStage, SpansetExpr, SpansetOp, Static, Status, UnaryOp,
};
pub use error::ParseError;
pub use hints::{Exemplars, Hints, Sample};
pub use parse::parse;
pub use tag_filter::{Condition, TagFilter, TooManyGroups, tag_filter};
pub use types::Type;
pub use validate::{ValidationError, validate};
