//! Hints, and questions about queries.

use vivace_traceql::{Exemplars, Query, Sample, parse};

fn query(hints: &str) -> Query {
    parse(&format!("{{}} | rate() with({hints})")).unwrap()
}

#[test]
fn typed_hints() {
    let most_recent = |hints| query(hints).typed_hints(false).most_recent();
    assert!(most_recent("most_recent=true"));
    assert!(!most_recent("most_recent=1"));
    assert!(most_recent("most_recent=1, most_recent=true"));
    assert!(most_recent("most_recent=true, most_recent=false"));
    assert!(!most_recent("other=true"));

    let exemplars = |hints| query(hints).typed_hints(false).exemplars();
    assert_eq!(exemplars("exemplars=5"), Some(Exemplars::AtMost(5)));
    assert_eq!(exemplars("exemplars=0"), Some(Exemplars::None));
    assert_eq!(exemplars("exemplars=minInt"), Some(Exemplars::None));
    assert_eq!(exemplars("exemplars=false"), Some(Exemplars::None));
    assert_eq!(exemplars("exemplars=true"), None);
    assert_eq!(exemplars("exemplars=1.5"), None);
    assert_eq!(
        exemplars("exemplars=1.5, exemplars=2"),
        Some(Exemplars::AtMost(2))
    );
    assert_eq!(exemplars("exemplars=true, exemplars=2"), None);

    let sample = |hints| query(hints).typed_hints(false).sample();
    assert_eq!(sample("sample=true"), Some(Sample::Adaptive));
    assert_eq!(sample("sample=0.25"), Some(Sample::Ratio(0.25)));
    for ignored in [
        "sample=false",
        "sample=0",
        "sample=1",
        "sample=2",
        "sample=1.5",
        "sample=0.0",
        "sample=\"x\"",
        "x=1",
    ] {
        assert_eq!(sample(ignored), None, "{ignored}");
    }
    assert_eq!(
        query("span_sample=0.5").typed_hints(false).span_sample(),
        Some(0.5)
    );
    assert_eq!(
        query("span_sample=2").typed_hints(false).span_sample(),
        None
    );
    assert_eq!(
        query("trace_sample=0.5").typed_hints(false).trace_sample(),
        Some(0.5)
    );
    assert_eq!(
        query("trace_sample=0").typed_hints(false).trace_sample(),
        None
    );
    assert!(query("extrapolate=true").typed_hints(false).extrapolate());

    let all = query(
        "job_size=5, concurrent_blocks=2, time_overlap_cutoff=0.5, spanonly_fetch=true, debug=true, info=true, skip_ast_transformations=\"or_to_in, all\"",
    );
    let hints = all.typed_hints(true);
    assert_eq!(hints.job_size(), Some(5));
    assert_eq!(hints.concurrent_blocks(), Some(2));
    assert_eq!(hints.time_overlap_cutoff(), Some(0.5));
    assert_eq!(hints.spanonly_fetch(), Some(true));
    assert!(hints.debug() && hints.info());
    assert_eq!(
        hints.skip_ast_transformations().collect::<Vec<_>>(),
        ["or_to_in", "all"]
    );
    let hints = all.typed_hints(false);
    assert_eq!(hints.job_size(), None);
    assert_eq!(hints.spanonly_fetch(), None);
    assert!(!hints.debug() && !hints.info());
    assert_eq!(hints.skip_ast_transformations().count(), 0);
    assert_eq!(
        query("time_overlap_cutoff=2")
            .typed_hints(true)
            .time_overlap_cutoff(),
        None
    );
    assert_eq!(query("job_size=1.5").typed_hints(true).job_size(), None);
}

#[test]
fn what_a_search_runs() {
    for (text, metrics, pipeline) in [
        ("{ .a }", false, Some("{ .a }")),
        ("{ .a } | rate() > 5", true, Some("{ .a }")),
        ("({ .a } | by(.b) | rate())", true, Some("{ .a }|by(.b)")),
        ("({} | rate()) + 1", true, None),
        ("({} | rate()) + 1 > 2", true, None),
        ("({} | count()) > 1", false, None),
    ] {
        let query = parse(text).unwrap();
        assert_eq!(query.is_metrics(), metrics, "{text}");
        assert_eq!(
            query.search_pipeline().map(ToString::to_string).as_deref(),
            pipeline,
            "{text}"
        );
    }
}

#[test]
fn queries_that_select_nothing() {
    for (text, nothing) in [
        ("{ false }", true),
        ("{ 1 = 2 }", true),
        ("{ .a && false }", true),
        ("{ false && .a }", true),
        ("{ .a || false }", false),
        ("{ false || 1 > 2 }", true),
        ("{ .a } | { false }", true),
        ("{ false } && { .a }", true),
        ("{ false } || { .a }", false),
        ("{ .a } >> { false }", true),
        ("{ false } >> { .a }", true),
        ("{ false } !>> { .a }", false),
        ("{ .a } !>> { false }", true),
        ("{ false } &>> { .a }", true),
        ("({ .a } | { false }) && ({ .b })", true),
        ("count() = 0", false),
        ("{ !true }", true),
        ("{ !(.a && false) }", false),
    ] {
        let query = parse(text).unwrap();
        assert_eq!(
            query.search_pipeline().unwrap().is_trivially_false(),
            nothing,
            "{text}"
        );
    }
}
