//! A pipeline ready to run.

use std::collections::HashSet;
use std::sync::Arc;

use vivace_columns::Column;
use vivace_traceql::{
    Aggregate, Compare, Element, Expr, Field, Intrinsic, Pipeline, ScalarExpr, ScalarFilter,
    SpansetExpr, SpansetOp, Static,
};

use super::visible::{Collector, Visible, VisibleField};
use crate::dedicated::Dedicated;
use crate::error::PlanError;
use crate::filter::{Compiler, Filter, General, Needs};

/// A pipeline ready to run over chunks; shared by threads.
#[derive(Debug)]
pub struct Plan {
    pub(crate) steps: Vec<Step>,
    /// All filters of the pipeline.
    pub(crate) filters: Vec<Filter>,
    /// Filters that decide on spans which nothing has looked at before; empty: every span is looked at.
    pub(crate) first: Vec<usize>,
    /// Expressions of `by` and aggregates.
    pub(crate) exprs: Vec<General>,
    /// Of structural queries all conditions: spans that any hits are among those that `{}` means (traceql.md §5.3 R6).
    pub(crate) conditions: Vec<Filter>,
    /// Filters and selects only: what holds for a span does not depend on other spans.
    pub(crate) is_simple: bool,
    pub(crate) is_structural: bool,
    pub(crate) needs: Needs,
    pub(crate) visible: Vec<VisibleField>,
    pub(crate) dedicated: Dedicated,
}

/// What is done with the spansets of a trace.
#[derive(Debug)]
pub(crate) enum Step {
    Set(SetExpr),
    Scalar {
        aggregate: Folding,
        op: Compare,
        than: Static,
        /// Of the result attribute.
        name: Arc<str>,
    },
    By {
        expr: usize,
        name: Arc<str>,
    },
    Coalesce,
}

#[derive(Debug)]
pub(crate) enum SetExpr {
    Filter(usize),
    Binary {
        op: SpansetOp,
        left: Box<SetExpr>,
        right: Box<SetExpr>,
    },
    Pipeline(Vec<Step>),
}

/// An aggregate; the number is that of an expression.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Folding {
    Count,
    Max(usize),
    Min(usize),
    Avg(usize),
    Sum(usize),
}

struct Builder {
    compiler: Compiler,
    filters: Vec<Filter>,
    first: Vec<usize>,
    exprs: Vec<General>,
    /// Something looks at all spans.
    looks_at_all: bool,
    is_structural: bool,
}

impl Plan {
    /// `also`: fields that are read off the result besides.
    pub fn new(
        pipeline: &Pipeline,
        also: &[Field],
        dedicated: &Dedicated,
    ) -> Result<Self, PlanError> {
        let mut collector = Collector::default();
        collector.pipeline(pipeline)?;
        let mut read_whole: HashSet<Field> = collector.read_whole();
        read_whole.extend(also.iter().cloned());
        let conditions = collector.conditions();
        collector.select();
        let mut builder = Builder {
            compiler: Compiler::new(read_whole, dedicated.clone()),
            filters: Vec::new(),
            first: Vec::new(),
            exprs: Vec::new(),
            looks_at_all: false,
            is_structural: false,
        };
        let steps = builder.steps(pipeline, true)?;
        let is_simple = steps
            .iter()
            .all(|step| matches!(step, Step::Set(SetExpr::Filter(_))));
        let fields = collector.fields.iter().map(|one| &one.field);
        let mut needs = Needs::default();
        for filter in &builder.filters {
            needs = needs.or(filter.needs());
        }
        let conditions = match builder.is_structural {
            true => builder.compiler.any_of(&conditions)?,
            false => Vec::new(),
        };
        let of_exprs = builder.exprs.iter().flat_map(|expr| &expr.fields);
        let selected = pipeline
            .elements
            .iter()
            .filter_map(|element| match element {
                Element::Select(fields) => Some(fields),
                _ => None,
            });
        for field in of_exprs.chain(also).chain(selected.flatten()) {
            needs = needs.or(Needs::of_field(field));
        }
        for field in fields {
            let of_field = Needs::of_field(field);
            needs.events |= of_field.events;
            needs.links |= of_field.links;
        }
        Ok(Self {
            steps,
            first: match builder.looks_at_all {
                true => Vec::new(),
                false => builder.first,
            },
            filters: builder.filters,
            exprs: builder.exprs,
            conditions,
            is_simple,
            is_structural: builder.is_structural,
            needs,
            visible: collector.fields,
            dedicated: dedicated.clone(),
        })
    }

    /// Whether a trace must be evaluated with all of its spans at once.
    pub fn needs_whole_traces(&self) -> bool {
        !self.is_simple || self.needs.traces
    }

    /// No span passes, whatever the data.
    pub fn is_never(&self) -> bool {
        !self.first.is_empty()
            && self
                .first
                .iter()
                .all(|&number| self.filters[number].is_never())
    }

    /// Which names of spans are part of the answer; None: none.
    pub(crate) fn names(&self) -> Option<&Visible> {
        let name = Field::Intrinsic(Intrinsic::Name);
        let mut visible = self.visible.iter();
        let of_name = visible.find(|one| one.field == name);
        of_name.map(|one| &one.values)
    }

    /// Fields that the query looks at.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.visible.iter().map(|one| &one.field)
    }

    /// Columns of expressions.
    pub(crate) fn expr_columns(&self) -> Vec<Column> {
        self.exprs.iter().flat_map(General::columns).collect()
    }
}

impl Builder {
    /// `is_first`: the first element gets all spans of a trace.
    fn steps(&mut self, pipeline: &Pipeline, is_first: bool) -> Result<Vec<Step>, PlanError> {
        let mut steps = Vec::new();
        // `select` does nothing here, so what follows it is first too.
        let mut gets_all = is_first;
        for element in &pipeline.elements {
            let step = match element {
                Element::Select(_) => continue,
                Element::Spanset(expr) => Step::Set(self.set(expr, gets_all)?),
                Element::Coalesce => Step::Coalesce,
                Element::By(expr) => {
                    self.looks_at_all |= gets_all;
                    Step::By {
                        expr: self.expr(expr)?,
                        name: format!("by({expr})").into(),
                    }
                }
                Element::Scalar(filter) => {
                    self.looks_at_all |= gets_all;
                    self.scalar(filter)?
                }
            };
            gets_all = false;
            steps.push(step);
        }
        self.looks_at_all |= gets_all;
        Ok(steps)
    }

    fn set(&mut self, expr: &SpansetExpr, gets_all: bool) -> Result<SetExpr, PlanError> {
        Ok(match expr {
            SpansetExpr::Filter(expr) => {
                self.filters.push(self.compiler.filter(expr)?);
                let number = self.filters.len() - 1;
                if gets_all {
                    self.first.push(number);
                }
                SetExpr::Filter(number)
            }
            SpansetExpr::Binary { op, left, right } => {
                self.is_structural |= matches!(op, SpansetOp::Structural { .. });
                SetExpr::Binary {
                    op: *op,
                    left: Box::new(self.set(left, gets_all)?),
                    right: Box::new(self.set(right, gets_all)?),
                }
            }
            SpansetExpr::Pipeline(pipeline) => SetExpr::Pipeline(self.steps(pipeline, gets_all)?),
        })
    }

    fn expr(&mut self, expr: &Expr) -> Result<usize, PlanError> {
        self.exprs.push(General::new(expr, &self.compiler)?);
        Ok(self.exprs.len() - 1)
    }

    fn scalar(&mut self, filter: &ScalarFilter) -> Result<Step, PlanError> {
        let (ScalarExpr::Aggregate(aggregate), ScalarExpr::Static(than)) =
            (&filter.left, &filter.right)
        else {
            return Err(PlanError::Unsupported {
                what: "a comparison of anything but an aggregate with a literal",
            });
        };
        let folding = match aggregate {
            Aggregate::Count => Folding::Count,
            Aggregate::Max(expr) => Folding::Max(self.expr(expr)?),
            Aggregate::Min(expr) => Folding::Min(self.expr(expr)?),
            Aggregate::Avg(expr) => Folding::Avg(self.expr(expr)?),
            Aggregate::Sum(expr) => Folding::Sum(self.expr(expr)?),
        };
        Ok(Step::Scalar {
            aggregate: folding,
            op: filter.op,
            than: than.clone(),
            name: aggregate.to_string().into(),
        })
    }
}
