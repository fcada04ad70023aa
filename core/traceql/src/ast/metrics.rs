//! Metrics queries (traceql.md §2.6).

use super::{Compare, Expr, Field, Pipeline, Static};

/// One metrics query, or several under arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsExpr {
    Query(MetricsQuery),
    /// Int or Float.
    Constant(Static),
    Math {
        op: MathOp,
        left: Box<MetricsExpr>,
        right: Box<MetricsExpr>,
    },
    /// Second stages behind a whole expression in parentheses.
    Stages {
        inner: Box<MetricsExpr>,
        stages: Vec<SecondStage>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathOp {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricsQuery {
    pub pipeline: Pipeline,
    pub function: MetricsFunction,
    /// Empty for none; `compare` has none.
    pub by: Vec<Field>,
    pub stages: Vec<SecondStage>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum MetricsFunction {
    Rate,
    CountOverTime,
    MinOverTime(Field),
    MaxOverTime(Field),
    SumOverTime(Field),
    AvgOverTime(Field),
    HistogramOverTime(Field),
    /// With what is asked for, 0 to 1, in the order of the query.
    QuantileOverTime(Field, Vec<f64>),
    Compare {
        filter: Expr,
        /// Values kept of an attribute and side.
        top: i64,
        /// Unix nanoseconds; both 0: no window.
        start: i64,
        end: i64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum SecondStage {
    TopK(i64),
    BottomK(i64),
    /// Of `Compare` without the two regex ones; a duration is the Duration that was written and counts in seconds.
    Filter(Compare, Static),
}
