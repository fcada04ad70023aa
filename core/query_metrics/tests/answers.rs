//! What the specification says of single queries.

mod support;

use support::oracle::found;
use support::query::{
    SECOND, answer, duration, job, leaf, math, pipeline, plan, request, resource, span, staged,
    unscoped, whole,
};
use support::{Row, pair, text};
use vivace_query_metrics::{MetricsPlan, MetricsRequest, Outcome, PlanError, Sampling};
use vivace_traceql::{
    Compare, Expr, Field, Intrinsic, MathOp, MetricsExpr, MetricsFunction, MetricsQuery,
    SecondStage, Static, Status,
};

const STAMPS: [i64; 6] = [110_000, 120_000, 130_000, 140_000, 150_000, 160_000];

fn row(second: u64, attributes: &[(&str, Static)]) -> Row {
    Row {
        trace: second as u8,
        start: second * SECOND,
        duration: 500_000_000,
        attributes: attributes
            .iter()
            .map(|(key, value)| pair(key, value.clone()))
            .collect(),
        ..Row::default()
    }
}

/// Labels with values by interval, NaN as absent.
fn table(outcome: &Outcome) -> Vec<(String, Vec<Option<f64>>)> {
    let all = found(&outcome.series).into_iter();
    let values = |samples: std::collections::BTreeMap<i64, f64>| {
        STAMPS.map(|stamp| samples.get(&stamp).copied()).to_vec()
    };
    all.map(|(labels, samples)| (labels, values(samples)))
        .collect()
}

fn line(labels: &str, values: [f64; 6]) -> (String, Vec<Option<f64>>) {
    let value = |value: f64| (!value.is_nan()).then_some(value);
    (labels.to_owned(), values.map(value).to_vec())
}

const NAN: f64 = f64::NAN;

#[test]
fn rates_and_counts_have_zeros() {
    let rows = [row(101, &[]), row(110, &[]), row(111, &[]), row(160, &[])];
    let rate = answer(&plan(leaf(MetricsFunction::Rate, &[]), request()), &rows);
    assert_eq!(
        table(&rate),
        [line("__name__=\"rate\"", [0.2, 0.1, 0.0, 0.0, 0.0, 0.1])]
    );
    // Not the start of the range, and not behind its end.
    let outside = [row(100, &[]), row(161, &[])];
    let plan = plan(leaf(MetricsFunction::CountOverTime, &[]), request());
    assert_eq!(
        table(&answer(&plan, &outside)),
        [line("__name__=\"count_over_time\"", [0.0; 6])]
    );
    assert!(plan.finish(&plan.no_partials()).series.is_empty());
    let ran = plan.finish(&plan.new_partials());
    assert_eq!(ran.series.len(), 1);
}

#[test]
fn nothing_found_gives_no_series_of_other_functions() {
    let functions = [
        MetricsFunction::MinOverTime(duration()),
        MetricsFunction::SumOverTime(duration()),
        MetricsFunction::AvgOverTime(duration()),
        MetricsFunction::HistogramOverTime(duration()),
        MetricsFunction::QuantileOverTime(duration(), vec![0.5]),
    ];
    for function in functions {
        let plan = plan(leaf(function, &[]), request());
        assert!(answer(&plan, &[]).series.is_empty());
    }
    let grouped = plan(leaf(MetricsFunction::Rate, &[span("a")]), request());
    assert!(answer(&grouped, &[]).series.is_empty());
}

#[test]
fn quantiles_and_histograms_have_zeros_sums_and_extremes_do_not() {
    let rows = [row(105, &[("n", Static::Int(5))])];
    let quantile = MetricsFunction::QuantileOverTime(span("n"), vec![1.0]);
    assert_eq!(
        table(&answer(&plan(leaf(quantile, &[]), request()), &rows)),
        [line("p=Float(1.0)", [8.0, 0.0, 0.0, 0.0, 0.0, 0.0])]
    );
    let histogram = MetricsFunction::HistogramOverTime(duration());
    assert_eq!(
        table(&answer(&plan(leaf(histogram, &[]), request()), &rows)),
        [line(
            "__bucket=Float(0.536870912)",
            [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        )]
    );
    let sum = MetricsFunction::SumOverTime(span("n"));
    assert_eq!(
        table(&answer(&plan(leaf(sum, &[]), request()), &rows)),
        [line(
            "__name__=\"sum_over_time\"",
            [5.0, NAN, NAN, NAN, NAN, NAN]
        )]
    );
}

#[test]
fn accidents_14_and_20() {
    // 14: spans without a number are skipped by sums.
    let rows = [
        row(101, &[("n", Static::Int(5))]),
        row(102, &[]),
        row(103, &[("n", text("7"))]),
        row(104, &[("n", Static::Float(2.5))]),
    ];
    let sum = plan(
        leaf(MetricsFunction::SumOverTime(span("n")), &[]),
        request(),
    );
    assert_eq!(
        table(&answer(&sum, &rows)),
        [line(
            "__name__=\"sum_over_time\"",
            [7.5, NAN, NAN, NAN, NAN, NAN]
        )]
    );
    // 20: nanoseconds of traces, seconds of spans.
    let of = |field: Field| {
        let plan = plan(leaf(MetricsFunction::MinOverTime(field), &[]), request());
        answer(&plan, &rows).series[0].samples[0].value
    };
    assert_eq!(of(Field::Intrinsic(Intrinsic::TraceDuration)), 5e8);
    assert_eq!(of(duration()), 0.5);
    // Spans without events have 0.
    let since = Field::Intrinsic(Intrinsic::EventTimeSinceStart);
    assert_eq!(of(since), 0.0);
}

#[test]
fn labels_of_groups() {
    let rows = [
        row(101, &[("a", Static::Int(1)), ("b", text("x"))]),
        row(102, &[("b", text("x"))]),
        row(103, &[]),
        row(104, &[("a", Static::IntArray(vec![1, 2]))]),
    ];
    let by = [span("a"), span("b")];
    let count = plan(leaf(MetricsFunction::CountOverTime, &by), request());
    let outcome = answer(&count, &rows);
    let labels: Vec<String> = found(&outcome.series).into_keys().collect();
    // All nil, and a list alone, are both the text `nil` in the first label: one series.
    assert_eq!(
        labels,
        [
            "span.a=\"nil\"",
            "span.a=Int(1),span.b=\"x\"",
            "span.b=\"x\"",
        ]
    );
    let of_nil = outcome.series.iter().map(|series| series.samples[0].value);
    assert_eq!(of_nil.fold(0.0, f64::max), 2.0);
    let quantile = MetricsFunction::QuantileOverTime(duration(), vec![0.5, 0.5]);
    let quantile = plan(leaf(quantile, &[span("a")]), request());
    let labels: Vec<String> = found(&answer(&quantile, &rows).series)
        .into_keys()
        .collect();
    assert_eq!(
        labels,
        [
            "p=Float(0.5)",
            "span.a=\"nil\",p=Float(0.5)",
            "span.a=Int(1),p=Float(0.5)",
        ]
    );
}

#[test]
fn the_span_wins_over_its_resource() {
    let mut both = row(101, &[("a", text("span"))]);
    both.resource = vec![pair("a", text("resource"))];
    let mut other = row(102, &[]);
    other.resource = both.resource.clone();
    let plan = plan(
        leaf(
            MetricsFunction::CountOverTime,
            &[unscoped("a"), resource("service.name")],
        ),
        request(),
    );
    let labels: Vec<String> = found(&answer(&plan, &[both, other]).series)
        .into_keys()
        .collect();
    assert_eq!(
        labels,
        [
            ".a=\"resource\",resource.service.name=\"\"",
            ".a=\"span\",resource.service.name=\"\"",
        ]
    );
}

#[test]
fn instant_queries_have_one_sample_at_the_end() {
    let request = MetricsRequest {
        end: 165 * SECOND,
        step: 65 * SECOND,
        is_instant: true,
        exemplars: 10,
        ..request()
    };
    let rows = [row(101, &[]), row(165, &[])];
    let plan = plan(leaf(MetricsFunction::Rate, &[]), request);
    assert_eq!(plan.exemplars(), 0);
    let outcome = answer(&plan, &rows);
    let samples = &outcome.series[0].samples;
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].unix_milli, 165_000);
    assert_eq!(samples[0].value, 2.0 / 65.0);
}

#[test]
fn stages_and_arithmetic() {
    let rows = [
        row(101, &[("a", text("x"))]),
        row(102, &[("a", text("x"))]),
        row(103, &[("a", text("y"))]),
        row(111, &[("a", text("y"))]),
    ];
    let count = || MetricsFunction::CountOverTime;
    let top = staged(count(), &[span("a")], &[SecondStage::TopK(1)]);
    assert_eq!(
        table(&answer(&plan(top, request()), &rows)),
        [
            line("span.a=\"x\"", [2.0, NAN, 0.0, 0.0, 0.0, 0.0]),
            line("span.a=\"y\"", [NAN, 1.0, NAN, NAN, NAN, NAN]),
        ]
    );
    let seconds = SecondStage::Filter(Compare::Greater, Static::Duration(1_000_000_000));
    let above = staged(count(), &[span("a")], &[seconds]);
    assert_eq!(
        table(&answer(&plan(above, request()), &rows)),
        [line("span.a=\"x\"", [2.0, NAN, NAN, NAN, NAN, NAN])]
    );
    // Share of each group, in percent: a filter inside, one behind the whole.
    let share = math(
        MathOp::Mul,
        MetricsExpr::Constant(Static::Int(100)),
        math(MathOp::Div, leaf(count(), &[span("a")]), leaf(count(), &[])),
    );
    let expr = MetricsExpr::Stages {
        inner: Box::new(share),
        stages: vec![SecondStage::Filter(Compare::GreaterEqual, Static::Int(50))],
    };
    let share = plan(expr, request());
    assert_eq!(share.leaves().len(), 2);
    assert_eq!(
        table(&answer(&share, &rows)),
        [
            line(
                "span.a=\"x\"",
                [100.0 * (2.0 / 3.0), NAN, NAN, NAN, NAN, NAN]
            ),
            line("span.a=\"y\"", [NAN, 100.0, NAN, NAN, NAN, NAN]),
        ]
    );
    let twice = math(MathOp::Sub, leaf(count(), &[]), leaf(count(), &[]));
    let twice = plan(twice, request());
    assert_eq!(twice.leaves().len(), 1);
    assert_eq!(
        table(&answer(&twice, &rows)),
        [line(
            "__name__=\"(count_over_time - count_over_time)\"",
            [0.0; 6]
        )]
    );
}

#[test]
fn constant_false_filters() {
    let nothing = || {
        MetricsExpr::Query(MetricsQuery {
            pipeline: pipeline(Static::Bool(false)),
            function: MetricsFunction::Rate,
            by: Vec::new(),
            stages: Vec::new(),
        })
    };
    let alone = plan(nothing(), request());
    assert!(alone.is_trivially_false() && alone.leaves()[0].is_trivially_false());
    assert!(alone.finish(&alone.new_partials()).series.is_empty());
    // Accident 31: as an operand it counts nothing.
    let sum = math(MathOp::Add, nothing(), leaf(MetricsFunction::Rate, &[]));
    let sum = plan(sum, request());
    assert!(!sum.is_trivially_false());
    let mut partials = sum.new_partials();
    partials.merge(job_of(&sum, 1, &[row(101, &[])]));
    assert_eq!(
        table(&sum.finish(&partials)),
        [line(
            "__name__=\"(rate + rate)\"",
            [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]
        )]
    );
}

/// Only one leaf looks at the spans.
fn job_of(plan: &MetricsPlan, leaf: usize, rows: &[Row]) -> vivace_query_metrics::Partials {
    use vivace_columns::Chunk as _;
    let mut chunk = support::chunk::TestChunk::new(rows, true);
    let mut partials = plan.new_partials();
    support::block_on(async {
        let columns = plan.leaves()[leaf].columns();
        chunk.load(&columns, None).await.unwrap();
        let selection = chunk.selection();
        let done = plan.observe(
            leaf,
            &mut partials,
            &chunk,
            &selection,
            1.0,
            &support::no_pause,
        );
        done.await.unwrap();
    });
    partials
}

#[test]
fn too_many_series_make_an_answer_partial() {
    let rows: Vec<Row> = (0..40)
        .map(|number| row(101 + number, &[("a", Static::Int(number as i64))]))
        .collect();
    let request = |max_series| MetricsRequest {
        max_series,
        ..request()
    };
    let by = [span("a")];
    let count = |max| plan(leaf(MetricsFunction::CountOverTime, &by), request(max));
    let cut = answer(&count(10), &rows);
    assert_eq!(cut.series.len(), 10);
    let message = cut.partial.unwrap();
    assert!(message.starts_with("Response exceeds maximum series limit of 10, a partial response"));
    assert_eq!(answer(&count(40), &rows).partial, None);
    assert_eq!(answer(&count(0), &rows).series.len(), 40);
    // Parts that each fit are cut when they are put together.
    let plan = count(25);
    let mut partials = job(&plan, &rows[..20], true);
    assert_eq!(partials.series(), (20, false));
    partials.merge(job(&plan, &rows[20..], true));
    assert_eq!(partials.series(), (25, true));
}

#[test]
fn samples_are_multiplied_but_not_extremes_and_means() {
    let rows = [
        row(101, &[("n", Static::Int(4))]),
        row(102, &[("n", Static::Int(2))]),
    ];
    let first = |function: MetricsFunction| {
        let plan = plan(leaf(function, &[]), request());
        let mut partials = job(&plan, &rows, true);
        partials.multiply(3.0);
        plan.finish(&partials).series[0].samples[0].value
    };
    assert_eq!(first(MetricsFunction::CountOverTime), 6.0);
    assert_eq!(first(MetricsFunction::SumOverTime(span("n"))), 18.0);
    assert_eq!(first(MetricsFunction::AvgOverTime(span("n"))), 3.0);
    assert_eq!(first(MetricsFunction::MaxOverTime(span("n"))), 4.0);
    assert_eq!(first(MetricsFunction::HistogramOverTime(span("n"))), 3.0);
    assert_eq!(
        first(MetricsFunction::QuantileOverTime(span("n"), vec![1.0])),
        4.0
    );
}

#[test]
fn exemplars_show_fields_and_trace() {
    let request = MetricsRequest {
        exemplars: 100,
        ..request()
    };
    let mut spans: Vec<Row> = (0..50)
        .map(|number| {
            let mut row = row(101 + number, &[("a", text("x"))]);
            row.status = Status::Error;
            row.resource = vec![pair("a", text("r"))];
            row.duration = 1_000_000_000 + number as i64;
            row
        })
        .collect();
    spans[0].trace = 0;
    let values = |function| {
        let plan = plan(leaf(function, &[unscoped("a")]), request);
        assert!(plan.leaves()[0].needs_trace_ids());
        let outcome = answer(&plan, &spans);
        let all = outcome.series.into_iter();
        all.flat_map(|series| series.exemplars).collect::<Vec<_>>()
    };
    let of_rate = values(MetricsFunction::Rate);
    assert!(of_rate.len() > 20 && of_rate.len() <= 100);
    let first = &of_rate[0];
    assert_eq!(
        first.labels,
        [
            ("span.a".into(), text("x")),
            ("resource.a".into(), text("r")),
            ("trace:id".into(), text("0")),
        ]
    );
    assert_eq!((first.unix_milli, first.value), (101_000, 1.0));
    let of_max = values(MetricsFunction::MaxOverTime(duration()));
    assert!(
        of_max
            .iter()
            .all(|exemplar| exemplar.value >= 1.0 && exemplar.value < 1.1)
    );
    let id = &of_max[1].labels.last().unwrap().1;
    assert!(matches!(id, Static::String(text) if text.len() == 32 && text.starts_with("66")));
    let off = whole(
        leaf(MetricsFunction::Rate, &[]),
        &[("exemplars", Static::Bool(false))],
    );
    let off = MetricsPlan::new(&off, request, false).unwrap();
    assert_eq!(off.exemplars(), 0);
    assert!(!off.leaves()[0].needs_trace_ids());
}

#[test]
fn quantile_exemplars_are_beside_the_nearest() {
    let request = MetricsRequest {
        exemplars: 100,
        ..request()
    };
    let mut rows: Vec<Row> = (1..100)
        .map(|number| row(101, &[("n", Static::Int(4))]).with_trace(number))
        .collect();
    rows.push(row(102, &[("n", Static::Int(1 << 20))]).with_trace(200));
    let function = MetricsFunction::QuantileOverTime(span("n"), vec![0.1, 1.0]);
    let outcome = answer(&plan(leaf(function, &[]), request), &rows);
    for series in &outcome.series {
        let high = series.labels[0].1 == Static::Float(1.0);
        for exemplar in &series.exemplars {
            assert_eq!(high, exemplar.value > 1000.0, "{exemplar:?}");
        }
    }
    assert!(
        outcome
            .series
            .iter()
            .any(|series| !series.exemplars.is_empty())
    );
}

trait WithTrace {
    fn with_trace(self, trace: u8) -> Self;
}

impl WithTrace for Row {
    fn with_trace(mut self, trace: u8) -> Self {
        self.trace = trace;
        self
    }
}

#[test]
fn plans_that_can_not_be() {
    let count = || MetricsFunction::CountOverTime;
    let error = |expr, request| MetricsPlan::new(&whole(expr, &[]), request, false).unwrap_err();
    let with = |change: fn(&mut MetricsRequest)| {
        let mut request = request();
        change(&mut request);
        request
    };
    let empty = with(|request| request.end = request.start);
    assert!(matches!(
        error(leaf(count(), &[]), empty),
        PlanError::EmptyRange { .. }
    ));
    let none = with(|request| request.step = 0);
    assert_eq!(error(leaf(count(), &[]), none), PlanError::NoStep);
    let many = with(|request| request.step = 1);
    let intervals = 60 * SECOND;
    assert_eq!(
        error(leaf(count(), &[]), many),
        PlanError::TooManyIntervals { intervals }
    );
    let by: Vec<Field> = (0..6).map(|number| span(&number.to_string())).collect();
    assert_eq!(
        error(leaf(count(), &by), request()),
        PlanError::TooManyFields { fields: 6 }
    );
    let constant = || MetricsExpr::Constant(Static::Int(1));
    let constants = math(MathOp::Add, constant(), constant());
    assert_eq!(error(constants, request()), PlanError::NotMetrics);
    let text = SecondStage::Filter(Compare::Equal, text("x"));
    let compared = staged(count(), &[], &[text]);
    assert_eq!(error(compared, request()), PlanError::BadComparison);
    let compare = MetricsFunction::Compare {
        filter: Expr::Static(Static::Bool(true)),
        top: 10,
        start: 0,
        end: 0,
    };
    let compare = math(MathOp::Add, leaf(compare, &[]), constant());
    assert_eq!(error(compare, request()), PlanError::CompareCombined);
}

#[test]
fn hints_that_plans_know() {
    let query = whole(
        leaf(MetricsFunction::Rate, &[]),
        &[
            ("job_size", Static::Int(1000)),
            ("sample", Static::Float(0.25)),
            ("exemplars", Static::Int(1000)),
        ],
    );
    let plan = MetricsPlan::new(&query, request(), false).unwrap();
    assert_eq!(plan.sampling(), Sampling::EverySpan(4));
    assert_eq!((plan.exemplars(), plan.job_bytes()), (100, None));
    let plan = MetricsPlan::new(&query, request(), true).unwrap();
    assert_eq!(plan.job_bytes(), Some(1000));
}

#[test]
fn partial_results_may_cross_threads() {
    fn is_send<T: Send + 'static>(_: &T) {}
    let plan = plan(leaf(MetricsFunction::Rate, &[]), request());
    is_send(&plan.new_partials());
    is_send(&plan);
}
