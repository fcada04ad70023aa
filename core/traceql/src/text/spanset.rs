//! Queries, pipelines and spansets.

use std::fmt::{self, Display};

use super::expr::chain;
use crate::ast::{
    Aggregate, Body, Element, Field, Form, Hint, Pipeline, Query, Relation, ScalarExpr,
    ScalarFilter, SpansetExpr, SpansetOp,
};
use crate::chain::{Logic, long_chain};

impl SpansetOp {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Structural { relation, form } => match (form, relation) {
                (Form::Plain, Relation::Child) => ">",
                (Form::Plain, Relation::Descendant) => ">>",
                (Form::Plain, Relation::Parent) => "<",
                (Form::Plain, Relation::Ancestor) => "<<",
                (Form::Plain, Relation::Sibling) => "~",
                (Form::Negated, Relation::Child) => "!>",
                (Form::Negated, Relation::Descendant) => "!>>",
                (Form::Negated, Relation::Parent) => "!<",
                (Form::Negated, Relation::Ancestor) => "!<<",
                (Form::Negated, Relation::Sibling) => "!~",
                (Form::Union, Relation::Child) => "&>",
                (Form::Union, Relation::Descendant) => "&>>",
                (Form::Union, Relation::Parent) => "&<",
                (Form::Union, Relation::Ancestor) => "&<<",
                (Form::Union, Relation::Sibling) => "&~",
            },
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)?;
        for (index, hint) in self.hints.iter().enumerate() {
            f.write_str(if index == 0 { " with(" } else { "," })?;
            hint.fmt(f)?;
        }
        if !self.hints.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spans(pipeline) => pipeline.fmt(f),
            Self::ScalarFilter(filter) => filter.fmt(f),
            Self::Metrics(metrics) => metrics.fmt(f),
        }
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.elements.iter().enumerate() {
            if index > 0 {
                f.write_str("|")?;
            }
            element.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spanset(expr) => expr.fmt(f),
            Self::Scalar(filter) => filter.fmt(f),
            Self::By(expr) => write!(f, "by({expr})"),
            Self::Coalesce => f.write_str("coalesce()"),
            Self::Select(fields) => {
                f.write_str("select(")?;
                list(fields, ", ", f)?;
                f.write_str(")")
            }
        }
    }
}

pub(super) fn list(fields: &[Field], separator: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        field.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for SpansetExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(expr) => write!(f, "{{ {expr} }}"),
            Self::Pipeline(pipeline) => pipeline.fmt(f),
            Self::Binary { op, left, right } => {
                let logic = match op {
                    SpansetOp::And => Some(Logic::And),
                    SpansetOp::Or => Some(Logic::Or),
                    SpansetOp::Structural { .. } => None,
                };
                if let Some(logic) = logic
                    && let Some(terms) = long_chain(self, logic)
                {
                    return chain(&terms, op.symbol(), |term, f| write!(f, "({term})"), f);
                }
                write!(f, "({left}) {} ({right})", op.symbol())
            }
        }
    }
}

impl fmt::Display for ScalarFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        operand(&self.left, f)?;
        write!(f, " {} ", self.op.symbol())?;
        operand(&self.right, f)
    }
}

fn operand(expr: &ScalarExpr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr {
        ScalarExpr::Static(value) => value.fmt(f),
        _ => write!(f, "({expr})"),
    }
}

impl fmt::Display for ScalarExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(value) => value.fmt(f),
            Self::Aggregate(aggregate) => aggregate.fmt(f),
            Self::Binary { op, left, right } => {
                operand(left, f)?;
                write!(f, " {} ", op.symbol())?;
                operand(right, f)
            }
            Self::Pipeline(pipeline, aggregate) => write!(f, "{pipeline}|{aggregate}"),
        }
    }
}

/// Also the name of the attribute that it adds to a spanset.
impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count()"),
            Self::Max(expr) => write!(f, "max({expr})"),
            Self::Min(expr) => write!(f, "min({expr})"),
            Self::Avg(expr) => write!(f, "avg({expr})"),
            Self::Sum(expr) => write!(f, "sum({expr})"),
        }
    }
}
