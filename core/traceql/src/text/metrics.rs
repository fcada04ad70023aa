//! Metrics queries.

use std::fmt::{self, Display};

use super::go;
use super::spanset::list;
use crate::ast::{MathOp, MetricsExpr, MetricsFunction, MetricsQuery, SecondStage, Static};
use crate::limits::DEFAULT_COMPARE_TOP;

const NANOSECONDS_PER_SECOND: f64 = 1e9;

impl MathOp {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
        }
    }
}

impl fmt::Display for MetricsExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(query) => query.fmt(f),
            Self::Constant(value) => value.fmt(f),
            Self::Math { op, left, right } => {
                operand(left, f)?;
                write!(f, " {} ", op.symbol())?;
                operand(right, f)
            }
            Self::Stages { inner, stages } => {
                inner.fmt(f)?;
                stages.iter().try_for_each(|stage| stage.fmt(f))
            }
        }
    }
}

fn operand(expr: &MetricsExpr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr {
        MetricsExpr::Constant(_) => expr.fmt(f),
        _ => write!(f, "({expr})"),
    }
}

impl fmt::Display for MetricsQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.pipeline, self.function)?;
        if !self.by.is_empty() {
            f.write_str("by(")?;
            list(&self.by, ",", f)?;
            f.write_str(")")?;
        }
        self.stages.iter().try_for_each(|stage| stage.fmt(f))
    }
}

impl fmt::Display for MetricsFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("rate()"),
            Self::CountOverTime => f.write_str("count_over_time()"),
            Self::MinOverTime(field) => write!(f, "min_over_time({field})"),
            Self::MaxOverTime(field) => write!(f, "max_over_time({field})"),
            Self::SumOverTime(field) => write!(f, "sum_over_time({field})"),
            Self::AvgOverTime(field) => write!(f, "avg_over_time({field})"),
            Self::HistogramOverTime(field) => write!(f, "histogram_over_time({field})"),
            Self::QuantileOverTime(field, quantiles) => {
                write!(f, "quantile_over_time({field}")?;
                for quantile in quantiles {
                    write!(f, ",{quantile:.5}")?;
                }
                f.write_str(")")
            }
            // In full, so that two comparisons do not share a text (accident 23 of traceql.md).
            Self::Compare {
                filter,
                top,
                start,
                end,
            } => {
                write!(f, "compare({{ {filter} }}")?;
                let window = (*start, *end) != (0, 0);
                if window || *top != DEFAULT_COMPARE_TOP {
                    write!(f, ", {top}")?;
                }
                if window {
                    write!(f, ", {start}, {end}")?;
                }
                f.write_str(")")
            }
        }
    }
}

/// With the blank, and for the functions the pipe, before it.
impl fmt::Display for SecondStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopK(count) => write!(f, " | topk({count})"),
            Self::BottomK(count) => write!(f, " | bottomk({count})"),
            Self::Filter(op, value) => {
                write!(f, " {} ", op.symbol())?;
                match value {
                    Static::Float(value) => f.write_str(&go::float(*value)),
                    Static::Duration(value) => {
                        f.write_str(&go::float(*value as f64 / NANOSECONDS_PER_SECOND))
                    }
                    other => other.fmt(f),
                }
            }
        }
    }
}
