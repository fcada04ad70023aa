//! Queries over traces whose spans lie in several blocks say what they say of the same traces in one.

mod common;
#[path = "common/load.rs"]
mod load;

use std::collections::BTreeMap;

use common::{Options, Result, Server, list, with_params};
use load::unix_nanos;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value as Json;
use vivace_bench::data::Random;

/// Sections are cut as soon as nothing more comes.
const CONFIG: &str = "ingest_log: {embedded: {partitions: 1}}\n\
    query_frontend: {query_end_cutoff: 0s}\n\
    live_store: {flush_check_period: 100ms, max_trace_idle: 300ms, max_trace_live: 1s, max_block_duration: 300ms}\n";
const SECOND: u64 = 1_000_000_000;
const TRACES: u64 = 400;
/// Blocks that each trace is cut into.
const CUTS: u64 = 3;

const SEARCHES: [&str; 16] = [
    "{ resource.service.name = `a` } > { kind = server }",
    "{ span.text = `x1` } >> { status = error }",
    "{ status = error } << { resource.zone = `z1` }",
    "{ span.number > 3 } ~ { span.number < 3 }",
    "{ span.flag = true } &> { span.text != nil }",
    "{ kind = client } !> { kind = server }",
    "{ span.http.url = `u1` } >> { } | select(span.http.url, span.list, span.text)",
    "{ event:name = `e1` } >> { event.kind = `k0` } | select(event:name, event.kind, event:timeSinceStart)",
    "{ link:traceID != `` } && { link.way = `w1` } | select(link:spanID, link.way)",
    "{ statusMessage =~ `m.*` } >> { } | select(statusMessage)",
    "{ instrumentation:version = `v1` } > { instrumentation.tool = `t1` } | select(instrumentation:name, instrumentation:version)",
    "{ } | count() > 12",
    "{ status = error } | avg(duration) > 2ms",
    "{ } | by(resource.service.name) | max(span.number) > 6",
    "{ .zone = `z0` } | sum(span.share) > 1.5",
    "{ span.hidden = nil && rootServiceName = `b` } && { trace:duration > 5ms }",
];
const METRICS: [&str; 5] = [
    "{ kind = server } >> { status = error } | rate() by (resource.service.name, span.text)",
    "{ } | count() > 10 | quantile_over_time(duration, .5, .9) by (kind)",
    "{ nestedSetParent < 0 } && { status = error } | sum_over_time(span.number)",
    "{ event.kind = `k1` } >> { } | count_over_time() by (event:name)",
    "{ } >> { } | compare({ status = error }, 5)",
];

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn span(random: &mut Random, trace: &[u8], number: u64, start: u64) -> Span {
    let mut attributes = Vec::new();
    let mut maybe = |random: &mut Random, value: KeyValue| {
        if !random.next_u64().is_multiple_of(3) {
            attributes.push(value);
        }
    };
    let pick = random.next_u64() % 4;
    let number_value = (random.next_u64() % 9).cast_signed();
    maybe(random, text("text", format!("x{pick}")));
    maybe(random, text("http.url", format!("u{pick}")));
    maybe(random, attribute("number", Value::IntValue(number_value)));
    maybe(
        random,
        attribute("share", Value::DoubleValue(0.25 * pick as f64)),
    );
    maybe(random, attribute("flag", Value::BoolValue(pick > 1)));
    maybe(random, attribute("hidden", Value::BytesValue(vec![1, 2])));
    let element = |number| AnyValue {
        value: Some(Value::StringValue(format!("l{number}"))),
    };
    let values = (0..pick).map(element).collect();
    maybe(
        random,
        attribute("list", Value::ArrayValue(ArrayValue { values })),
    );
    let events = (0..random.next_u64() % 3).map(|event| Event {
        time_unix_nano: start + 100 * event,
        name: format!("e{event}"),
        attributes: vec![text("kind", format!("k{}", pick % 2))],
        ..Event::default()
    });
    let links = (0..random.next_u64() % 2).map(|link| Link {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        attributes: vec![text("way", format!("w{}", pick + link))],
        ..Link::default()
    });
    let parent = random.next_u64() % number.max(1) + 1;
    Span {
        trace_id: trace.to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: match number {
            0 => Vec::new(),
            _ => parent.to_be_bytes().to_vec(),
        },
        name: format!("n{}", random.next_u64() % 3),
        kind: (random.next_u64() % 6) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + random.next_u64() % 9_000_000,
        attributes,
        events: events.collect(),
        links: links.collect(),
        status: Some(Status {
            code: (random.next_u64() % 3) as i32,
            message: ["", "m1", "other"][(pick % 3) as usize].to_owned(),
        }),
        ..Span::default()
    }
}

/// All spans, each with the resource and the scope it is of.
fn all_spans() -> Vec<ResourceSpans> {
    let mut random = Random::new(20_261_127);
    let now = unix_nanos() - 20 * SECOND;
    let mut all = Vec::new();
    for _ in 0..TRACES {
        let mut trace = random.next_u64().to_be_bytes().to_vec();
        trace.extend(random.next_u64().to_be_bytes());
        let begins = now + random.next_u64() % SECOND;
        for number in 0..2 + random.next_u64() % 18 {
            let (service, tool) = (random.next_u64() % 3, random.next_u64() % 2);
            let start = begins + random.next_u64() % 9_000_000;
            let resource = Resource {
                attributes: vec![
                    text("service.name", ["a", "b", "c"][service as usize]),
                    text("zone", format!("z{}", service % 2)),
                ],
                ..Resource::default()
            };
            let scope = InstrumentationScope {
                name: format!("s{tool}"),
                version: format!("v{tool}"),
                attributes: vec![text("tool", format!("t{tool}"))],
                ..InstrumentationScope::default()
            };
            all.push(ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans: vec![span(&mut random, &trace, number, start)],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            });
        }
    }
    all
}

fn start() -> Result<Server> {
    Server::start_with(Options {
        extra_yaml: CONFIG.to_owned(),
        ..Options::default()
    })
}

/// As a block of its own.
fn store(server: &Server, resource_spans: Vec<ResourceSpans>) -> Result {
    let request = ExportTraceServiceRequest { resource_spans };
    let answer = server.post_otlp(&request.encode_to_vec())?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.wait_for_blocks()
}

fn ask(server: &Server, path: &str, query: &str, range: (u64, u64)) -> Result<Json> {
    let (from, to) = (range.0.to_string(), range.1.to_string());
    let params = [
        ("q", query),
        ("limit", "1000"),
        ("spss", "100"),
        ("step", "10s"),
        ("exemplars", "0"),
        ("start", &from),
        ("end", &to),
    ];
    let answer = server.get(&with_params(path, &params))?;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

/// Texts of traces and of their spans, in an order that says nothing.
fn searched(answer: &Json) -> BTreeMap<String, String> {
    let sorted = |trace: &Json| {
        let mut trace = trace.clone();
        let mut sets: Vec<String> = list(&trace["spanSets"])
            .iter()
            .map(|set| {
                let mut set = set.clone();
                let spans = list(&set["spans"]).iter();
                let mut spans: Vec<String> = spans.map(ToString::to_string).collect();
                spans.sort();
                set["spans"] = spans.into();
                set.to_string()
            })
            .collect();
        sets.sort();
        trace["spanSets"] = sets.into();
        trace["spanSet"] = Json::Null;
        trace
    };
    let traces = list(&answer["traces"]).iter();
    traces
        .map(|trace| (trace["traceID"].to_string(), sorted(trace).to_string()))
        .collect()
}

/// Samples by labels, both in an order that says nothing.
fn counted(answer: &Json) -> BTreeMap<String, String> {
    let series = list(&answer["series"]).iter().map(|series| {
        let mut labels: Vec<String> = list(&series["labels"])
            .iter()
            .map(ToString::to_string)
            .collect();
        labels.sort();
        (labels.join(" "), series["samples"].to_string())
    });
    series.collect()
}

#[test]
fn cut_traces_are_queried_like_whole_ones() -> Result {
    let all = all_spans();
    let range = (unix_nanos() / SECOND - 60, unix_nanos() / SECOND + 1);
    let (whole, cut) = (start()?, start()?);
    store(&whole, all.clone())?;
    for part in 0..CUTS {
        let of_part = all.iter().enumerate();
        let of_part = of_part.filter(|(number, _)| *number as u64 % CUTS == part);
        store(&cut, of_part.map(|(_, span)| span.clone()).collect())?;
    }
    let totals = |server: &Server| -> Result<Json> {
        let answer = ask(server, "/api/search", "{ }", range)?;
        Ok(answer["metrics"]["totalBlocks"].clone())
    };
    assert_eq!(totals(&whole)?, 1);
    assert_eq!(totals(&cut)?, CUTS);
    for query in SEARCHES {
        let expected = searched(&ask(&whole, "/api/search", query, range)?);
        let found = searched(&ask(&cut, "/api/search", query, range)?);
        assert!(!expected.is_empty(), "{query} finds nothing");
        assert_eq!(found, expected, "{query}");
    }
    for query in METRICS {
        let expected = counted(&ask(&whole, "/api/metrics/query_range", query, range)?);
        let found = counted(&ask(&cut, "/api/metrics/query_range", query, range)?);
        assert!(!expected.is_empty(), "{query} counts nothing");
        assert_eq!(found, expected, "{query}");
    }
    Ok(())
}
