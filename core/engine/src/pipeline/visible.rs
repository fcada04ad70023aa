//! Which fields a query reads, and which of their values an answer lists (traceql.md §5.2, §5.3 R3, §6.3).

use std::collections::HashSet;

use vivace_traceql::{
    Aggregate, BinaryOp, Compare, Element, Expr, Field, Pipeline, ScalarExpr, SpansetExpr, Static,
};

use crate::error::PlanError;
use crate::filter::{Literal, Test};
use crate::value::mirrored;

/// A field that the query reads.
#[derive(Clone, Debug)]
pub struct VisibleField {
    pub field: Field,
    pub values: Visible,
}

/// Which values are listed.
#[derive(Clone, Debug)]
pub enum Visible {
    All,
    /// Those that pass any of the query's comparisons.
    Passing {
        tests: Vec<Test>,
        /// Where there is no value, as the query asks for that.
        nil: bool,
    },
}

/// What a condition lets through.
enum Shown {
    Value(Test),
    Nil,
}

/// Collects the fields of a query.
#[derive(Default)]
pub struct Collector {
    pub fields: Vec<VisibleField>,
    /// Fields that are only listed.
    selected: Vec<Field>,
    /// Comparisons with literals as they stand, and `= nil`, by field.
    comparisons: Vec<(Field, Expr)>,
}

impl Collector {
    pub fn pipeline(&mut self, pipeline: &Pipeline) -> Result<(), PlanError> {
        for element in &pipeline.elements {
            match element {
                Element::Spanset(expr) => self.spanset(expr)?,
                Element::Scalar(filter) => {
                    self.scalar(&filter.left)?;
                    self.scalar(&filter.right)?;
                }
                Element::By(expr) => self.read(expr),
                Element::Coalesce => {}
                Element::Select(fields) => self.selected.extend(fields.iter().cloned()),
            }
        }
        Ok(())
    }

    /// Adds the fields of `select`: their values are listed whole, while it changes nothing of what matches.
    pub fn select(&mut self) {
        for field in std::mem::take(&mut self.selected) {
            self.whole(&field);
        }
    }

    /// What is asked of storage (traceql.md §5.2), as filters: that a field exists where it is read whole, else the comparisons with it.
    pub fn conditions(&self) -> Vec<Expr> {
        let read_whole = self.read_whole();
        let exists = |field: &Field| Expr::Exists(Box::new(Expr::Field(field.clone())));
        let whole = read_whole.iter().map(exists);
        let compared = self.comparisons.iter();
        let compared = compared.filter(|(field, _)| !read_whole.contains(field));
        whole
            .chain(compared.map(|(_, expr)| expr.clone()))
            .collect()
    }

    /// Fields whose values of every type are looked at.
    pub fn read_whole(&self) -> HashSet<Field> {
        let whole = |one: &&VisibleField| matches!(one.values, Visible::All);
        let fields = self.fields.iter().filter(whole);
        fields.map(|one| one.field.clone()).collect()
    }

    fn spanset(&mut self, expr: &SpansetExpr) -> Result<(), PlanError> {
        match expr {
            SpansetExpr::Filter(expr) => self.condition(expr),
            SpansetExpr::Binary { left, right, .. } => {
                self.spanset(left)?;
                self.spanset(right)
            }
            SpansetExpr::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    fn scalar(&mut self, expr: &ScalarExpr) -> Result<(), PlanError> {
        match expr {
            ScalarExpr::Aggregate(
                Aggregate::Max(of) | Aggregate::Min(of) | Aggregate::Avg(of) | Aggregate::Sum(of),
            ) => self.read(of),
            ScalarExpr::Binary { left, right, .. } => {
                self.scalar(left)?;
                self.scalar(right)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads every field of the expression whole.
    fn read(&mut self, expr: &Expr) {
        let mut waiting = Vec::from([expr]);
        while let Some(one) = waiting.pop() {
            match one {
                Expr::Static(_) => {}
                Expr::Field(field) => self.whole(field),
                Expr::Unary { inner, .. } | Expr::Exists(inner) | Expr::NotExists(inner) => {
                    waiting.push(inner);
                }
                Expr::Binary { left, right, .. } => {
                    waiting.push(right);
                    waiting.push(left);
                }
            }
        }
    }

    /// A condition of a filter: fields beside literals are compared, others are read whole.
    fn condition(&mut self, expr: &Expr) -> Result<(), PlanError> {
        let mut waiting = Vec::from([expr]);
        while let Some(one) = waiting.pop() {
            match one {
                Expr::Static(_) => {}
                Expr::Field(field) => self.whole(field),
                Expr::Unary { inner, .. } => waiting.push(inner),
                Expr::Exists(inner) => match &**inner {
                    Expr::Field(field) => self.whole(field),
                    other => waiting.push(other),
                },
                Expr::NotExists(inner) => match &**inner {
                    Expr::Field(field) => {
                        self.comparisons.push((field.clone(), one.clone()));
                        self.passing(field, Shown::Nil);
                    }
                    other => waiting.push(other),
                },
                Expr::Binary { op, left, right } => match (op, &**left, &**right) {
                    (BinaryOp::Compare(op), Expr::Field(field), Expr::Static(value)) => {
                        self.comparisons.push((field.clone(), one.clone()));
                        self.compared(field, *op, value)?;
                    }
                    (BinaryOp::Compare(op), Expr::Static(value), Expr::Field(field)) => {
                        self.comparisons.push((field.clone(), one.clone()));
                        self.compared(field, mirrored(*op), value)?;
                    }
                    (_, left, right) => {
                        waiting.push(right);
                        waiting.push(left);
                    }
                },
            }
        }
        Ok(())
    }

    fn compared(&mut self, field: &Field, op: Compare, value: &Static) -> Result<(), PlanError> {
        let literal = Literal::compared_with(field, op, value)?;
        let by_value = matches!(field, Field::Intrinsic(_));
        let test = literal.map(|literal| Test {
            op,
            literal,
            by_value,
        });
        self.passing(field, test.map_or(Shown::Nil, Shown::Value));
        Ok(())
    }

    fn whole(&mut self, field: &Field) {
        match self.fields.iter_mut().find(|one| one.field == *field) {
            Some(known) => known.values = Visible::All,
            None => self.fields.push(VisibleField {
                field: field.clone(),
                values: Visible::All,
            }),
        }
    }

    fn passing(&mut self, field: &Field, shown: Shown) {
        let known = self.fields.iter().position(|one| one.field == *field);
        let place = known.unwrap_or_else(|| {
            self.fields.push(VisibleField {
                field: field.clone(),
                values: Visible::Passing {
                    tests: Vec::new(),
                    nil: false,
                },
            });
            self.fields.len() - 1
        });
        if let Some(VisibleField {
            values: Visible::Passing { tests, nil },
            ..
        }) = self.fields.get_mut(place)
        {
            match shown {
                Shown::Value(test) => tests.push(test),
                Shown::Nil => *nil = true,
            }
        }
    }
}
