//! `compare` over random splits against counting row by row.

mod support;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::oracle::{Found, close, found, label_text};
use support::query::{SECOND, answer, job, leaf, plan, request};
use support::{Row, pair, text};
use vivace_query_metrics::MetricsRequest;
use vivace_traceql::{Expr, MetricsFunction, Static, Status};

fn compare(top: i64, start: u64, end: u64) -> MetricsFunction {
    MetricsFunction::Compare {
        filter: Expr::Static(Static::Bool(true)),
        top,
        start: start as i64,
        end: end as i64,
    }
}

/// All counts by label text, without a limit of values.
fn naive(rows: &[Row], request: &MetricsRequest, window: (u64, u64)) -> Found {
    let mut counts: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    for row in rows {
        if !row.selected || row.start <= request.start || row.start > request.end {
            continue;
        }
        let number = (row.start - request.start).div_ceil(request.step);
        let stamp = ((request.start + number * request.step) / 1_000_000) as i64;
        let inside = window == (0, 0) || (row.start > window.0 && row.start <= window.1);
        let side = match row.compared && inside {
            true => "selection",
            false => "baseline",
        };
        let mut seen = vec![
            ("name".to_owned(), text(&row.name)),
            ("status".to_owned(), Static::Status(row.status)),
            ("statusMessage".to_owned(), text("")),
            ("kind".to_owned(), Static::Kind(row.kind)),
            ("span:childCount".to_owned(), Static::Int(0)),
            ("rootName".to_owned(), text("root")),
            ("rootServiceName".to_owned(), text("root")),
        ];
        let mut resource = row.resource.clone();
        if !resource.iter().any(|(key, _)| key == "service.name") {
            resource.push(pair("service.name", text("")));
        }
        let levels = [
            ("span", &row.attributes),
            ("resource", &resource),
            ("instrumentation", &row.scope),
        ];
        for (scope, attributes) in levels {
            for (key, value) in attributes {
                let name = format!("{scope}.{key}");
                let value = match value {
                    Static::IntArray(_) => text("nil"),
                    value => value.clone(),
                };
                if !seen.iter().any(|(known, _)| *known == name) {
                    seen.push((name, value));
                }
            }
        }
        for (name, value) in seen {
            let value = label_text(&value);
            let labels = [
                format!("__meta_type={side:?},{name}={value}"),
                format!("__meta_type=\"{side}_total\",{name}=\"nil\""),
            ];
            for labels in labels {
                let samples = counts.entry(labels).or_insert_with(|| {
                    let count = (request.end - request.start) / request.step;
                    let stamps = (1..=count).map(|number| request.start + number * request.step);
                    stamps
                        .map(|stamp| ((stamp / 1_000_000) as i64, 0.0))
                        .collect()
                });
                *samples.get_mut(&stamp).unwrap() += 1.0;
            }
        }
    }
    counts
}

fn attributes(keys: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, Static)>> {
    let value = prop_oneof![
        (0i64..4).prop_map(Static::Int),
        select(vec!["x", "y", ""]).prop_map(text),
        Just(Static::Bool(true)),
        vec(0i64..3, 0..3).prop_map(Static::IntArray),
    ];
    // Keys may come twice: the first counts.
    let one = (select(keys), value).prop_map(|(key, value)| pair(key, value));
    vec(one, 0..5)
}

prop_compose! {
    fn row()(
        start in (95 * SECOND)..(165 * SECOND),
        trace in 0u8..6,
        name in select(vec!["get", "put"]),
        status in select(vec![Status::Error, Status::Ok]),
        attributes in attributes(&["a", "b", "dedicated", "a b"]),
        resource in attributes(&["service.name", "a", "r"]),
        scope in attributes(&["s"]),
        selected in prop::bool::weighted(0.8),
        compared in any::<bool>(),
    ) -> Row {
        Row {
            trace,
            start,
            name: name.into(),
            status,
            attributes,
            resource,
            scope,
            selected,
            compared,
            ..Row::default()
        }
    }
}

/// Names with blanks are quoted in labels.
fn quoted(found: Found) -> Found {
    let quote = |labels: String| labels.replace("span.a b=", "span.\"a b\"=");
    found
        .into_iter()
        .map(|(labels, samples)| (quote(labels), samples))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_is_counted_on_its_side(
        rows in vec((0usize..3, row()), 0..40),
        dictionaries in vec(any::<bool>(), 3),
        window in select(vec![(0, 0), (110 * SECOND, 140 * SECOND)]),
    ) {
        let request = request();
        let plan = plan(leaf(compare(1000, window.0, window.1), &[]), request);
        let mut merged = plan.no_partials();
        for number in [2, 0, 1] {
            let of_chunk = rows.iter().filter(|(chunk, _)| *chunk == number);
            let of_chunk: Vec<Row> = of_chunk.map(|(_, row)| row.clone()).collect();
            merged.merge(job(&plan, &of_chunk, dictionaries[number]));
        }
        let outcome = plan.finish(&merged);
        let all: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        let want = quoted(naive(&all, &request, window));
        if let Err(difference) = close(&found(&outcome.series), &want) {
            prop_assert!(false, "{}", difference);
        }
    }
}

#[test]
fn only_the_most_frequent_values_are_shown_but_totals_count_all() {
    let row = |value: i64| Row {
        start: 105 * SECOND,
        attributes: vec![pair("a", Static::Int(value))],
        ..Row::default()
    };
    let rows: Vec<Row> = [1, 1, 1, 2, 2, 3, 4, 4].map(row).to_vec();
    let plan = plan(leaf(compare(2, 0, 0), &[]), request());
    let outcome = answer(&plan, &rows);
    let of_a: Vec<_> = found(&outcome.series)
        .into_iter()
        .filter(|(labels, _)| labels.contains("span.a"))
        .map(|(labels, samples)| (labels, samples[&110_000]))
        .collect();
    let want = [
        ("__meta_type=\"baseline\",span.a=Int(1)", 3.0),
        ("__meta_type=\"baseline\",span.a=Int(2)", 2.0),
        ("__meta_type=\"baseline_total\",span.a=\"nil\"", 8.0),
    ];
    assert_eq!(of_a, want.map(|(labels, count)| (labels.to_owned(), count)));
}

#[test]
fn exemplars_are_beside_totals() {
    let rows: Vec<Row> = (0..20)
        .map(|number: u8| Row {
            trace: number,
            start: 101 * SECOND + u64::from(number) * SECOND,
            compared: number.is_multiple_of(2),
            ..Row::default()
        })
        .collect();
    let request = MetricsRequest {
        exemplars: 10,
        ..request()
    };
    let plan = plan(leaf(compare(10, 0, 0), &[]), request);
    let outcome = answer(&plan, &rows);
    let mut shown = 0;
    for series in outcome.series {
        for exemplar in &series.exemplars {
            let kind = &series.labels[0].1;
            let total = matches!(kind, Static::String(text) if text.ends_with("_total"));
            assert!(total && exemplar.value > 0.0);
            shown += 1;
        }
    }
    assert!((1..=10).contains(&shown));
}

#[test]
fn nothing_selected_gives_no_series() {
    let plan = plan(leaf(compare(10, 0, 0), &[]), request());
    assert!(answer(&plan, &[]).series.is_empty());
}
