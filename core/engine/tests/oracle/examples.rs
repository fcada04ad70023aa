//! The worked examples of the specification (traceql.md, appendix C, §5.6, and the accidents of appendix A that the engine decides).
//! Each query is run over live data and over blocks of both formats, and given to the evaluator too.

use std::collections::HashSet;

use vivace_block::Format;
use vivace_columns::{BatchChunk, Chunk, Level};
use vivace_engine::{AnswerOptions, EngineError, Plan, QueryError, TraceResult, answer, find};
use vivace_traceql::{Query, Static, parse, validate};

use crate::chunks::{Block, now};
use crate::data::{Attributes, Data, Event, Hidden, Link, Scope, Span, Trace, Value};
use crate::properties::{Asked, Places, check, dedicated, no_pause};

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn texts<const N: usize>(all: [&str; N]) -> Value {
    Value::Array(all.map(text).into())
}

pub fn attributes<const N: usize>(all: [(&str, Value); N]) -> Attributes {
    all.map(|(key, value)| (key.to_owned(), value)).into()
}

/// A span of kind server with nothing in it.
pub fn span(name: &str, id: u64, parent: Option<u64>) -> Span {
    Span {
        id,
        parent,
        name: name.to_owned(),
        kind: 2,
        status: 0,
        message: String::new(),
        start: 1_000_000_000 + id,
        duration: 1_000_000,
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        resource: 0,
        scope: 0,
    }
}

pub fn event<const N: usize>(name: &str, of: [(&str, Value); N]) -> Event {
    Event {
        offset: 2_000_000,
        name: name.to_owned(),
        attributes: attributes(of),
    }
}

pub fn data<const N: usize>(resources: [Attributes; N], spans: Vec<Span>) -> Data {
    Data {
        resources: resources.into(),
        scopes: vec![Scope {
            name: "lib".to_owned(),
            version: "1".to_owned(),
            attributes: Vec::new(),
        }],
        traces: vec![Trace { id: [7; 16], spans }],
    }
}

/// One service, one span with some attributes.
fn one<const N: usize>(of: [(&str, Value); N]) -> Data {
    let mut one = span("one", 1, None);
    one.attributes = attributes(of);
    data([attributes([("service.name", text("s"))])], vec![one])
}

fn parsed(query: &str) -> Query {
    let query = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    validate(&query).unwrap();
    query
}

fn run<C: Chunk>(plan: &Plan, mut chunk: C) -> Result<Vec<TraceResult>, QueryError> {
    let matches = match now(find(plan, &mut chunk, &Default::default(), &no_pause)) {
        Ok(matches) => matches,
        Err(EngineError::Query(error)) => return Err(error),
        Err(other) => panic!("{other}"),
    };
    let options = AnswerOptions {
        spans_per_set: 0,
        limit: 0,
        most_recent: false,
    };
    Ok(now(answer(plan, &mut chunk, matches, options, &no_pause)).unwrap())
}

/// Answers of all places.
fn everywhere(
    data: &Data,
    query: &str,
    of: &HashSet<(Level, String)>,
) -> [Result<Vec<TraceResult>, QueryError>; 3] {
    let query = parsed(query);
    let pipeline = query.search_pipeline().unwrap();
    let plan = Plan::new(pipeline, &[], &dedicated(of)).unwrap();
    let batch = data.batch();
    let block = |format| run(&plan, Block::write(&batch, format).chunk());
    [
        run(&plan, BatchChunk::new(&batch, async || {})),
        block(Format::VParquet5),
        block(Format::VParquet4),
    ]
}

/// By spanset: names of its spans, which start with distinct letters, in order.
fn sets(data: &Data, traces: &[TraceResult]) -> Vec<String> {
    let name = |id: vivace_model::SpanId| {
        let id = u64::from_be_bytes(id.0);
        let spans = &data.traces[0].spans;
        spans
            .iter()
            .find(|span| span.id == id)
            .unwrap()
            .name
            .clone()
    };
    let mut all = Vec::new();
    for set in traces.iter().flat_map(|trace| &trace.span_sets) {
        assert_eq!(set.matched as usize, set.spans.len());
        let mut names: Vec<String> = set.spans.iter().map(|span| name(span.span_id)).collect();
        names.sort();
        all.push(names.join(" "));
    }
    all.sort();
    all
}

/// Spansets of a query, the same everywhere.
fn found(data: &Data, query: &str) -> Vec<String> {
    let none = HashSet::new();
    let [live, v5, v4] = everywhere(data, query, &none);
    let found = sets(data, &live.unwrap());
    assert_eq!(sets(data, &v5.unwrap()), found, "{query}");
    assert_eq!(sets(data, &v4.unwrap()), found, "{query}");
    check(
        &Places::new(data),
        parsed(query).search_pipeline().unwrap(),
        &none,
        &Asked::default(),
    )
    .unwrap();
    found
}

#[track_caller]
fn matches(data: &Data, query: &str, expected: &str) {
    let expected: Vec<&str> = match expected {
        "" => Vec::new(),
        one => vec![one],
    };
    assert_eq!(found(data, query), expected, "{query}");
}

fn appendix_c() -> Data {
    let service = |name: &str| attributes([("service.name", text(name))]);
    let mut spans = vec![
        span("A", 1, None),
        span("B", 2, Some(1)),
        span("C", 3, Some(2)),
        span("D", 4, Some(3)),
    ];
    for (span, (kind, millis, resource)) in
        (spans.iter_mut()).zip([(2, 100, 0), (3, 80, 0), (2, 70, 1), (1, 10, 1)])
    {
        span.kind = kind;
        span.duration = millis * 1_000_000;
        span.resource = resource;
    }
    spans[0].status = 2;
    spans[0].attributes = attributes([("http.status", Value::Int(500))]);
    let tags = ("tags", texts(["x", "y"]));
    spans[2].attributes = attributes([("http.status", Value::Int(200)), tags]);
    spans[3].events = vec![event("retry", [])];
    data([service("fe"), service("be")], spans)
}

#[test]
fn appendix_c_of_the_specification() {
    let data = appendix_c();
    for (query, expected) in [
        ("{ resource.service.name = \"be\" }", "C D"),
        ("{ .http.status >= 500 }", "A"),
        ("{ .http.status != 500 }", "C"),
        ("{ span.http.status = nil }", "B D"),
        ("{ duration > 50ms && kind = server }", "A C"),
        ("{ status = error } >> { kind = server }", "C"),
        ("{ kind = server } < { kind = client }", "B"),
        ("{ kind = client } > { kind = server }", "C"),
        (
            "{ event:name = \"retry\" && event:timeSinceStart < 5ms }",
            "D",
        ),
        (
            "{} | by(resource.service.name) | max(duration) > 90ms",
            "A B",
        ),
        ("{ .tags = \"y\" }", "C"),
        // Accident 4 has the plain meaning here: not every element differs.
        ("{ .tags != \"y\" }", ""),
        ("{} | avg(duration) = 65ms", "A B C D"),
        ("{ nestedSetParent < 0 }", "A"),
        ("{} !< {}", "D"),
        (
            "{ kind = server } | select(name, resource.service.name)",
            "A C",
        ),
    ] {
        matches(&data, query, expected);
    }
    let groups = found(&data, "{} | by(resource.service.name) | count() > 1");
    assert_eq!(groups, ["A B", "C D"]);
}

/// Answers that all places give.
fn same_answer(data: &Data, query: &str, of: &HashSet<(Level, String)>) -> Vec<TraceResult> {
    let [live, v5, v4] = everywhere(data, query, of).map(Result::unwrap);
    assert_eq!(live, v5, "{query}");
    assert_eq!(live, v4, "{query}");
    live
}

#[test]
fn what_answers_of_appendix_c_list() {
    let (data, none) = (appendix_c(), HashSet::new());
    let average = same_answer(&data, "{} | avg(duration) = 65ms", &none);
    let attributes = &average[0].span_sets[0].attributes;
    assert_eq!(&*attributes[0].0, "avg(duration)");
    assert_eq!(attributes[0].1.text(), "65ms");

    let query = "{ kind = server } | select(name, resource.service.name)";
    let selected = same_answer(&data, query, &none);
    let trace = &selected[0];
    assert_eq!((&*trace.root_name, &*trace.root_service), ("A", "fe"));
    assert_eq!(trace.duration_nano, 100_000_000);
    let services: Vec<_> = (trace.services.iter())
        .map(|service| (&*service.service, service.spans, service.errors))
        .collect();
    assert_eq!(services, [("be", 2, 0), ("fe", 2, 1)]);
    let set = &trace.span_sets[0];
    assert_eq!(set.spans[0].name.as_deref(), Some("A"));
    assert_eq!(set.spans[1].name.as_deref(), Some("C"));
    let service: Vec<_> = (set.spans[0].attributes.iter())
        .filter(|(name, _)| &**name == "service.name")
        .collect();
    assert_eq!(service[0].1, Static::String("fe".into()));

    // Grouping says what its groups are.
    let grouped = same_answer(&data, "{} | by(span.http.status)", &none);
    let mut values: Vec<String> = (grouped[0].span_sets.iter())
        .map(|set| {
            assert_eq!(&*set.attributes[0].0, "by(span.http.status)");
            set.attributes[0].1.text()
        })
        .collect();
    values.sort();
    assert_eq!(values, ["200", "500", "nil"]);
}

/// The tree of §5.6: 02 and 03 are children of 01, 04 of 02, 05 of 04; the parent of 06 is not there.
fn worked_tree() -> Data {
    let spans = vec![
        span("01", 1, None),
        span("02", 2, Some(1)),
        span("03", 3, Some(1)),
        span("04", 4, Some(2)),
        span("05", 5, Some(4)),
        span("06", 6, Some(99)),
    ];
    data([attributes([("service.name", text("s"))])], spans)
}

#[test]
fn the_worked_tree() {
    let data = worked_tree();
    for (query, expected) in [
        ("{ name = \"01\" } > {}", "02 03"),
        ("{ name = \"01\" } >> {}", "02 03 04 05"),
        ("{ name = \"01\" } !> {}", "01 04 05"),
        ("{ name = \"06\" } !> {}", "01 02 03 04 05 06"),
        ("{} < {}", "01 02 04"),
        ("{} << {}", "01 02 04"),
        ("{} ~ {}", "02 03"),
        ("{ name = \"01\" } &> {}", "01 02 03"),
        ("{} !> {}", "01"),
        ("{} !< {}", "03 05"),
        ("{} !~ {}", "01 04 05"),
        ("{} &>> {}", "01 02 03 04 05"),
        // Only the right side of plain forms is given.
        (
            "{ name = \"01\" } > { name = \"02\" } > { name = \"04\" }",
            "04",
        ),
        ("{ name = \"zz\" } > {}", ""),
        ("{ name = \"zz\" } !> { name = \"06\" }", "06"),
        ("{ name = \"01\" } >> { name = \"zz\" }", ""),
        ("{ name = \"01\" } && { name = \"zz\" }", ""),
        ("{ name = \"01\" } || { name = \"zz\" }", "01"),
        // A condition of a later stage selects the span without numbers (R6).
        ("{ name = \"01\" } !> {} | { name != \"04\" }", "01 05 06"),
    ] {
        matches(&data, query, expected);
    }
}

#[test]
fn structural_operators_take_one_spanset() {
    let data = appendix_c();
    let query = "({} | by(resource.service.name)) >> ({ kind = server })";
    for answer in everywhere(&data, query, &HashSet::new()) {
        assert_eq!(answer.unwrap_err(), QueryError::SeveralSpansets);
    }
    let joined = "({} | by(resource.service.name) | coalesce()) >> ({ kind = server })";
    matches(&data, joined, "C");
    let either = "({} | by(resource.service.name)) && ({ kind = server })";
    matches(&data, either, "A B C D");
}

/// §5.3, what is stored and what matches.
#[test]
fn types_and_missing_values() {
    let ints = one([("i", Value::Int(5)), ("f", Value::Float(5.0))]);
    for (query, expected) in [
        // R2, accident 27.
        ("{ span.i = 5.0 }", ""),
        ("{ span.i > 4.5 }", ""),
        ("{ span.f = 5 }", ""),
        // All types are visible (R3).
        ("{ span.i + 0 = 5.0 }", "one"),
        ("{ span.i = span.f }", "one"),
        ("{ span.i != nil && span.i = 5.0 }", "one"),
        ("{} | by(span.i) | { span.i = 5.0 }", "one"),
        ("{ duration > 1.5 }", "one"),
        // The same within other expressions.
        ("{ (span.i = 5.0) = true }", ""),
        ("{ (span.i = 5) = true }", "one"),
        // `select` changes nothing.
        ("{ span.i = 5.0 } | select(span.i)", ""),
        ("{} | select(span.i) | { span.i = 5 }", "one"),
        ("{ span.missing != 1 }", ""),
        ("{ span.missing !~ \"x\" }", ""),
        ("{ span.missing = nil }", "one"),
        ("{ span.missing != nil }", ""),
        ("{ span.i = nil }", ""),
        ("{ (span.missing = nil) = true }", "one"),
    ] {
        matches(&ints, query, expected);
    }
}

#[test]
fn negation_finds_no_span_without_the_attribute() {
    let data = one([("a", Value::Int(3)), ("b", Value::Int(5))]);
    for (query, expected) in [
        // Accident 2, the plain meaning.
        ("{ !(span.a = 1) }", "one"),
        ("{ !(span.none = 1) }", ""),
        ("{ !(span.a = 1) || span.b = 2 }", "one"),
        ("{ !(span.a = 1 && span.none = 1) }", "one"),
        ("{ !(span.a = 3 && span.none = 1) }", ""),
        ("{ !(span.none + 1 = 2) }", ""),
        ("{ !(span.none =~ \"x\") }", ""),
        // Accident 3 and 13.
        ("{ span.none || span.b = 5 }", "one"),
        ("{ true || span.none = 1 }", "one"),
        ("{ span.b = 5 || span.none }", "one"),
        // No boolean.
        ("{ span.a }", ""),
        ("{ !span.a }", ""),
        // Accident 1.
        ("{ 2 < span.a }", "one"),
        ("{ 3 < span.a }", ""),
        ("{ 10 >= span.a }", "one"),
        // Accident 26: the base stands on the left.
        ("{ span.a ^ 2 = 9 }", "one"),
        // Accident 19.
        ("{ -span.none = 1 }", ""),
    ] {
        matches(&data, query, expected);
    }
}

#[test]
fn unscoped_attributes() {
    let mut both = span("both", 1, None);
    both.attributes = attributes([("x", Value::Int(1)), ("d", text("1"))]);
    let mut below = span("below", 2, Some(1));
    below.attributes = attributes([("name", text("GET"))]);
    let resource = attributes([("x", Value::Int(2)), ("d", text("2"))]);
    let data = data([resource], vec![both, below]);
    for (query, expected) in [
        // Accident 21: the span's value hides the resource's, in columns of their own too.
        ("{ .x = 2 }", "below"),
        ("{ .x = 1 }", "both"),
        ("{ .d = \"2\" }", "below"),
        // Accident 5: absent in span or in resource.
        ("{ .x = nil }", "below"),
        ("{ .service.name = nil }", "below both"),
        ("{ resource.service.name = \"\" }", "below both"),
        // Accident 12: an attribute, not the intrinsic.
        ("{ name = \"below\" && .name = \"below\" }", ""),
        ("{ name = \"below\" && .name = \"GET\" }", "below"),
    ] {
        matches(&data, query, expected);
    }
}

#[test]
fn arrays() {
    let data = one([
        ("arr", texts(["a", "b"])),
        ("single", texts(["a"])),
        ("none", texts([])),
        ("number", Value::Array(vec![Value::Int(2)])),
        ("mixed", Value::Hidden(Hidden::MixedArray)),
    ]);
    for (query, expected) in [
        ("{ span.arr = \"a\" }", "one"),
        // Accident 4: no element equals.
        ("{ span.arr != \"a\" }", ""),
        ("{ span.arr != \"c\" }", "one"),
        ("{ span.arr != nil && span.arr != \"a\" }", ""),
        // Accident 17.
        ("{ span.arr = \"a\" || span.arr = \"b\" }", "one"),
        ("{ span.arr =~ \"b|c\" }", "one"),
        // Accident 18.
        ("{ span.arr !~ \"b\" || span.single !~ \"b\" }", "one"),
        ("{ span.arr !~ \"b\" }", ""),
        ("{ span.arr > \"a\" }", "one"),
        ("{ span.arr = 1 }", ""),
        // One element is a plain value (R3).
        ("{ span.number + 1 = 3 }", "one"),
        // Of no elements no comparison holds, but the key is there.
        ("{ span.none != \"a\" }", ""),
        ("{ span.none != nil }", "one"),
        ("{ span.none = nil }", ""),
        // Mixed ones are neither there nor missing (R4).
        ("{ span.mixed != nil }", ""),
        ("{ span.mixed = nil }", ""),
        ("{ span.mixed = \"a\" }", ""),
    ] {
        matches(&data, query, expected);
    }
    for (query, error) in [
        ("{ span.arr + 1 = 2 }", QueryError::ArrayArithmetic),
        ("{ span.arr = span.arr }", QueryError::ArrayWithArray),
    ] {
        for answer in everywhere(&data, query, &HashSet::new()) {
            assert_eq!(answer.unwrap_err(), error, "{query}");
        }
    }
    // What conditions let through is listed (R3).
    let listed = same_answer(&data, "{ span.arr =~ \"b\" }", &HashSet::new());
    let attributes = &listed[0].span_sets[0].spans[0].attributes;
    assert_eq!(attributes[..], [("arr".into(), Static::String("b".into()))]);
}

#[test]
fn zero_divisors_fail() {
    let data = one([("a", Value::Int(1)), ("zero", Value::Int(0))]);
    for (query, error) in [
        ("{ span.a / span.zero = 1 }", QueryError::DivisionByZero),
        ("{ span.a % 0 = 1 }", QueryError::ModuloByZero),
        (
            "{} | max(span.a / span.zero) > 1",
            QueryError::DivisionByZero,
        ),
        ("{} | by(span.a % span.zero)", QueryError::ModuloByZero),
    ] {
        for answer in everywhere(&data, query, &HashSet::new()) {
            assert_eq!(answer.unwrap_err(), error, "{query}");
        }
    }
    // Accident 13: sides that don't matter fail nothing. Doubles never fail.
    matches(&data, "{ span.a = 2 && span.a / span.zero = 1 }", "");
    matches(&data, "{ span.a / 0.0 > 1 }", "one");
}

#[test]
fn events_and_links() {
    let mut two = span("two", 1, None);
    two.events = vec![
        event("a", [("k", Value::Int(1))]),
        event("b", [("k", Value::Int(2)), ("only", Value::Int(7))]),
    ];
    two.links = vec![Link {
        trace_id: [0x0a; 16],
        span_id: 0x00cd,
        attributes: attributes([("l", Value::Bool(true))]),
    }];
    let none = span("none", 2, Some(1));
    let data = data([Vec::new()], vec![two, none]);
    for (query, expected) in [
        // R5: one and the same event.
        ("{ event:name = \"a\" && event.k = 1 }", "two"),
        ("{ event:name = \"a\" && event.k = 2 }", ""),
        // Accident 11: filters look at events on their own.
        ("{ event:name = \"a\" } && { event:name = \"b\" }", "two"),
        ("{ event:name != \"a\" }", "two"),
        // Spans without events match no condition on them.
        ("{ event:name != nil }", "two"),
        ("{ event:name = \"\" }", ""),
        ("{ event:timeSinceStart >= 0s }", "two"),
        ("{ !(event:name = \"zz\") }", "two"),
        ("{ !(event.k = 1) }", "two"),
        // One event lacks the key.
        ("{ event.only = nil }", "two"),
        ("{ event.k = nil }", ""),
        ("{ event.zz = nil }", "two"),
        ("{ !(event.k = nil) }", "two"),
        ("{ link.l }", "two"),
        ("{ link:spanID = \"00000000000000cd\" }", "two"),
        ("{ link:traceID != \"\" }", "two"),
        ("{ link.l && event.k = 2 }", "two"),
        // Accident 30: where it is only read, there is something.
        ("{} | by(event:name) | count() = 1", ""),
    ] {
        if query.starts_with("{} |") {
            assert_eq!(found(&data, query), ["none", "two"]);
            continue;
        }
        matches(&data, query, expected);
    }
    let value = |query: &str, name: &str, span: usize| {
        let answers = same_answer(&data, query, &HashSet::new());
        let spans = &answers[0].span_sets[0].spans;
        let mut all = spans[span].attributes.iter();
        all.find(|(key, _)| &**key == name).unwrap().1.clone()
    };
    let text = |text: &str| Static::String(text.into());
    // Accident 29: the last one that met the conditions.
    assert_eq!(
        value("{ event:name =~ \"a|b\" }", "event:name", 0),
        text("b")
    );
    assert_eq!(value("{ event:name = \"a\" }", "event:name", 0), text("a"));
    // Accident 30.
    assert_eq!(value("{} | select(event:name)", "event:name", 1), text(""));
    let since = value(
        "{} | select(event:timeSinceStart)",
        "event:timeSinceStart",
        1,
    );
    assert_eq!(since, Static::Duration(0));
    let link = value("{} | select(link:spanID)", "link:spanID", 1);
    assert_eq!(link, text("0000000000000000"));
    let groups = same_answer(&data, "{} | by(event:name)", &HashSet::new());
    let mut values: Vec<_> = (groups[0].span_sets.iter())
        .map(|set| set.attributes[0].1.text())
        .collect();
    values.sort();
    assert_eq!(values, ["", "a"]);
}

#[test]
fn ids() {
    let mut data = one([]);
    data.traces[0].id = *b"\0\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    data.traces[0].spans[0].id = 0x00cd;
    for (query, expected) in [
        ("{ trace:id = \"b0000000000000000000000000001\" }", "one"),
        ("{ trace:id = \"000b0000000000000000000000000001\" }", "one"),
        ("{ trace:id = \"000B0000000000000000000000000001\" }", ""),
        (
            "{ (trace:id = \"000b0000000000000000000000000001\") = true }",
            "one",
        ),
        // Accident 9.
        ("{ span:id = \"00000000000000cd\" }", "one"),
        ("{ span:id = \"cd\" }", ""),
        // Accident 10.
        ("{ span:id > \"00000000000000ab\" }", "one"),
        ("{ span:id =~ \".*cd\" }", "one"),
        ("{ span:id =~ \"cd\" }", ""),
        ("{ span:parentID = \"0000000000000000\" }", "one"),
    ] {
        matches(&data, query, expected);
    }
}

/// Accident 8, and R7: a column of its own that has nothing reads as a text where it is listed whole or compared with another field.
#[test]
fn dedicated_columns_that_are_missing() {
    let data = one([("a", text("nil"))]);
    let of = HashSet::from([(Level::Span, "d".to_owned())]);
    let listed = |query: &str| -> Vec<(String, String)> {
        let answers = same_answer(&data, query, &of);
        let spans = answers.iter().flat_map(|trace| &trace.span_sets[0].spans);
        let mut all: Vec<_> = spans
            .flat_map(|span| &span.attributes)
            .map(|(name, value)| (name.to_string(), value.text()))
            .collect();
        all.sort();
        all
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(listed("{} | select(span.d)"), [pair("d", "nil")]);
    assert_eq!(listed("{} | select(span.other)"), []);
    assert_eq!(
        listed("{ span.d = span.a }"),
        [pair("a", "nil"), pair("d", "nil")]
    );
    assert_eq!(listed("{ span.d = \"nil\" }"), []);
    assert_eq!(listed("{ span.d != nil }"), []);
}

/// Names are listed where the query lets them through.
#[test]
fn names_of_spans() {
    let data = worked_tree();
    let names = |query: &str| -> Vec<Option<String>> {
        let answers = same_answer(&data, query, &HashSet::new());
        let spans = answers[0].span_sets[0].spans.iter();
        spans
            .map(|span| span.name.as_deref().map(str::to_owned))
            .collect()
    };
    assert_eq!(names("{ name = \"01\" }"), [Some("01".to_owned())]);
    assert_eq!(names("{ nestedSetParent < 0 }"), [None]);
    assert_eq!(
        names("{ nestedSetParent < 0 && name != \"zz\" }"),
        [Some("01".to_owned())]
    );
    assert_eq!(
        names("{ nestedSetParent < 0 && (name = \"zz\" || true) }"),
        [None]
    );
    assert_eq!(
        names("{ nestedSetParent < 0 } | select(name)"),
        [Some("01".to_owned())]
    );
}
