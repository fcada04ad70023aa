use vivace_config::blocks::query_frontend::QueryFrontend;
use vivace_config::types::{hours, mins, secs};
use vivace_traceql::{Field, Intrinsic};

use super::*;
use crate::config::QueryConfig;
use crate::jobs::TagScope;

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_800_000_000;

fn pairs(text: &str) -> Vec<(String, String)> {
    crate::query::pairs(&text.replace('{', "%7B").replace('}', "%7D"))
}

fn bounds() -> Bounds {
    Bounds {
        now: NOW * SECOND,
        default_range: mins(15).as_nanos() as u64,
        cutoff: secs(30).as_nanos() as u64,
        max_range: hours(168).as_nanos() as u64,
    }
}

fn config() -> QueryConfig {
    QueryConfig::new(&QueryFrontend::default())
}

fn search(text: &str) -> Result<SearchPlan, BadParameter> {
    plan_search(
        RawSearch::from_pairs(&pairs(text))?,
        &config().search,
        bounds(),
    )
}

fn refused_search(text: &str) -> String {
    search(text).map(|plan| plan.spec).unwrap_err().to_string()
}

#[test]
fn refused_searches_have_the_texts_of_the_specification() {
    let range = format!("start={}&end={}", NOW - 1_000_000, NOW - 1000);
    let too_long = format!(
        "range specified by start and end exceeds 168h0m0s. received start={} end={}",
        NOW - 1_000_000,
        NOW - 1000
    );
    for (text, want) in [
        (
            "q={foo}",
            "invalid TraceQL query: parse error at line 1, col 2: unknown identifier: foo",
        ),
        (
            "q={}&tags=a=b",
            "invalid request: can't specify tags and q in the same query",
        ),
        (
            "limit=foo",
            "invalid limit: strconv.ParseUint: parsing \"foo\": invalid syntax",
        ),
        (
            "limit=-1",
            "invalid limit: strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        (
            "limit=99999999999",
            "invalid limit: strconv.ParseUint: parsing \"99999999999\": value out of range",
        ),
        ("limit=0", "invalid limit: must be a positive number"),
        ("limit=300000", "limit 300000 exceeds max limit 262144"),
        ("spss=101", "spans per span set exceeds 100. received 101"),
        (
            "spss=x",
            "invalid spss: strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "minDuration=5",
            "invalid minDuration: time: missing unit in duration \"5\"",
        ),
        (
            "maxDuration=x",
            "invalid maxDuration: time: invalid duration \"x\"",
        ),
        (
            "minDuration=5s&maxDuration=5s",
            "invalid maxDuration: must be greater than minDuration",
        ),
        (
            "tags=a=\"",
            "invalid tags: unterminated quoted value at pos 5",
        ),
        ("tags=a=1 a=2", "invalid tags: tag a has been set twice"),
        (
            "start=10",
            "http parameter start must be before end. received start=10 end=0",
        ),
        (
            "start=10&end=5",
            "http parameter start must be before end. received start=10 end=5",
        ),
        (
            "start=abc",
            "invalid start: strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "end=2027-01-01T00:00:00Z",
            "invalid end: strconv.ParseUint: parsing \"2027-01-01T00:00:00Z\": invalid syntax",
        ),
        (
            "end=10",
            "error parsing date range: only one of start and end provided: must provide both or neither",
        ),
        (
            "since=foo",
            "error parsing date range: could not parse 'since' parameter: not a valid duration string: \"foo\"",
        ),
        (&range, &too_long),
    ] {
        let found = refused_search(text);
        if text == "q={foo}" {
            // The column is the parser's business.
            let (front, back) = (
                "invalid TraceQL query: parse error at line 1, col ",
                "unknown identifier: foo",
            );
            assert!(found.starts_with(front) && found.contains(back), "{found}");
            continue;
        }
        assert_eq!(found, want, "{text}");
    }
    let long = format!("q={{.a=\"{}\"}}", "x".repeat(131_072));
    assert_eq!(
        refused_search(&long),
        "TraceQL expression exceeds the configured maximum size of 131072 bytes, reduce the query expression size or contact your system administrator"
    );
    assert!(refused_search("q={name=~`[`}").starts_with("invalid TraceQL query: invalid regex: "));
}

#[test]
fn searches_are_completed() {
    let plan = search("q={}").unwrap();
    let spec = &plan.spec;
    assert_eq!(
        (spec.limit, spec.spans_per_set, spec.most_recent),
        (20, 3, false)
    );
    assert_eq!((spec.start, spec.end), (NOW - 900, NOW - 30));
    assert!(!plan.legacy && !plan.math && !plan.empty);
    let spec = search("q={} | rate() with(most_recent=true)&limit=5&spss=0&since=1d")
        .unwrap()
        .spec;
    assert_eq!(
        (spec.limit, spec.spans_per_set, spec.most_recent),
        (5, 3, true)
    );
    assert_eq!((spec.start, spec.end), (NOW - 86400, NOW - 30));
    let spec = search(&format!("q={{}}&start={}&end={}", NOW - 100, NOW + 100))
        .unwrap()
        .spec;
    assert_eq!((spec.start, spec.end), (NOW - 100, NOW - 30));
    // Nothing is left of the range: the usual one.
    let spec = search(&format!("q={{}}&start={}&end={}", NOW - 10, NOW))
        .unwrap()
        .spec;
    assert_eq!((spec.start, spec.end), (NOW - 900, NOW - 30));
    assert!(search("q={false}").unwrap().empty);
    assert!(search("q=({} | rate()) / ({} | rate())").unwrap().math);
    assert!(search("").unwrap().legacy);
}

#[test]
fn zero_is_no_limit() {
    let mut config = config().search;
    (config.max_limit, config.max_spans_per_set) = (0, 0);
    let open = Bounds {
        now: NOW * SECOND,
        ..Bounds::default()
    };
    let plan = |text: &str| {
        let raw = RawSearch::from_pairs(&pairs(text)).unwrap();
        plan_search(raw, &config, open).map(|plan| plan.spec)
    };
    let spec = plan(&format!("q={{}}&limit=4000000&spss=2000&start=1&end={NOW}")).unwrap();
    assert_eq!((spec.limit, spec.spans_per_set), (4_000_000, 2000));
    assert_eq!((spec.start, spec.end), (1, NOW));
    assert_eq!(plan("q={}&spss=0&since=1h").unwrap().spans_per_set, 0);
    // Without a default range there is nothing to look at.
    let error = plan("q={}").unwrap_err().to_string();
    assert_eq!(
        error,
        format!("http parameter start must be before end. received start={NOW} end={NOW}")
    );
}

#[test]
fn legacy_tags_become_queries() {
    let text = |query: &str| search(query).unwrap().spec.query.to_string();
    for (tags, parts) in [
        (
            "tags=a=b&minDuration=5ms&maxDuration=1s",
            vec!["5ms", "1s", "span.a", "resource.a", "`b`"],
        ),
        ("tags=http.status_code=500", vec!["500", "`500`"]),
        ("tags=name=\"GET x\"", vec!["name =~", "GET x"]),
        ("tags=error=true", vec!["status = error", "span.error"]),
        ("tags=status.code=ok", vec!["status = ok"]),
        ("tags=root.service.name=fe", vec![".*fe.*"]),
        ("tags=a", vec!["span.a", "nil"]),
    ] {
        let found = text(tags);
        for part in parts {
            assert!(found.contains(part), "{tags}: {found} has no {part}");
        }
        assert_eq!(vivace_traceql::parse(&found).unwrap().to_string(), found);
    }
}

#[test]
fn logfmt_is_read() {
    let read = |text: &str| logfmt::parse(text).map_err(|error| error.to_string());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(
        read("  a=b c.d=\"x \\\"y\\\" =\" e f=g"),
        Ok(vec![
            pair("a", "b"),
            pair("c.d", "x \"y\" ="),
            pair("e", ""),
            pair("f", "g")
        ])
    );
    for bad in ["=x", "a=b\"c", "a\"b", "a=\"x\\"] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let many: String = (0..100).map(|number| format!("k{number}=v ")).collect();
    assert_eq!(read(&many), Err("invalid tags: more than 64 tags".into()));
}

fn metrics(text: &str, instant: bool) -> Result<MetricsCall, BadMetrics> {
    let bounds = Bounds {
        max_range: hours(24).as_nanos() as u64,
        ..bounds()
    };
    let raw = RawMetrics::from_pairs(&pairs(text), instant)?;
    plan_metrics(&raw, &config().metrics, bounds)
}

#[test]
fn refused_metrics_queries_have_the_texts_of_the_specification() {
    let range = |start: u64, end: u64| format!("q={{}}|rate()&start={start}&end={end}");
    let wrapper = "rpc error: code = Code(400) desc = ";
    for (text, want) in [
        (
            String::new(),
            "parse error : syntax error: unexpected $end".to_owned(),
        ),
        ("q={}".into(), "not a metrics query".into()),
        (
            "q={}|rate()&step=foo".into(),
            format!("{wrapper}cannot parse \"foo\" to a valid duration"),
        ),
        (
            "q={}|rate()&step=-1".into(),
            format!("{wrapper}cannot parse \"-1\" to a valid duration"),
        ),
        (
            "q={}|rate()&start=x".into(),
            format!(
                "{wrapper}could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"
            ),
        ),
        (
            "q={}|rate()&since=x".into(),
            format!(
                "{wrapper}could not parse 'since' parameter: not a valid duration string: \"x\""
            ),
        ),
        (
            "q={}|rate()&step=0".into(),
            "step of 0s is too small, minimum step for given range is 360ms".into(),
        ),
        (
            "q={}|rate()&step=1ms".into(),
            "step of 1ms is too small, minimum step for given range is 360ms".into(),
        ),
        (
            range(NOW - 200_000, NOW - 100),
            "metrics query time range exceeds the maximum allowed duration of 24h0m0s".into(),
        ),
        (
            range(NOW - 100, NOW - 100),
            "end must be greater than start".into(),
        ),
        (
            range(NOW - 20, NOW),
            "query window falls entirely within query_end_cutoff".into(),
        ),
        (
            "q={}|rate()&exemplars=x".into(),
            "invalid exemplars: strconv.ParseUint: parsing \"x\": invalid syntax".into(),
        ),
    ] {
        let error = metrics(&text, false).map(|call| call.request).unwrap_err();
        assert_eq!(error.to_string(), want, "{text}");
    }
    assert!(matches!(
        metrics("q={}|rate(", false),
        Err(BadMetrics::Text(_))
    ));
    let compare = metrics("q={}|compare({status=error},2000)", false)
        .unwrap_err()
        .to_string();
    assert!(compare.starts_with("compiling query: "), "{compare}");
}

#[test]
fn metrics_queries_are_aligned() {
    let request = metrics("query={}|rate()&since=1h", false).unwrap().request;
    let newest = NOW - 30;
    assert_eq!(request.step, 15 * SECOND);
    assert_eq!(request.end, newest * SECOND);
    assert_eq!(request.start % request.step, 0);
    assert_eq!((request.exemplars, request.max_series), (100, 0));
    let text = format!(
        "q={{}}|rate()&start={}&end={}&step=30s&exemplars=7&maxSeries=5",
        NOW - 995,
        NOW - 935
    );
    let request = metrics(&text, false).unwrap().request;
    // The example of traceql.md §7.2.
    assert_eq!(request.start, (NOW - 1050 + 20) / 30 * 30 * SECOND);
    assert_eq!((request.end - request.start) / request.step, 4);
    assert_eq!((request.exemplars, request.max_series), (7, 5));
    for (hint, want) in [
        ("exemplars=false", 0),
        ("exemplars=3", 3),
        ("exemplars=900", 100),
        ("exemplars=true", 100),
    ] {
        let request = metrics(&format!("q={{}}|rate() with({hint})"), false)
            .unwrap()
            .request;
        assert_eq!(request.exemplars, want, "{hint}");
    }
    let text = format!("q={{}}|rate()&start={}&end={}&step=1ms", NOW - 995, NOW);
    let request = metrics(&text, true).unwrap().request;
    assert_eq!(
        (request.start, request.end),
        ((NOW - 995) * SECOND, newest * SECOND)
    );
    assert_eq!((request.step, request.is_instant), (965 * SECOND, true));
    assert_eq!(request.exemplars, 0);
    assert!(metrics("q={false}|rate()", false).unwrap().empty);
    assert!(!metrics("q={}|rate()", false).unwrap().empty);
}

#[test]
fn times_have_many_forms() {
    let read = |text: &str| {
        let raw = RawTags::from_pairs(&pairs(&format!("start={text}&end={}", NOW - 60)), "")?;
        plan_names(&raw, false, 100, bounds()).map(|plan| plan.window.start)
    };
    let start = NOW - 1000;
    for text in [
        start.to_string(),
        format!("{start}000000000"),
        format!("{start}.25"),
        "2027-01-15T07:43:20Z".to_owned(),
        "2027-01-15T09:43:20.5%2B02:00".to_owned(),
    ] {
        assert_eq!(read(&text), Ok(start), "{text}");
    }
    assert_eq!(
        read("x").unwrap_err().to_string(),
        "error parsing date range: could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"
    );
}

#[test]
fn refused_tag_requests_have_the_texts_of_the_specification() {
    let names = |text: &str| {
        let raw = RawTags::from_pairs(&pairs(text), "")?;
        plan_names(&raw, false, 2, bounds())
    };
    let many = "q={span.a=1||span.a=2||span.a=3}";
    for (text, want) in [
        ("scope=foo", "invalid scope: foo"),
        (
            "start=5",
            "error parsing date range: only one of start and end provided: must provide both or neither",
        ),
        (
            "limit=x",
            "invalid limit: strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "maxStaleValues=x",
            "invalid maxStaleValues: strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "since=200h",
            "range specified by start and end exceeds 168h0m0s.",
        ),
        (many, "maximum condition groups reached (limit: 2)"),
    ] {
        let error = names(text).map(|plan| plan.window).unwrap_err().to_string();
        assert!(error.starts_with(want), "{text}: {error}");
    }
    assert_eq!(names("q={ broken").unwrap().filter, None);
    assert!(names("q={span.a=1}").unwrap().filter.is_some());
    let values = |name: &str, query: &str| {
        let raw = RawTags::from_pairs(&pairs(query), name).unwrap();
        plan_values(&raw, false, 2, bounds())
    };
    let error = values("foo", "")
        .map(|plan| plan.window)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(
            "please provide a valid tagName: failed to parse identifier foo: parse error"
        ),
        "{error}"
    );
    // An unscoped tag is looked for in two scopes, so its groups count twice.
    assert!(values("span.x", "q={span.a=1||span.a=2}").is_ok());
    let error = values(".x", "q={span.a=1||span.a=2}")
        .map(|plan| plan.window)
        .unwrap_err();
    assert!(error.to_string().contains("(limit: 2)"), "{error}");
}

#[test]
fn scopes_of_names() {
    let names = |scope: &str, v1: bool| {
        let raw = RawTags {
            scope: scope.into(),
            ..RawTags::default()
        };
        match plan_names(&raw, v1, 100, bounds()).unwrap().what {
            What::Names(names) => (names.scope, names.of_data, names.intrinsics),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names("", false), (None, true, true));
    assert_eq!(names("none", true), (None, true, false));
    assert_eq!(names("intrinsic", true), (None, false, true));
    assert_eq!(names("trace", false), (None, false, false));
    assert_eq!(names("event", false), (Some(TagScope::Event), true, false));
}

#[test]
fn values_that_need_no_look_at_data() {
    let what = |name: &str, query: &str, v1: bool| {
        let raw = RawTags::from_pairs(&pairs(query), name).unwrap();
        plan_values(&raw, v1, 100, bounds()).unwrap().what
    };
    let fixed = |what: What| match what {
        What::Fixed(values) => values
            .into_iter()
            .map(|(kind, text)| format!("{kind} {text}"))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        fixed(what("status", "", false)),
        ["keyword error", "keyword ok", "keyword unset"]
    );
    assert_eq!(fixed(what("span:kind", "", false)).len(), 6);
    assert_eq!(fixed(what("duration", "", false)), [""; 0]);
    assert_eq!(fixed(what("trace:id", "q={span.a=1}", false)), [""; 0]);
    assert_eq!(fixed(what("error", "", true)), ["keyword true"]);
    let intrinsic = |intrinsic| What::Values(Field::Intrinsic(intrinsic));
    assert_eq!(
        what("status", "q={span.a=1}", false),
        intrinsic(Intrinsic::Status)
    );
    assert_eq!(
        what("root.name", "", true),
        intrinsic(Intrinsic::TraceRootName)
    );
    // In v1 everything else is a key.
    let key = Field::attribute(vivace_traceql::Scope::Unscoped, "span.foo");
    assert_eq!(what("span.foo", "", true), What::Values(key));
}

#[test]
fn filters_of_traces() {
    let filter =
        |text: &str| parse_trace_by_id("1", &pairs(text), true, 1000).map(|params| params.filter);
    assert_eq!(filter("q=%20"), Ok(None));
    let found = filter("q={name=\"x\"}&match_depth=-1").unwrap().unwrap();
    assert_eq!((found.match_depth, found.ancestor_depth), (None, Some(0)));
    let found = filter("q={name=\"x\"}&keep_hierarchy=true")
        .unwrap()
        .unwrap();
    assert_eq!((found.match_depth, found.ancestor_depth), (Some(0), None));
    let found = filter("q={name=\"x\"}&keep_hierarchy=1&ancestor_depth=2")
        .unwrap()
        .unwrap();
    assert_eq!(found.ancestor_depth, Some(2));
    let structural = "invalid TraceQL filter: only a single TraceQL filter is supported: got a structural or aggregate query";
    for (text, want) in [
        ("q={} >> {}", structural),
        ("q={} | count() > 1", structural),
        ("q={} | rate()", structural),
        ("q={", "invalid TraceQL filter: parse error"),
        (
            "q={!(1 < 2 %26%26 trace:duration > 5s)}",
            "invalid TraceQL filter: trace:duration is",
        ),
    ] {
        let error = filter(text).unwrap_err().to_string();
        assert!(error.starts_with(want), "{text}: {error}");
    }
    // v1 knows no filters.
    let params = parse_trace_by_id("1", &pairs("q={"), false, 1000);
    assert_eq!(params.map(|params| params.filter), Ok(None));
}
