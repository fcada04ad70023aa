//! One sub-query of a metrics query: which spans, which function, which groups.

use std::sync::Arc;

use vivace_columns::{CellKind, Column, Level};
use vivace_traceql::{
    Aggregate, Element, Expr, Field, Intrinsic, MetricsFunction, MetricsQuery, Pipeline,
    ScalarExpr, ScalarFilter, SpansetExpr, Static,
};

use crate::accumulate::{Buckets, Points, Reading, Window};
use crate::labels::field_name;
use crate::quantile::exponent;

const NANOS: f64 = 1e9;

/// A metrics query without its second stages: what jobs count.
#[derive(Clone, Debug)]
pub struct MetricsLeaf {
    pub(crate) query: MetricsQuery,
    /// Of the labels, by field of `by`.
    pub(crate) names: Vec<Arc<str>>,
    fields: Vec<Field>,
    is_trivially_false: bool,
    pub(crate) extrapolates: bool,
    pub(crate) has_exemplars: bool,
}

impl MetricsLeaf {
    /// Second stages are taken off the query.
    pub(crate) fn new(query: &MetricsQuery, extrapolates: bool, has_exemplars: bool) -> Self {
        let mut query = query.clone();
        query.stages.clear();
        let mut fields = Vec::new();
        fields_of_pipeline(&query.pipeline, &mut fields);
        fields.extend(query.by.iter().cloned());
        fields.extend(value_field(&query.function).cloned());
        if let MetricsFunction::Compare { filter, .. } = &query.function {
            fields_of_expr(filter, &mut fields);
        }
        let mut distinct: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            if !distinct.contains(&field) {
                distinct.push(field);
            }
        }
        Self {
            names: query.by.iter().map(field_name).collect(),
            is_trivially_false: query.pipeline.is_trivially_false(),
            fields: distinct,
            query,
            extrapolates,
            has_exemplars,
        }
    }

    /// Which spans it counts.
    pub fn pipeline(&self) -> &Pipeline {
        &self.query.pipeline
    }

    pub fn function(&self) -> &MetricsFunction {
        &self.query.function
    }

    /// What `compare` splits the spans by. Some: call `observe_compare`, else `observe`.
    pub fn compare_filter(&self) -> Option<&Expr> {
        match &self.query.function {
            MetricsFunction::Compare { filter, .. } => Some(filter),
            _ => None,
        }
    }

    /// Only filters of `false`: no span counts, none needs to be read.
    pub fn is_trivially_false(&self) -> bool {
        self.is_trivially_false
    }

    /// Every field of the query, each once: those of the pipeline, then of the function. Exemplars show them where they are loaded.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The columns that `observe` reads; load them before. (`observe_compare` loads the rest of what it needs itself.)
    pub fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::SpanStart];
        if self.extrapolates {
            columns.push(Column::TraceState);
        }
        for field in self.read_fields() {
            for column in Column::of_field(field) {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        columns
    }

    /// `observe` needs `Chunk::load_events` before.
    pub fn needs_events(&self) -> bool {
        self.needs(Level::Event)
    }

    /// `observe` needs `Chunk::load_links` before.
    pub fn needs_links(&self) -> bool {
        self.needs(Level::Link)
    }

    /// `observe` needs `Chunk::load_trace_ids` before, for exemplars.
    pub fn needs_trace_ids(&self) -> bool {
        self.has_exemplars
    }

    fn needs(&self, level: Level) -> bool {
        let columns = self.columns();
        columns.iter().any(|column| column.level() == level)
    }

    fn read_fields(&self) -> impl Iterator<Item = &Field> {
        self.query.by.iter().chain(self.value_field())
    }

    /// The field whose values the function takes.
    pub(crate) fn value_field(&self) -> Option<&Field> {
        value_field(&self.query.function)
    }

    /// Buckets of this leaf are told in seconds.
    pub(crate) fn is_in_seconds(&self) -> bool {
        matches!(
            self.value_field(),
            Some(Field::Intrinsic(
                Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart
            ))
        )
    }

    /// The function adds a label of its own to each series.
    pub(crate) fn has_own_label(&self) -> bool {
        self.takes_buckets()
    }

    fn takes_buckets(&self) -> bool {
        matches!(
            self.query.function,
            MetricsFunction::HistogramOverTime(_) | MetricsFunction::QuantileOverTime(..)
        )
    }

    /// What a group begins with.
    pub(crate) fn no_points(&self) -> Points {
        match &self.query.function {
            MetricsFunction::Rate
            | MetricsFunction::CountOverTime
            | MetricsFunction::Compare { .. } => Points::Count(Window::default()),
            MetricsFunction::MinOverTime(_) => Points::Least(Window::default()),
            MetricsFunction::MaxOverTime(_) => Points::Greatest(Window::default()),
            MetricsFunction::SumOverTime(_) | MetricsFunction::AvgOverTime(_) => {
                Points::Total(Window::default())
            }
            MetricsFunction::HistogramOverTime(_) | MetricsFunction::QuantileOverTime(..) => {
                Points::Buckets(Buckets::default())
            }
        }
    }

    /// The value of `__name__`.
    pub(crate) fn function_name(&self) -> &'static str {
        match &self.query.function {
            MetricsFunction::Rate => "rate",
            MetricsFunction::CountOverTime => "count_over_time",
            MetricsFunction::MinOverTime(_) => "min_over_time",
            MetricsFunction::MaxOverTime(_) => "max_over_time",
            MetricsFunction::SumOverTime(_) => "sum_over_time",
            MetricsFunction::AvgOverTime(_) => "avg_over_time",
            MetricsFunction::HistogramOverTime(_) => "histogram_over_time",
            MetricsFunction::QuantileOverTime(..) => "quantile_over_time",
            MetricsFunction::Compare { .. } => "compare",
        }
    }

    /// What the function takes of a value; None: the span is skipped (traceql.md §7.3, §7.5).
    #[inline]
    pub(crate) fn reading(&self, kind: CellKind, bits: u64) -> Option<Reading> {
        if self.takes_buckets() {
            return match kind {
                CellKind::Int | CellKind::Duration => {
                    exponent(bits.cast_signed()).map(Reading::Bucket)
                }
                _ => None,
            };
        }
        self.number(kind, bits).map(Reading::Number)
    }

    /// A value as a number: the span's duration in seconds, other durations in nanoseconds, except beside buckets of seconds.
    #[inline]
    pub(crate) fn number(&self, kind: CellKind, bits: u64) -> Option<f64> {
        let number = match kind {
            CellKind::Int => bits.cast_signed() as f64,
            CellKind::Float => f64::from_bits(bits),
            CellKind::Duration => {
                let is_of_span = self.value_field() == Some(&Field::Intrinsic(Intrinsic::Duration));
                let nanos = bits.cast_signed() as f64;
                if is_of_span || self.takes_buckets() {
                    nanos / NANOS
                } else {
                    nanos
                }
            }
            _ => return None,
        };
        (!number.is_nan()).then_some(number)
    }

    /// Kind and bits of what spans without an event or link have.
    pub(crate) fn bits_of(value: &Static) -> (CellKind, u64) {
        match value {
            Static::Int(number) => (CellKind::Int, number.cast_unsigned()),
            Static::Duration(nanos) => (CellKind::Duration, nanos.cast_unsigned()),
            _ => (CellKind::Nil, 0),
        }
    }

    /// It looks at whole traces: their spans are read together or not at all.
    pub(crate) fn is_about_traces(&self) -> bool {
        fn in_spanset(set: &SpansetExpr) -> bool {
            match set {
                SpansetExpr::Filter(_) => false,
                SpansetExpr::Binary { .. } => true,
                SpansetExpr::Pipeline(pipeline) => in_pipeline(pipeline),
            }
        }
        fn in_pipeline(pipeline: &Pipeline) -> bool {
            pipeline.elements.iter().any(|element| match element {
                Element::Spanset(set) => in_spanset(set),
                Element::Scalar(_) => true,
                Element::By(_) | Element::Coalesce | Element::Select(_) => false,
            })
        }
        in_pipeline(&self.query.pipeline)
    }
}

fn value_field(function: &MetricsFunction) -> Option<&Field> {
    match function {
        MetricsFunction::Rate
        | MetricsFunction::CountOverTime
        | MetricsFunction::Compare { .. } => None,
        MetricsFunction::MinOverTime(field)
        | MetricsFunction::MaxOverTime(field)
        | MetricsFunction::SumOverTime(field)
        | MetricsFunction::AvgOverTime(field)
        | MetricsFunction::HistogramOverTime(field)
        | MetricsFunction::QuantileOverTime(field, _) => Some(field),
    }
}

fn fields_of_pipeline(pipeline: &Pipeline, fields: &mut Vec<Field>) {
    for element in &pipeline.elements {
        match element {
            Element::Spanset(set) => fields_of_set(set, fields),
            Element::Scalar(ScalarFilter { left, right, .. }) => {
                fields_of_scalar(left, fields);
                fields_of_scalar(right, fields);
            }
            Element::By(expr) => fields_of_expr(expr, fields),
            Element::Coalesce => {}
            Element::Select(selected) => fields.extend(selected.iter().cloned()),
        }
    }
}

fn fields_of_set(set: &SpansetExpr, fields: &mut Vec<Field>) {
    match set {
        SpansetExpr::Filter(expr) => fields_of_expr(expr, fields),
        SpansetExpr::Binary { left, right, .. } => {
            fields_of_set(left, fields);
            fields_of_set(right, fields);
        }
        SpansetExpr::Pipeline(pipeline) => fields_of_pipeline(pipeline, fields),
    }
}

fn fields_of_scalar(scalar: &ScalarExpr, fields: &mut Vec<Field>) {
    let mut of_aggregate = |aggregate: &Aggregate| match aggregate {
        Aggregate::Count => {}
        Aggregate::Max(expr)
        | Aggregate::Min(expr)
        | Aggregate::Avg(expr)
        | Aggregate::Sum(expr) => fields_of_expr(expr, fields),
    };
    match scalar {
        ScalarExpr::Static(_) => {}
        ScalarExpr::Aggregate(aggregate) => of_aggregate(aggregate),
        ScalarExpr::Binary { left, right, .. } => {
            fields_of_scalar(left, fields);
            fields_of_scalar(right, fields);
        }
        ScalarExpr::Pipeline(pipeline, aggregate) => {
            of_aggregate(aggregate);
            fields_of_pipeline(pipeline, fields);
        }
    }
}

fn fields_of_expr(expr: &Expr, fields: &mut Vec<Field>) {
    expr.fields(&mut |field| fields.push(field.clone()));
}
