//! Which parsed queries can run (traceql.md §4, §2.8).

mod error;
mod expr;
mod metrics;

pub use error::ValidationError;

use crate::ast::{
    Aggregate, Body, Element, Field, Pipeline, Query, ScalarExpr, ScalarFilter, SpansetExpr,
};
use crate::types::{Mismatch, Type, check_binary, of_binary};
use error::text;

/// Checks a parsed query. The error is the first one met from left to right, parts before the whole.
pub fn validate(query: &Query) -> Result<(), ValidationError> {
    let mut checker = Checker::default();
    match &query.body {
        Body::Spans(pipeline) => checker.pipeline(pipeline),
        Body::ScalarFilter(filter) => checker.scalar_filter(filter),
        Body::Metrics(metrics) => checker.metrics(metrics),
    }
}

#[derive(Default)]
struct Checker {
    /// Of all regular expressions so far.
    regex_states: u64,
}

impl Checker {
    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<(), ValidationError> {
        pipeline
            .elements
            .iter()
            .try_for_each(|element| self.element(element))
    }

    fn element(&mut self, element: &Element) -> Result<(), ValidationError> {
        match element {
            Element::Spanset(expr) => self.spanset(expr),
            Element::Scalar(filter) => self.scalar_filter(filter),
            Element::By(expr) => {
                self.type_of(expr)?;
                if !expr.has_field() {
                    return Err(ValidationError::NoField(text(element)));
                }
                Ok(())
            }
            Element::Coalesce => Ok(()),
            Element::Select(fields) => fields.iter().try_for_each(supported),
        }
    }

    fn spanset(&mut self, expr: &SpansetExpr) -> Result<(), ValidationError> {
        match expr {
            SpansetExpr::Filter(expr) => self.filter(expr),
            SpansetExpr::Binary { left, right, .. } => {
                self.spanset(left)?;
                self.spanset(right)
            }
            SpansetExpr::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    /// Types first, then that it is an aggregate compared with a number: nothing else runs.
    fn scalar_filter(&mut self, filter: &ScalarFilter) -> Result<(), ValidationError> {
        let left = self.scalar(&filter.left)?;
        let right = self.scalar(&filter.right)?;
        let op = crate::ast::BinaryOp::Compare(filter.op);
        check_binary(op, left, right).map_err(|why| mismatch(why, filter))?;
        match (&filter.left, &filter.right) {
            (ScalarExpr::Aggregate(_), ScalarExpr::Static(_)) => Ok(()),
            _ => Err(ValidationError::NotYetSupported(format!(
                "scalar filter {}",
                text(filter)
            ))),
        }
    }

    fn scalar(&mut self, expr: &ScalarExpr) -> Result<Type, ValidationError> {
        match expr {
            ScalarExpr::Static(value) => Ok(Type::of(value)),
            ScalarExpr::Aggregate(aggregate) => self.aggregate(aggregate),
            ScalarExpr::Binary { op, left, right } => {
                let left = self.scalar(left)?;
                let right = self.scalar(right)?;
                let op = crate::ast::BinaryOp::Arithmetic(*op);
                check_binary(op, left, right).map_err(|why| mismatch(why, expr))?;
                Ok(of_binary(op, left, right))
            }
            ScalarExpr::Pipeline(pipeline, aggregate) => {
                self.pipeline(pipeline)?;
                self.aggregate(aggregate)
            }
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Type, ValidationError> {
        let expr = match aggregate {
            Aggregate::Count => return Ok(Type::Int),
            Aggregate::Max(expr)
            | Aggregate::Min(expr)
            | Aggregate::Avg(expr)
            | Aggregate::Sum(expr) => expr,
        };
        let of = self.type_of(expr)?;
        if !of.may_be_numeric() {
            return Err(ValidationError::AggregateNotNumeric(text(aggregate)));
        }
        if !expr.has_field() {
            return Err(ValidationError::NoField(text(aggregate)));
        }
        Ok(of)
    }
}

/// Fields of the parent span parse, but nothing reads them.
fn supported(field: &Field) -> Result<(), ValidationError> {
    if field.is_of_parent() {
        return Err(ValidationError::NotYetSupported(format!(
            "{} (the parent span) is",
            text(field)
        )));
    }
    Ok(())
}

fn mismatch(why: Mismatch, whole: &impl std::fmt::Display) -> ValidationError {
    match why {
        Mismatch::Types => ValidationError::DifferentTypes(text(whole)),
        Mismatch::Operator => ValidationError::IllegalOperation(text(whole)),
    }
}
