use std::cell::RefCell;
use std::rc::Rc;

use std::sync::Arc;

use vivace_columns::ServiceStats;
use vivace_engine::{SpanResult, SpanSetResult, TraceResult};
use vivace_model::{SpanId, TraceId};
use vivace_protocol::tempopb::{AnyValue, Value};
use vivace_query_metrics::{Outcome, Sample, Series};
use vivace_shards::sim::Sim;
use vivace_traceql::{Kind, Static, Status};

use super::*;
use crate::jobs::TagScope;
use crate::run::Progress;

fn result() -> TraceResult {
    let attribute = |key: &str, value| (Arc::from(key), value);
    TraceResult {
        trace_id: TraceId(0x0102u128.to_be_bytes()),
        root_service: "".into(),
        root_name: "".into(),
        start_unix_nano: 5,
        duration_nano: 1_999_999,
        services: vec![ServiceStats {
            service: "shop".into(),
            spans: 4,
            errors: 0,
        }],
        span_sets: vec![SpanSetResult {
            attributes: vec![attribute("count()", Static::Int(3))],
            matched: 3,
            spans: vec![SpanResult {
                span_id: SpanId([0, 0, 0, 0, 0, 0, 0, 0xab]),
                name: Some("GET".into()),
                start_unix_nano: 6,
                duration_nano: 7,
                attributes: vec![
                    attribute("s", Static::String("x".into())),
                    attribute("f", Static::Float(0.5)),
                    attribute("b", Static::Bool(false)),
                    attribute("d", Static::Duration(90_000_000_000)),
                    attribute("status", Static::Status(Status::Unset)),
                    attribute("kind", Static::Kind(Kind::Server)),
                    attribute("a", Static::IntArray(vec![1, 2])),
                    attribute("n", Static::Nil),
                ],
            }],
        }],
    }
}

fn value(any: &Option<AnyValue>) -> Value {
    any.clone().unwrap().value.unwrap()
}

#[test]
fn traces_of_a_search() {
    let found = trace(&result(), Ids::Short, false);
    assert_eq!(found.trace_id, "102");
    assert_eq!(found.root_service_name, "<root span not yet received>");
    assert_eq!((found.root_trace_name.as_str(), found.duration_ms), ("", 1));
    assert_eq!(found.span_set, found.span_sets.first().cloned());
    assert_eq!(found.service_stats["shop"].span_count, 4);
    let set = &found.span_sets[0];
    assert_eq!((set.matched, &*set.attributes[0].key), (3, "count()"));
    assert_eq!(value(&set.attributes[0].value), Value::Int(3));
    let span = &set.spans[0];
    assert_eq!((&*span.span_id, &*span.name), ("00000000000000ab", "GET"));
    let values: Vec<Value> = span.attributes.iter().map(|a| value(&a.value)).collect();
    let text = |text: &str| Value::String(text.into());
    assert_eq!(values[0], text("x"));
    assert_eq!(values[1..3], [Value::Double(0.5), Value::Bool(false)]);
    assert_eq!(values[3..6], ["1m30s", "unset", "server"].map(text));
    assert!(matches!(&values[6], Value::Array(items) if items.values.len() == 2));
    assert_eq!(values[7], text("nil"));

    let padded = trace(&result(), Ids::Whole, true);
    assert_eq!(padded.trace_id, "00000000000000000000000000000102");
    assert_eq!((padded.span_set, padded.span_sets.len()), (None, 0));
}

#[test]
fn series_of_metrics_queries() {
    let series = |samples| Series {
        labels: vec![("p".into(), Static::Float(0.5))],
        samples,
        exemplars: Vec::new(),
    };
    let sample = Sample {
        unix_milli: 9,
        value: 2.0,
    };
    let outcome = Outcome {
        series: vec![series(vec![sample]), series(Vec::new())],
        partial: Some("cut".into()),
    };
    let progress = Progress {
        total_jobs: 2,
        ..Progress::default()
    };
    let answer = Rc::new(RefCell::new(None));
    let (into, of) = (Rc::clone(&answer), outcome.clone());
    let work = move || {
        let (into, of) = (Rc::clone(&into), of.clone());
        async move {
            *into.borrow_mut() = Some(range(&of, &progress).await);
            Ok(())
        }
    };
    Sim::new(1).run(work).unwrap();
    let range = answer.take().unwrap();
    assert_eq!((range.status, &*range.message), (1, "cut"));
    assert_eq!(range.series[0].samples[0].timestamp_ms, 9);
    assert_eq!(range.metrics.unwrap().total_jobs, 2);
    let instant = instant(&outcome, &progress);
    assert_eq!(instant.series.len(), 1);
    assert_eq!(instant.series[0].value.to_bits(), 2.0f64.to_bits());
    assert_eq!(
        value(&instant.series[0].labels[0].value),
        Value::Double(0.5)
    );
}

#[test]
fn names_by_scope_and_together() {
    let found = [
        (TagScope::Resource, "z".into()),
        (TagScope::Span, "a".into()),
        (TagScope::Span, "z".into()),
    ];
    assert_eq!(names(&found, false), ["a", "z"]);
    assert_eq!(names(&[], true).len(), 25);
    let scopes = scopes(&found, true);
    let listed: Vec<_> = scopes.iter().map(|s| (&*s.name, s.tags.len())).collect();
    assert_eq!(listed, [("resource", 1), ("span", 2), ("intrinsic", 25)]);
    let values = values(&[("int", "1".into()), ("string", "1".into())]);
    assert_eq!(values, ["1"]);
}
