//! TraceQL, the language: tree, text and types; see README.md.

pub mod ast;

pub use ast::{
    Aggregate, Arithmetic, Attribute, BinaryOp, Body, Compare, Element, Expr, Field, Form, Hint,
    Intrinsic, Kind, MathOp, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline, Query, Relation,
    ScalarExpr, ScalarFilter, Scope, SecondStage, SpansetExpr, SpansetOp, Static, Status, UnaryOp,
};
