//! Random spans in random chunks, merged in random order, against a naive row-wise reading of the specification.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::oracle::{self, STATES, close, found};
use support::query::{SECOND, duration, job, leaf, request, resource, span, unscoped, whole};
use support::{Row, pair, text};
use vivace_query_metrics::{MetricsPlan, MetricsRequest, Outcome};
use vivace_traceql::{Field, Intrinsic, Kind, MetricsFunction, Static, Status};

fn value() -> impl Strategy<Value = Static> {
    prop_oneof![
        (-5i64..200).prop_map(Static::Int),
        (0i64..1 << 40).prop_map(Static::Int),
        (-1e6f64..1e6).prop_map(Static::Float),
        Just(Static::Float(f64::NAN)),
        select(vec!["x", "y", "nil", ""]).prop_map(text),
        any::<bool>().prop_map(Static::Bool),
        vec(0i64..3, 0..3).prop_map(Static::IntArray),
        vec(select(vec!["x", "y"]), 0..3)
            .prop_map(|items| { Static::StringArray(items.into_iter().map(Into::into).collect()) }),
    ]
}

fn attributes(keys: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, Static)>> {
    let one = (select(keys), value()).prop_map(|(key, value)| pair(key, value));
    vec(one, 0..4)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: ProptestConfig::default().cases.max(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

prop_compose! {
    fn row()(
        // Some on the bounds of intervals, some outside of the range.
        start in prop_oneof![
            (95 * SECOND)..(165 * SECOND),
            (9u64..17).prop_map(|ten| ten * 10 * SECOND),
        ],
        trace in 0u8..6,
        nanos in prop_oneof![-2i64..10, 0i64..5_000_000_000],
        name in select(vec!["get", "put", "a b"]),
        status in select(vec![Status::Error, Status::Ok, Status::Unset]),
        kind in select(vec![Kind::Server, Kind::Client]),
        attributes in attributes(&["a", "b", "n", "dedicated"]),
        resource in attributes(&["service.name", "a", "r"]),
        state in select(STATES.to_vec()),
        events in vec(0i64..1000, 0..3),
        selected in prop::bool::weighted(0.8),
    ) -> Row {
        Row {
            trace,
            start,
            duration: nanos,
            name: name.into(),
            status,
            kind,
            attributes,
            resource,
            trace_state: state.0.into(),
            events,
            selected,
            ..Row::default()
        }
    }
}

fn number_field() -> impl Strategy<Value = Field> {
    select(vec![
        duration(),
        span("n"),
        span("a"),
        unscoped("a"),
        resource("r"),
        Field::Intrinsic(Intrinsic::TraceDuration),
        Field::Intrinsic(Intrinsic::EventTimeSinceStart),
    ])
}

fn function() -> impl Strategy<Value = MetricsFunction> {
    let quantiles = vec(select(vec![0.0, 0.1, 0.5, 0.9, 0.99, 1.0]), 1..4);
    let quantiles = quantiles.prop_map(|mut quantiles| {
        quantiles.sort_by(f64::total_cmp);
        quantiles.dedup();
        quantiles
    });
    prop_oneof![
        Just(MetricsFunction::Rate),
        Just(MetricsFunction::CountOverTime),
        number_field().prop_map(MetricsFunction::MinOverTime),
        number_field().prop_map(MetricsFunction::MaxOverTime),
        number_field().prop_map(MetricsFunction::SumOverTime),
        number_field().prop_map(MetricsFunction::AvgOverTime),
        number_field().prop_map(MetricsFunction::HistogramOverTime),
        (number_field(), quantiles)
            .prop_map(|(field, quantiles)| MetricsFunction::QuantileOverTime(field, quantiles)),
    ]
}

fn by() -> impl Strategy<Value = Vec<Field>> {
    let fields = vec![
        Field::Intrinsic(Intrinsic::Name),
        Field::Intrinsic(Intrinsic::Status),
        Field::Intrinsic(Intrinsic::Kind),
        span("a"),
        span("b"),
        span("dedicated"),
        unscoped("a"),
        resource("service.name"),
        resource("r"),
    ];
    prop::sample::subsequence(fields, 0..=4).prop_shuffle()
}

/// Rows with the number of the chunk that has them. Fragments of a trace may lie in several.
fn chunks() -> impl Strategy<Value = Vec<(usize, Row)>> {
    vec((0usize..CHUNKS, row()), 0..60)
}

const CHUNKS: usize = 4;

fn run(
    plan: &MetricsPlan,
    rows: &[(usize, Row)],
    order: &[usize],
    dictionaries: &[bool],
) -> Outcome {
    let mut left = plan.no_partials();
    let mut right = plan.no_partials();
    for &number in order {
        let of_chunk = rows.iter().filter(|(chunk, _)| *chunk == number);
        let of_chunk: Vec<Row> = of_chunk.map(|(_, row)| row.clone()).collect();
        let found = job(plan, &of_chunk, dictionaries[number]);
        // A tree of merges, not only a chain.
        match number % 2 {
            0 => left.merge(found),
            _ => right.merge(found),
        }
    }
    right.merge(left);
    plan.finish(&right)
}

fn order() -> impl Strategy<Value = Vec<usize>> {
    Just((0..CHUNKS).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn any_function_over_any_split_is_what_the_rows_say(
        mut rows in chunks(),
        function in function(),
        by in by(),
        order in order(),
        dictionaries in vec(any::<bool>(), CHUNKS),
        is_instant in any::<bool>(),
        exemplars in select(vec![0u32, 7]),
        extrapolates in any::<bool>(),
    ) {
        let uses_traces = matches!(
            &function,
            MetricsFunction::MinOverTime(field) | MetricsFunction::MaxOverTime(field)
                | MetricsFunction::SumOverTime(field) | MetricsFunction::AvgOverTime(field)
                | MetricsFunction::HistogramOverTime(field)
                | MetricsFunction::QuantileOverTime(field, _)
                if *field == Field::Intrinsic(Intrinsic::TraceDuration)
        );
        if uses_traces {
            // A trace's duration is that of its fragment.
            rows.iter_mut().for_each(|(chunk, row)| *chunk = usize::from(row.trace) % CHUNKS);
        }
        let request = MetricsRequest { is_instant, exemplars, ..request() };
        let request = match is_instant {
            true => MetricsRequest { step: request.end - request.start, ..request },
            false => request,
        };
        let hints = [("extrapolate", Static::Bool(extrapolates))];
        let query = whole(leaf(function.clone(), &by), &hints);
        let plan = MetricsPlan::new(&query, request, false).unwrap();
        let outcome = run(&plan, &rows, &order, &dictionaries);
        prop_assert_eq!(&outcome.partial, &None);
        let all: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        let want = oracle::run(&all, &function, &by, &request, extrapolates);
        if let Err(difference) = close(&found(&outcome.series), &want) {
            prop_assert!(false, "{}", difference);
        }
        let shown: usize = outcome.series.iter().map(|series| series.exemplars.len()).sum();
        let wanted = if is_instant { 0 } else { exemplars as usize };
        prop_assert!(shown <= wanted);
        for series in &outcome.series {
            for exemplar in &series.exemplars {
                prop_assert!(exemplar.labels.iter().any(|(name, _)| &**name == "trace:id"));
                prop_assert!(!exemplar.value.is_nan());
            }
        }
    }
}
