//! Large queries over many spans, and patterns that are costly for other engines.

use std::fmt::Write;
use std::time::{Duration, Instant};

use vivace_columns::BatchChunk;
use vivace_engine::{Plan, find};
use vivace_model::SpanBatch;
use vivace_traceql::{parse, validate};

use crate::chunks::now;
use crate::data::{Trace, Value};
use crate::examples::{attributes, data, span, text};
use crate::properties::no_pause;

const SPANS: u64 = 10_000;
const TERMS: usize = 10_000;

/// Far more than is needed, as other tests run at the same time.
const PATIENCE: Duration = Duration::from_secs(30);

fn spans() -> SpanBatch {
    let mut all = data([attributes([("service.name", text("s"))])], Vec::new());
    all.traces = (0..SPANS / 10)
        .map(|trace| {
            let mut id = [1; 16];
            id[..8].copy_from_slice(&trace.to_be_bytes());
            let of_trace = |number: u64| {
                let mut one = span("n", number + 1, (number > 0).then_some(number));
                let value = Value::Int((trace * 10 + number) as i64);
                one.attributes = attributes([
                    ("a", value),
                    ("t", text(&"a".repeat(2000 + number as usize))),
                ]);
                one
            };
            Trace {
                id,
                spans: (0..10).map(of_trace).collect(),
            }
        })
        .collect();
    all.batch()
}

/// Spans that pass.
fn run(batch: &SpanBatch, query: &str) -> u32 {
    let started = Instant::now();
    let query = parse(query).unwrap();
    validate(&query).unwrap();
    let plan = Plan::new(query.search_pipeline().unwrap(), &[], &Default::default()).unwrap();
    let mut chunk = BatchChunk::new(batch, async || {});
    let found = now(find(&plan, &mut chunk, &Default::default(), &no_pause)).unwrap();
    let took = started.elapsed();
    println!("{took:?}");
    assert!(took < PATIENCE, "{took:?}");
    found.selection.spans.iter().count() as u32
}

fn chain(operator: &str, term: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..TERMS {
        if number > 0 {
            text.push_str(operator);
        }
        write!(text, "{}", term(number)).unwrap();
    }
    text
}

#[test]
fn chains_of_ten_thousand_terms() {
    let batch = spans();
    let any = chain("||", |number| format!(".a={}", number * 2));
    assert_eq!(run(&batch, &format!("{{{any}}}")), 5000);
    assert_eq!(run(&batch, &format!("{{!({any})}}")), 5000);
    let all = chain("&&", |number| format!(".a!={}", number + 100));
    assert_eq!(run(&batch, &format!("{{{all}}}")), 100);
    assert_eq!(run(&batch, &format!("{{!({all})}}")), 9900);
    // Beside a structural operator the conditions are asked once more.
    assert_eq!(run(&batch, &format!("{{{any}}} > {{}}")), 5000);
    // Row by row.
    assert_eq!(run(&batch, &format!("{{.a<500&&({any})=true}}")), 250);
}

#[test]
fn patterns_take_time_by_length_only() {
    let batch = spans();
    for pattern in [
        "(a+)+b",
        "(a|aa)*b",
        "(a*)*b",
        "(a?){200}a{200}b",
        "(.*)(.*)(.*)(.*)b",
    ] {
        assert_eq!(
            run(&batch, &format!("{{ span.t =~ `{pattern}` }}")),
            0,
            "{pattern}"
        );
    }
    assert_eq!(run(&batch, "{ span.t =~ `(a+)+` }"), 10_000);
}
