//! Questions that others ask a tree.

use crate::ast::{
    Attribute, BinaryOp, Body, Compare, Element, Expr, Field, Form, Intrinsic, MetricsExpr,
    Pipeline, Query, SpansetExpr, SpansetOp, Static,
};

impl Query {
    pub fn is_metrics(&self) -> bool {
        matches!(self.body, Body::Metrics(_))
    }

    /// What a search runs: of a metrics query the pipeline before the function (traceql.md §4.3). `None` for arithmetic between
    /// metrics queries, which a search cannot run, and for filters of scalar pipelines, which nothing can.
    pub fn search_pipeline(&self) -> Option<&Pipeline> {
        match &self.body {
            Body::Spans(pipeline) => Some(pipeline),
            Body::ScalarFilter(_) => None,
            Body::Metrics(metrics) => match metrics {
                MetricsExpr::Query(query) => Some(&query.pipeline),
                MetricsExpr::Stages { inner, .. } => match &**inner {
                    MetricsExpr::Query(query) => Some(&query.pipeline),
                    _ => None,
                },
                MetricsExpr::Constant(_) | MetricsExpr::Math { .. } => None,
            },
        }
    }
}

impl Pipeline {
    /// No span can pass, so nothing has to be read. `false` says nothing.
    pub fn is_trivially_false(&self) -> bool {
        self.elements.iter().any(|element| match element {
            Element::Spanset(expr) => expr.is_trivially_false(),
            Element::Scalar(_) | Element::By(_) | Element::Coalesce | Element::Select(_) => false,
        })
    }
}

impl SpansetExpr {
    fn is_trivially_false(&self) -> bool {
        match self {
            Self::Filter(expr) => expr.is_trivially_false(),
            Self::Pipeline(pipeline) => pipeline.is_trivially_false(),
            Self::Binary { op, left, right } => match op {
                SpansetOp::Or => left.is_trivially_false() && right.is_trivially_false(),
                // The right spans that stand in the relation to none: with nothing on the left these are all.
                SpansetOp::Structural {
                    form: Form::Negated,
                    ..
                } => right.is_trivially_false(),
                SpansetOp::And | SpansetOp::Structural { .. } => {
                    left.is_trivially_false() || right.is_trivially_false()
                }
            },
        }
    }
}

impl Expr {
    fn is_trivially_false(&self) -> bool {
        match self {
            Self::Static(value) => *value == Static::Bool(false),
            Self::Binary { op, left, right } => match op {
                BinaryOp::And => left.is_trivially_false() || right.is_trivially_false(),
                BinaryOp::Or => left.is_trivially_false() && right.is_trivially_false(),
                BinaryOp::Compare(_) | BinaryOp::Arithmetic(_) => false,
            },
            _ => false,
        }
    }

    /// Calls `visit` with every field, from left to right, repeats included.
    pub fn fields(&self, visit: &mut impl FnMut(&Field)) {
        match self {
            Self::Static(_) => {}
            Self::Field(field) => visit(field),
            Self::Unary { inner, .. } | Self::Exists(inner) | Self::NotExists(inner) => {
                inner.fields(visit);
            }
            Self::Binary { left, right, .. } => {
                left.fields(visit);
                right.fields(visit);
            }
        }
    }

    /// It reads something of the span.
    pub fn has_field(&self) -> bool {
        match self {
            Self::Static(_) => false,
            Self::Field(_) => true,
            Self::Unary { inner, .. } | Self::Exists(inner) | Self::NotExists(inner) => {
                inner.has_field()
            }
            Self::Binary { left, right, .. } => left.has_field() || right.has_field(),
        }
    }
}

impl Field {
    /// `parent` and `parent.x`, which nothing can read yet (traceql.md §2.8).
    pub fn is_of_parent(&self) -> bool {
        matches!(
            self,
            Self::Intrinsic(Intrinsic::Parent) | Self::Attribute(Attribute { parent: true, .. })
        )
    }
}

impl Compare {
    /// The operator with its sides exchanged: `5 < x` is `x > 5`.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            same => same,
        }
    }
}
