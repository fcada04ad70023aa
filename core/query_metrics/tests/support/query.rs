//! Trees of queries, requests, and running them.

use vivace_columns::Chunk as _;
use vivace_query_metrics::{MetricsPlan, MetricsRequest, Outcome, Partials};
use vivace_traceql::{
    Body, Element, Expr, Field, Hint, Intrinsic, MathOp, MetricsExpr, MetricsFunction,
    MetricsQuery, Pipeline, Query, Scope, SecondStage, SpansetExpr, Static,
};

use super::chunk::TestChunk;
use super::{Row, block_on, no_pause};

pub const SECOND: u64 = 1_000_000_000;

pub fn pipeline(filter: Static) -> Pipeline {
    Pipeline {
        elements: vec![Element::Spanset(SpansetExpr::Filter(Expr::Static(filter)))],
    }
}

pub fn query(function: MetricsFunction, by: &[Field]) -> MetricsQuery {
    MetricsQuery {
        pipeline: pipeline(Static::Bool(true)),
        function,
        by: by.to_vec(),
        stages: Vec::new(),
    }
}

pub fn leaf(function: MetricsFunction, by: &[Field]) -> MetricsExpr {
    MetricsExpr::Query(query(function, by))
}

pub fn staged(function: MetricsFunction, by: &[Field], stages: &[SecondStage]) -> MetricsExpr {
    MetricsExpr::Query(MetricsQuery {
        stages: stages.to_vec(),
        ..query(function, by)
    })
}

pub fn math(op: MathOp, left: MetricsExpr, right: MetricsExpr) -> MetricsExpr {
    MetricsExpr::Math {
        op,
        left: Box::new(left),
        right: Box::new(right),
    }
}

pub fn whole(expr: MetricsExpr, hints: &[(&str, Static)]) -> Query {
    let hint = |(name, value): &(&str, Static)| Hint {
        name: (*name).into(),
        value: value.clone(),
    };
    Query {
        body: Body::Metrics(expr),
        hints: hints.iter().map(hint).collect(),
    }
}

pub fn duration() -> Field {
    Field::Intrinsic(Intrinsic::Duration)
}

pub fn span(key: &str) -> Field {
    Field::attribute(Scope::Span, key)
}

pub fn unscoped(key: &str) -> Field {
    Field::attribute(Scope::Unscoped, key)
}

pub fn resource(key: &str) -> Field {
    Field::attribute(Scope::Resource, key)
}

/// Six intervals of ten seconds from 100 s on.
pub fn request() -> MetricsRequest {
    MetricsRequest {
        start: 100 * SECOND,
        end: 160 * SECOND,
        step: 10 * SECOND,
        is_instant: false,
        exemplars: 0,
        max_series: 0,
    }
}

pub fn plan(expr: MetricsExpr, request: MetricsRequest) -> MetricsPlan {
    MetricsPlan::new(&whole(expr, &[]), request, false).unwrap()
}

/// What a job over one chunk finds.
pub fn job(plan: &MetricsPlan, rows: &[Row], dictionaries: bool) -> Partials {
    let mut partials = plan.new_partials();
    let mut chunk = TestChunk::new(rows, dictionaries);
    for (number, leaf) in plan.leaves().iter().enumerate() {
        let selection = chunk.selection();
        let done = block_on(async {
            if leaf.compare_filter().is_some() {
                let compared = chunk.compared();
                let done = plan.observe_compare(
                    number,
                    &mut partials,
                    &mut chunk,
                    &selection,
                    &compared,
                    1.0,
                    &no_pause,
                );
                return done.await.map_err(|error| error.to_string());
            }
            chunk.load(&leaf.columns(), None).await.unwrap();
            if leaf.needs_events() {
                chunk.load_events().await.unwrap();
            }
            if leaf.needs_trace_ids() {
                chunk.load_trace_ids().await.unwrap();
            }
            let done = plan.observe(number, &mut partials, &chunk, &selection, 1.0, &no_pause);
            done.await.map_err(|error| error.to_string())
        });
        done.unwrap();
    }
    partials
}

pub fn answer(plan: &MetricsPlan, rows: &[Row]) -> Outcome {
    let mut partials = plan.no_partials();
    partials.merge(job(plan, rows, true));
    plan.finish(&partials)
}
