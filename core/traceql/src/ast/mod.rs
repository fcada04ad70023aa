//! The tree of a query (traceql.md §2). The parser makes it, `validate` refuses what can't run, the engine runs the rest.

mod expr;
mod field;
mod metrics;
mod query;
mod statics;

pub use expr::{Arithmetic, BinaryOp, Compare, Expr, UnaryOp};
pub use field::{Attribute, Field, Intrinsic, Scope};
pub use metrics::{MathOp, MetricsExpr, MetricsFunction, MetricsQuery, SecondStage};
pub use query::{
    Aggregate, Body, Element, Form, Hint, Pipeline, Query, Relation, ScalarExpr, ScalarFilter,
    SpansetExpr, SpansetOp,
};
pub use statics::{Kind, Static, Status};
