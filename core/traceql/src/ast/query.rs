//! Queries for spans (traceql.md §2.2, §2.3, §2.5).

use std::sync::Arc;

use super::{Arithmetic, Compare, Expr, Field, MetricsExpr, Static};

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub body: Body,
    /// Of several `with(...)` the last.
    pub hints: Vec<Hint>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    pub name: Arc<str>,
    pub value: Static,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A pipeline of spansets; pipelines combined by spanset operators are one with a single `Element::Spanset`.
    Spans(Pipeline),
    /// `({} | count()) > 5`: parsed, then refused as not supported.
    ScalarFilter(ScalarFilter),
    Metrics(MetricsExpr),
}

/// Stages, at least one. What the first gets are all spans of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    Spanset(SpansetExpr),
    Scalar(ScalarFilter),
    By(Expr),
    Coalesce,
    Select(Vec<Field>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum SpansetExpr {
    /// `{}` is `Filter(Static(Bool(true)))`.
    Filter(Expr),
    Binary {
        op: SpansetOp,
        left: Box<SpansetExpr>,
        right: Box<SpansetExpr>,
    },
    /// A parenthesised pipeline as an operand.
    Pipeline(Box<Pipeline>),
}

/// Operators between spansets (traceql.md §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpansetOp {
    And,
    Or,
    Structural { relation: Relation, form: Form },
}

/// How the right spans stand to the left ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `>`
    Child,
    /// `>>`
    Descendant,
    /// `<`
    Parent,
    /// `<<`
    Ancestor,
    /// `~`
    Sibling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Right spans that stand in the relation to some left one.
    Plain,
    /// `!`: right spans that stand in it to none.
    Negated,
    /// `&`: all spans of either side that take part.
    Union,
}

/// Keeps or drops whole spansets. Only an aggregate compared with a literal runs; the rest is refused by validation.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarFilter {
    pub op: Compare,
    pub left: ScalarExpr,
    pub right: ScalarExpr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ScalarExpr {
    Static(Static),
    Aggregate(Aggregate),
    Binary {
        op: Arithmetic,
        left: Box<ScalarExpr>,
        right: Box<ScalarExpr>,
    },
    /// `({} | count())`
    Pipeline(Box<Pipeline>, Aggregate),
}

/// Over the spans of a spanset (traceql.md §5.8).
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    Count,
    Max(Expr),
    Min(Expr),
    Avg(Expr),
    Sum(Expr),
}
