//! Searches by tags as TraceQL (block-format.md §9.4).
//!
//! Each tag may be on another span of the trace. A value is compared with texts, and with numbers and booleans if it reads as one;
//! names of spans, of roots and of services match also in part.

use std::sync::Arc;

use vivace_traceql::{
    BinaryOp, Body, Compare, Element, Expr, Field, Intrinsic, Pipeline, Query, Scope, SpansetExpr,
    SpansetOp, Static, Status,
};

/// Keys that match in part, besides the intrinsics: those that old blocks have columns for.
const IN_PART: [&str; 11] = [
    "service.name",
    "cluster",
    "namespace",
    "pod",
    "container",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "http.method",
    "http.url",
];

/// Traces that have all tags and last as long; durations in nanoseconds, 0: no bound.
pub fn query(tags: &[(String, String)], min_duration: u64, max_duration: u64) -> Query {
    let mut filters: Vec<Expr> = Vec::new();
    for (compare, bound) in [
        (Compare::GreaterEqual, min_duration),
        (Compare::LessEqual, max_duration),
    ] {
        if bound > 0 {
            let bound = Static::Duration(i64::try_from(bound).unwrap_or(i64::MAX));
            let duration = Expr::Field(Field::Intrinsic(Intrinsic::TraceDuration));
            filters.push(comparison(duration, compare, bound));
        }
    }
    filters.extend(tags.iter().map(|(key, value)| tag(key, value)));
    let joined = filters
        .into_iter()
        .map(SpansetExpr::Filter)
        .reduce(|left, right| SpansetExpr::Binary {
            op: SpansetOp::And,
            left: Box::new(left),
            right: Box::new(right),
        });
    let everything = SpansetExpr::Filter(Expr::Static(Static::Bool(true)));
    Query {
        body: Body::Spans(Pipeline {
            elements: vec![Element::Spanset(joined.unwrap_or(everything))],
        }),
        hints: Vec::new(),
    }
}

fn tag(key: &str, value: &str) -> Expr {
    let intrinsic = |intrinsic| Expr::Field(Field::Intrinsic(intrinsic));
    match (key, value) {
        ("name", _) => in_part(intrinsic(Intrinsic::Name), value),
        ("root.name", _) => in_part(intrinsic(Intrinsic::TraceRootName), value),
        ("root.service.name", _) => in_part(intrinsic(Intrinsic::TraceRootService), value),
        ("status.code", "error" | "ok" | "unset") => {
            let status = match value {
                "error" => Status::Error,
                "ok" => Status::Ok,
                _ => Status::Unset,
            };
            let field = intrinsic(Intrinsic::Status);
            comparison(field, Compare::Equal, Static::Status(status))
        }
        ("error", "true") => {
            let field = intrinsic(Intrinsic::Status);
            let failed = comparison(field, Compare::Equal, Static::Status(Status::Error));
            or(failed, attribute(key, value))
        }
        _ => attribute(key, value),
    }
}

/// On the span or on its resource, whichever has it.
fn attribute(key: &str, value: &str) -> Expr {
    let of = |scope| {
        let field = || Expr::Field(Field::attribute(scope, key));
        if value.is_empty() {
            return Expr::Exists(Box::new(field()));
        }
        let mut any = if IN_PART.contains(&key) {
            in_part(field(), value)
        } else {
            comparison(field(), Compare::Equal, Static::String(value.into()))
        };
        let mut others = Vec::new();
        if let Ok(number) = value.parse() {
            others.push(Static::Int(number));
        } else if let Ok(number) = value.parse::<f64>()
            && number.is_finite()
        {
            others.push(Static::Float(number));
        }
        if let Ok(truth) = value.parse() {
            others.push(Static::Bool(truth));
        }
        for other in others {
            any = or(any, comparison(field(), Compare::Equal, other));
        }
        any
    };
    or(of(Scope::Span), of(Scope::Resource))
}

/// A text with `value` somewhere in it.
fn in_part(field: Expr, value: &str) -> Expr {
    let pattern: Arc<str> = format!("(?s).*{}.*", regex::escape(value)).into();
    comparison(field, Compare::Regex, Static::String(pattern))
}

fn comparison(left: Expr, compare: Compare, right: Static) -> Expr {
    Expr::Binary {
        op: BinaryOp::Compare(compare),
        left: Box::new(left),
        right: Box::new(Expr::Static(right)),
    }
}

fn or(left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        op: BinaryOp::Or,
        left: Box::new(left),
        right: Box::new(right),
    }
}
