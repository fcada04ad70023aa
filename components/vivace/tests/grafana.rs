//! Every call that Grafana makes (http-api.md §16): the Tempo data source and Traces Drilldown over HTTP, and streams over gRPC on both
//! ports by a real client.

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/streams.rs"]
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::{Answer, Options, Result, Server, list, shared, with_params};
use prost::Message;
use serde_json::Value;
use streams::{LARGEST_MESSAGE, Sized, stream};
use vivace_protocol::tempopb::{
    KeyValue, QueryInstantRequest, QueryInstantResponse, QueryRangeRequest, QueryRangeResponse,
    SearchRequest, SearchResponse, SearchTagValuesRequest, SearchTagValuesResponse,
    SearchTagValuesV2Response, SearchTagsRequest, SearchTagsResponse, SearchTagsV2Response,
    TraceByIdResponse, TraceSearchMetadata,
};

const SECOND: u64 = 1_000_000_000;
const SPANS: u64 = 11_990;

/// Streaming as Grafana needs it; the data are days old, so live data have to be asked for all times.
const SETTINGS: &str = "stream_over_http_enabled: true\nquery_frontend:\n  query_end_cutoff: 0s\n  search:\n    query_backend_after: 0s\n  metrics:\n    query_backend_after: 0s\n";

/// Size of streamed messages: `max_grpc_streaming_packet_size`.
const PACKET: usize = 1 << 20;

/// A server with the conformance data.
struct Shop {
    server: Server,
    /// Unix seconds around the data.
    start: u64,
    end: u64,
}

impl Shop {
    fn open() -> Result<Self> {
        let folder = shared().join("conformance/otlp");
        let dataset: Value = serde_json::from_slice(&fs::read(folder.join("dataset.json"))?)?;
        let base = dataset["base_ns"].as_u64().ok_or("no base_ns")? / SECOND;
        let server = Server::start_with(Options {
            extra_yaml: SETTINGS.to_owned(),
            ..Options::default()
        })?;
        for number in 0..28 {
            let body = fs::read(folder.join(format!("{number:04}.pb")))?;
            let answer = server.post_otlp(&body)?;
            assert_eq!(
                (answer.status, &answer.body[..]),
                (200, &b"\x0a\x00"[..]),
                "{number}: {}",
                answer.text()
            );
        }
        Ok(Self {
            server,
            start: base - 60,
            end: base + 360,
        })
    }

    /// Asks with `start` and `end` and takes nothing but a 200.
    fn ask(&self, path: &str, params: &[(&str, &str)], accept: &str) -> Result<Answer> {
        let (start, end) = (self.start.to_string(), self.end.to_string());
        let mut params = params.to_vec();
        params.extend([("start", start.as_str()), ("end", end.as_str())]);
        let url = with_params(path, &params);
        let answer = self.server.get_with(&url, &[("accept", accept)])?;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
        let expected = if accept == "*/*" {
            "application/json"
        } else {
            accept
        };
        assert_eq!(answer.header("content-type"), expected, "{url}");
        Ok(answer)
    }

    fn json(&self, path: &str, params: &[(&str, &str)]) -> Result<Value> {
        self.ask(path, params, "*/*")?.json()
    }

    fn message<A: Message + Default>(&self, path: &str, params: &[(&str, &str)]) -> Result<A> {
        Ok(A::decode(
            &self.ask(path, params, "application/protobuf")?.body[..],
        )?)
    }

    fn series(&self, query: &str, step: &str) -> Result<Vec<Value>> {
        let params = [("q", query), ("step", step), ("exemplars", "50")];
        let json = self.json("/api/metrics/query_range", &params)?;
        assert!(json.get("status").is_none(), "{query}: {json}");
        Ok(list(&json["series"]).to_vec())
    }
}

fn spans_in(answer: &TraceByIdResponse) -> usize {
    let trace = answer.trace.iter();
    trace
        .flat_map(|trace| &trace.resource_spans)
        .flat_map(|resource| &resource.scope_spans)
        .map(|scope| scope.spans.len())
        .sum()
}

/// A 64-bit number, which JSON has as text.
fn number(value: &Value) -> Result<u64> {
    let text = value
        .as_str()
        .ok_or_else(|| format!("{value} is no text"))?;
    Ok(text.parse()?)
}

fn sum(series: &[Value]) -> f64 {
    let samples = series.iter().flat_map(|series| list(&series["samples"]));
    samples.filter_map(|sample| sample["value"].as_f64()).sum()
}

/// Labels of a series, or attributes of a span, by key; values with their type.
fn labels(list_of: &Value) -> BTreeMap<String, Value> {
    let pairs = list(list_of).iter();
    pairs
        .map(|pair| {
            (
                pair["key"].as_str().unwrap_or_default().to_owned(),
                pair["value"].clone(),
            )
        })
        .collect()
}

fn assert_keys(object: &Value, known: &[&str]) {
    for key in object.as_object().into_iter().flat_map(|map| map.keys()) {
        assert!(known.contains(&key.as_str()), "unknown key {key}: {object}");
    }
}

const COST_KEYS: [&str; 10] = [
    "inspectedTraces",
    "inspectedBytes",
    "totalBlocks",
    "completedJobs",
    "totalJobs",
    "totalBlockBytes",
    "inspectedSpans",
    "backendReads",
    "backendBytes",
    "additionalMetrics",
];

#[test]
fn data_source_health_and_traces() -> Result {
    let shop = Shop::open()?;
    let echo = shop.server.get("/api/echo")?;
    assert_eq!((echo.status, echo.text().as_str()), (200, "echo\n"));
    let build = shop.server.get("/api/status/buildinfo")?.json()?;
    let version = build["version"].as_str().unwrap_or_default();
    assert!(
        version.trim_start_matches('v').starts_with("3."),
        "{build}: metrics are streamed from 2.7 on"
    );

    let counts = fs::read(shared().join("conformance/otlp/traces.json"))?;
    let counts: BTreeMap<String, usize> = serde_json::from_slice(&counts)?;
    let largest = counts.iter().max_by_key(|(_, count)| **count);
    let some = counts.iter().step_by(100).chain(largest);
    for (id, count) in some {
        for id in [id.as_str(), id.trim_start_matches('0')] {
            let answer: TraceByIdResponse = shop.message(&format!("/api/v2/traces/{id}"), &[])?;
            assert_eq!(spans_in(&answer), *count, "{id}");
            assert_eq!((answer.status, answer.message.as_str()), (0, ""));
        }
    }
    // The plugin dereferences the trace of an unknown id.
    let unknown: TraceByIdResponse = shop.message("/api/v2/traces/abcdef0123456789", &[])?;
    assert!(unknown.trace.is_some());
    assert_eq!(spans_in(&unknown), 0);
    let v1 = shop.server.get("/api/traces/abcdef0123456789")?;
    assert_eq!(v1.status, 404);
    Ok(())
}

#[test]
fn data_source_searches_and_metrics() -> Result {
    let shop = Shop::open()?;
    let query = "{ resource.service.name = \"frontend\" }";
    let params = [("q", query), ("limit", "20"), ("spss", "3")];
    let found = shop.json("/api/search", &params)?;
    let traces = list(&found["traces"]);
    assert_eq!(traces.len(), 20);
    let mut newest = u64::MAX;
    for trace in traces {
        let start = number(&trace["startTimeUnixNano"])?;
        assert!(start <= newest, "newest first: {found}");
        newest = start;
        assert_eq!(trace["spanSet"], trace["spanSets"][0]);
        let spans = list(&trace["spanSet"]["spans"]);
        assert!(!spans.is_empty() && spans.len() <= 3, "{trace}");
        assert!(trace["spanSet"]["matched"].as_u64() >= Some(spans.len() as u64));
        for span in spans {
            number(&span["startTimeUnixNano"])?;
            number(&span["durationNanos"])?;
            assert_eq!(span["spanID"].as_str().map(str::len), Some(16));
        }
        let id = trace["traceID"].as_str().unwrap_or_default();
        assert!(!id.starts_with('0'), "{id}");
        assert!(!shop.server.span_ids(id)?.is_empty());
    }
    number(&found["metrics"]["inspectedBytes"])?;
    assert_keys(&found["metrics"], &COST_KEYS);

    let series = shop.series("{} | rate() by (resource.service.name)", "15s")?;
    assert!(series.len() >= 12, "{} series", series.len());
    let mut exemplars = 0;
    for one in &series {
        let service = labels(&one["labels"]);
        for sample in list(&one["samples"]) {
            assert_eq!(number(&sample["timestampMs"])? % 15_000, 0, "{sample}");
        }
        for exemplar in list(&one["exemplars"]) {
            exemplars += 1;
            let of = labels(&exemplar["labels"]);
            let id = of["trace:id"]["stringValue"].as_str().unwrap_or_default();
            assert!(!shop.server.span_ids(id)?.is_empty(), "{exemplar}");
            assert!(
                service
                    .iter()
                    .all(|(key, value)| of.get(key) == Some(value))
            );
            assert!(exemplar["value"].as_f64() > Some(0.0), "{exemplar}");
            let at = number(&exemplar["timestampMs"])? / 1000;
            assert!(at >= shop.start && at <= shop.end, "{exemplar}");
        }
    }
    assert!(exemplars > 0 && exemplars <= 50, "{exemplars} exemplars");
    assert_eq!(
        sum(&shop.series("{} | count_over_time()", "15s")?),
        SPANS as f64
    );

    // The plugin's decoder of instant answers refuses what it does not know.
    let by = "{} | count_over_time() by (resource.service.name)";
    let instant = shop.json("/api/metrics/query", &[("q", by)])?;
    assert_keys(&instant, &["series", "metrics", "status", "message"]);
    assert_keys(&instant["metrics"], &COST_KEYS);
    let series = list(&instant["series"]);
    for one in series {
        assert_keys(one, &["labels", "value"]);
        for label in list(&one["labels"]) {
            assert_keys(label, &["key", "value"]);
            assert_keys(&label["value"], &["stringValue"]);
        }
    }
    let total: f64 = series.iter().filter_map(|one| one["value"].as_f64()).sum();
    assert_eq!(total, SPANS as f64);
    Ok(())
}

#[test]
fn data_source_tags() -> Result {
    let shop = Shop::open()?;
    let tags = shop.json("/api/v2/search/tags", &[("limit", "5000")])?;
    let scopes: BTreeMap<&str, &[Value]> = list(&tags["scopes"])
        .iter()
        .filter_map(|scope| Some((scope["name"].as_str()?, list(&scope["tags"]))))
        .collect();
    assert!(
        scopes["resource"].contains(&"service.name".into()),
        "{tags}"
    );
    assert!(scopes["span"].contains(&"http.route".into()), "{tags}");
    assert_eq!(scopes["intrinsic"].len(), 25, "{tags}");

    let values = |name: &str, params: &[(&str, &str)]| -> Result<BTreeSet<String>> {
        let path = format!("/api/v2/search/tag/{name}/values");
        let json = shop.json(&path, params)?;
        let values = list(&json["tagValues"]).iter();
        Ok(values
            .map(|value| format!("{}:{}", value["type"], value["value"]))
            .collect())
    };
    let all = values("resource.service.name", &[("limit", "5000"), ("q", "{}")])?;
    assert!(all.len() >= 12, "{all:?}");
    let extra = [("limit", "5000"), ("q", "{}"), ("tag", "service.name")];
    assert_eq!(values("resource.service.name", &extra)?, all);
    assert_eq!(values("resource%2Eservice%2Ename", &extra)?, all);
    let filter = "{ span.db.system = \"mysql\" }";
    let some = values("resource.service.name", &[("q", filter), ("tag", "x")])?;
    assert!(!some.is_empty() && some.len() < all.len(), "{some:?}");
    assert!(some.is_subset(&all));
    let states = values("span%3Astatus", &[])?;
    let keyword = |text: &str| format!("\"keyword\":\"{text}\"");
    assert_eq!(states, ["error", "ok", "unset"].map(keyword).into());
    Ok(())
}

#[test]
fn drilldown_metrics() -> Result {
    let shop = Shop::open()?;
    assert!(sum(&shop.series("{} | rate()", "15s")?) > 0.0);
    for signal in [
        "nestedSetParent<0",
        "kind=server",
        "kind=consumer",
        "span.db.system.name!=\"\"",
        "true",
    ] {
        let rate = format!(
            "{{{signal} && resource.service.name != nil}} | rate() by(resource.service.name) with(sample=true)"
        );
        let rate = shop.series(&rate, "15s")?;
        let count = format!("{{{signal}}} | count_over_time() by(resource.service.name)");
        let count = shop.series(&count, "15s")?;
        assert_eq!(rate.is_empty(), count.is_empty(), "{signal}");
        assert!(
            signal.contains("db.system.name") || !rate.is_empty(),
            "{signal}"
        );
    }
    let quantile = "{nestedSetParent<0} | quantile_over_time(duration, .9)";
    let quantile = shop.series(quantile, "30s")?;
    assert_eq!(quantile.len(), 1);
    assert_eq!(labels(&quantile[0]["labels"])["p"]["doubleValue"], 0.9);
    assert!(sum(&quantile) > 0.0);

    // Durations below 2 ns have no bucket.
    let roots = shop.series(
        "{nestedSetParent<0 && duration > 1ns} | count_over_time()",
        "30s",
    )?;
    let exact = shop.series(
        "{nestedSetParent<0 && duration > 1ns} | histogram_over_time(duration)",
        "30s",
    )?;
    assert_eq!(sum(&exact), sum(&roots));
    let sampled =
        "{nestedSetParent<0 && duration > 1ns} | histogram_over_time(duration) with(sample=true)";
    let sampled = shop.series(sampled, "30s")?;
    let buckets: Vec<f64> = sampled
        .iter()
        .filter_map(|one| labels(&one["labels"])["__bucket"]["doubleValue"].as_f64())
        .collect();
    assert_eq!(buckets.len(), sampled.len());
    let ratio = sum(&sampled) / sum(&roots);
    assert!((0.5..2.0).contains(&ratio), "extrapolated to {ratio}");

    let roots = shop.series("{nestedSetParent<0} | count_over_time()", "30s")?;
    let range = format!("{}s", shop.end - shop.start);
    let compare = shop.series("{nestedSetParent<0} | compare({status = error})", &range)?;
    let mut totals = BTreeMap::<String, BTreeSet<u64>>::new();
    for one in &compare {
        let of = labels(&one["labels"]);
        let kind = of["__meta_type"]["stringValue"]
            .as_str()
            .unwrap_or_default();
        if kind.ends_with("_total") {
            let name = of.keys().find(|key| *key != "__meta_type");
            assert!(name.is_some(), "{one}");
        }
        let total = sum(std::slice::from_ref(one)) as u64;
        totals.entry(kind.to_owned()).or_default().insert(total);
    }
    let kinds: Vec<&str> = totals.keys().map(String::as_str).collect();
    let expected = ["baseline", "baseline_total", "selection", "selection_total"];
    assert_eq!(kinds, expected);
    let largest = |kind: &str| totals[kind].last().copied().unwrap_or_default();
    let both = largest("baseline_total") + largest("selection_total");
    assert_eq!(both as f64, sum(&roots));
    Ok(())
}

#[test]
fn drilldown_structure_and_exceptions() -> Result {
    let shop = Shop::open()?;
    let query = "({nestedSetParent<0} &>> {kind = server}) || ({nestedSetParent<0}) | select(status, resource.service.name, name, nestedSetParent, nestedSetLeft, nestedSetRight)";
    let params = [("q", query), ("limit", "200"), ("spss", "20")];
    let found = shop.json("/api/search", &params)?;
    let traces = list(&found["traces"]);
    assert_eq!(traces.len(), 200);
    let mut with_children = 0;
    let (mut spans_seen, mut named) = (0, 0);
    for trace in traces {
        let spans = list(&trace["spanSet"]["spans"]);
        let mut numbers = Vec::new();
        for span in spans {
            let of = labels(&span["attributes"]);
            let int = |key: &str| -> Result<i64> {
                let text = of.get(key).and_then(|value| value["intValue"].as_str());
                Ok(text.ok_or_else(|| format!("no {key}: {span}"))?.parse()?)
            };
            named += usize::from(span["name"].is_string());
            spans_seen += 1;
            assert!(of["service.name"]["stringValue"].is_string(), "{span}");
            assert!(of["status"]["stringValue"].is_string(), "{span}");
            numbers.push((
                int("nestedSetLeft")?,
                int("nestedSetRight")?,
                int("nestedSetParent")?,
            ));
        }
        numbers.sort_unstable();
        assert!(
            numbers.iter().any(|(_, _, parent)| *parent == -1),
            "{trace}"
        );
        for (index, (left, right, parent)) in numbers.iter().enumerate() {
            assert!(0 < *left && left < right && parent < left, "{numbers:?}");
            let mut later = numbers[index + 1..].iter();
            let is_nested = |(l, r, _): &(i64, i64, i64)| l > right || (l > left && r < right);
            assert!(later.all(is_nested), "{numbers:?}");
        }
        with_children += usize::from(numbers.len() > 1);
    }
    // Some spans of the data have an empty name, which JSON leaves out.
    assert!(
        named * 10 > spans_seen * 9,
        "{named} of {spans_seen} with a name"
    );
    assert!(with_children > 20, "{with_children} traces with children");

    let query = "{status = error} | select(resource.service.name, event.exception.message, event.exception.stacktrace, event.exception.type) with(most_recent=true)";
    let ask = |limit| {
        let params = [("q", query), ("limit", limit), ("spss", "10")];
        shop.json("/api/search", &params)
    };
    let all = ask("400")?;
    let all = list(&all["traces"]);
    assert!(all.len() > 5 && all.len() < 400, "{} traces", all.len());
    let exceptions = all
        .iter()
        .flat_map(|trace| list(&trace["spanSet"]["spans"]))
        .filter(|span| labels(&span["attributes"]).contains_key("exception.message"));
    assert!(exceptions.count() > 0);
    let five = ask("5")?;
    let ids = |traces: &[Value]| -> Vec<String> {
        traces
            .iter()
            .map(|trace| trace["traceID"].to_string())
            .collect()
    };
    assert_eq!(
        ids(list(&five["traces"])),
        ids(&all[..5]),
        "the newest five"
    );
    Ok(())
}

/// Every message is one that Grafana can take; gives the messages without their sizes.
fn fitting<A>(messages: Vec<Sized<A>>) -> Vec<A> {
    let sizes: Vec<usize> = messages.iter().map(|message| message.bytes).collect();
    assert!(!sizes.is_empty(), "a stream without a message");
    assert!(sizes.iter().all(|bytes| *bytes < LARGEST_MESSAGE));
    assert!(sizes.iter().all(|bytes| *bytes <= PACKET), "{sizes:?}");
    messages
        .into_iter()
        .map(|message| message.message)
        .collect()
}

/// Traces by id, later replacing earlier; attributes have no order.
fn traces_of(messages: Vec<SearchResponse>) -> BTreeMap<String, TraceSearchMetadata> {
    let mut traces = BTreeMap::new();
    for mut trace in messages.into_iter().flat_map(|message| message.traces) {
        let by_key = |attribute: &KeyValue| format!("{attribute:?}");
        let sets = trace.span_sets.iter_mut().chain(&mut trace.span_set);
        for set in sets {
            set.attributes.sort_by_key(by_key);
            for span in &mut set.spans {
                span.attributes.sort_by_key(by_key);
            }
        }
        traces.insert(trace.trace_id.clone(), trace);
    }
    traces
}

#[test]
fn streamed_searches_add_up_to_the_answer() -> Result {
    let shop = Shop::open()?;
    let selected = "resource.service.name, span.http.route, span.http.method, span.url.path, resource.k8s.pod.name, resource.service.version, status, kind, duration, statusMessage, nestedSetLeft, nestedSetRight, nestedSetParent";
    let queries = [
        ("{ status = error }".to_owned(), 1216, 3),
        ("{ .nothing = 1 }".to_owned(), 20, 3),
        (format!("{{}} | select({selected})"), 1216, 100),
        (
            "{} | by(resource.service.name) | count() > 2".to_owned(),
            1216,
            20,
        ),
    ];
    let mut pieces = 0;
    for (query, limit, spans) in queries {
        let (limit_text, spans_text) = (limit.to_string(), spans.to_string());
        let params = [
            ("q", query.as_str()),
            ("limit", &limit_text),
            ("spss", &spans_text),
        ];
        let unary: SearchResponse = shop.message("/api/search", &params)?;
        let unary = traces_of(vec![unary]);
        assert_eq!(unary.is_empty(), query.contains("nothing"));
        for port in [shop.server.grpc, shop.server.http] {
            let request = SearchRequest {
                query: query.clone(),
                limit,
                spans_per_span_set: spans,
                start: u32::try_from(shop.start)?,
                end: u32::try_from(shop.end)?,
                ..SearchRequest::default()
            };
            let messages = stream::<_, SearchResponse>(port, "Search", None, request)??;
            let messages = fitting(messages);
            pieces = pieces.max(messages.len());
            assert!(messages.iter().all(|message| message.metrics.is_some()));
            assert!(traces_of(messages) == unary, "{query} on port {port}");
        }
    }
    assert!(pieces > 1, "nothing was large enough to be cut");

    // "Save & test" with streaming: nothing of the last 15 minutes is there.
    let now = u32::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs(),
    )?;
    let request = SearchRequest {
        query: "{}".into(),
        limit: 1,
        start: now - 900,
        end: now,
        ..SearchRequest::default()
    };
    stream::<_, SearchResponse>(shop.server.http, "Search", None, request)??;
    Ok(())
}

#[test]
fn streamed_tags_add_up_to_the_answer() -> Result {
    let shop = Shop::open()?;
    let names = SearchTagsRequest {
        start: u32::try_from(shop.start)?,
        end: u32::try_from(shop.end)?,
        ..SearchTagsRequest::default()
    };
    let values = SearchTagValuesRequest {
        tag_name: "resource.service.name".into(),
        query: "{ status = error }".into(),
        start: names.start,
        end: names.end,
        ..SearchTagValuesRequest::default()
    };
    let old_values = SearchTagValuesRequest {
        tag_name: "service.name".into(),
        query: String::new(),
        ..values.clone()
    };
    let q = [("q", values.query.as_str())];
    for port in [shop.server.grpc, shop.server.http] {
        let streamed = stream::<_, SearchTagsResponse>(port, "SearchTags", None, names.clone())??;
        let streamed: BTreeSet<_> = fitting(streamed)
            .into_iter()
            .flat_map(|m| m.tag_names)
            .collect();
        let unary: SearchTagsResponse = shop.message("/api/search/tags", &[])?;
        assert_eq!(streamed, unary.tag_names.into_iter().collect());
        assert!(streamed.contains("service.name"));

        let scoped = |messages: Vec<SearchTagsV2Response>| -> BTreeSet<(String, String)> {
            let scopes = messages.into_iter().flat_map(|message| message.scopes);
            scopes
                .flat_map(|scope| {
                    scope
                        .tags
                        .into_iter()
                        .map(move |tag| (scope.name.clone(), tag))
                })
                .collect()
        };
        let streamed =
            stream::<_, SearchTagsV2Response>(port, "SearchTagsV2", None, names.clone())??;
        let unary: SearchTagsV2Response = shop.message("/api/v2/search/tags", &[])?;
        let unary = scoped(vec![unary]);
        assert!(unary.len() > 30);
        assert_eq!(scoped(fitting(streamed)), unary);

        let streamed = stream::<_, SearchTagValuesResponse>(
            port,
            "SearchTagValues",
            None,
            old_values.clone(),
        )??;
        let streamed: BTreeSet<_> = fitting(streamed)
            .into_iter()
            .flat_map(|m| m.tag_values)
            .collect();
        let path = "/api/search/tag/service.name/values";
        let unary: SearchTagValuesResponse = shop.message(path, &[])?;
        assert!(unary.tag_values.len() >= 12);
        assert_eq!(streamed, unary.tag_values.into_iter().collect());

        let typed = |messages: Vec<SearchTagValuesV2Response>| -> BTreeSet<String> {
            let values = messages.into_iter().flat_map(|message| message.tag_values);
            values.map(|value| format!("{value:?}")).collect()
        };
        let streamed = stream::<_, SearchTagValuesV2Response>(
            port,
            "SearchTagValuesV2",
            None,
            values.clone(),
        )??;
        let path = "/api/v2/search/tag/resource.service.name/values";
        let unary: SearchTagValuesV2Response = shop.message(path, &q)?;
        let unary = typed(vec![unary]);
        assert!(!unary.is_empty());
        assert_eq!(typed(fitting(streamed)), unary);
    }
    Ok(())
}

/// Labels as text that does not depend on how they came.
fn label_text(pairs: &[KeyValue]) -> Result<BTreeMap<String, String>> {
    use vivace_protocol::tempopb::Value as Any;
    let mut text = BTreeMap::new();
    for pair in pairs {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        let value = match value {
            Some(Any::String(value)) => format!("{value:?}"),
            Some(Any::Double(value)) => format!("{value:?}"),
            Some(Any::Int(value)) => format!("{value:?}"),
            other => return Err(format!("label {other:?}").into()),
        };
        text.insert(pair.key.clone(), value);
    }
    Ok(text)
}

fn label_text_of_json(pairs: &Value) -> Result<BTreeMap<String, String>> {
    let mut text = BTreeMap::new();
    for (key, value) in labels(pairs) {
        let value = match (
            &value["stringValue"],
            &value["doubleValue"],
            &value["intValue"],
        ) {
            (Value::String(value), _, _) => format!("{value:?}"),
            (_, Value::Number(value), _) => format!("{:?}", value.as_f64().unwrap_or(f64::NAN)),
            (_, _, Value::String(value)) => value.clone(),
            _ => return Err(format!("label {value}").into()),
        };
        text.insert(key, value);
    }
    Ok(text)
}

type Points = BTreeMap<(BTreeMap<String, String>, u64), f64>;

fn assert_close(streamed: &Points, unary: &Points, what: &str) {
    let keys = |points: &Points| points.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(streamed), keys(unary), "{what}");
    for (key, value) in unary {
        let other = streamed[key];
        assert!(
            (value - other).abs() <= 1e-9 * value.abs(),
            "{what} {key:?}: {other} for {value}"
        );
    }
}

#[test]
fn streamed_metrics_add_up_to_the_answer() -> Result {
    let shop = Shop::open()?;
    let queries = [
        "{} | rate() by (resource.service.name)",
        "{ kind = server } | quantile_over_time(duration, .5, .99) by (name)",
        "{} | histogram_over_time(duration)",
        "{} | count_over_time() by (span:id)",
        "{ .nothing = 1 } | rate() by (name)",
    ];
    let (start, end) = (shop.start * SECOND, shop.end * SECOND);
    for query in queries {
        let params = [("q", query), ("step", "30s")];
        let mut unary = Points::new();
        for one in list(&shop.json("/api/metrics/query_range", &params)?["series"]) {
            let of = label_text_of_json(&one["labels"])?;
            for sample in list(&one["samples"]) {
                let value = sample["value"].as_f64().unwrap_or_default();
                unary.insert((of.clone(), number(&sample["timestampMs"])?), value);
            }
        }
        let mut unary_instant = Points::new();
        for one in list(&shop.json("/api/metrics/query", &[("q", query)])?["series"]) {
            let value = one["value"].as_f64().unwrap_or_default();
            unary_instant.insert((label_text_of_json(&one["labels"])?, 0), value);
        }
        assert_eq!(unary.is_empty(), query.contains("nothing"));
        for port in [shop.server.grpc, shop.server.http] {
            let request = QueryRangeRequest {
                query: query.to_owned(),
                start,
                end,
                step: 30 * SECOND,
                ..QueryRangeRequest::default()
            };
            let messages =
                stream::<_, QueryRangeResponse>(port, "MetricsQueryRange", None, request)??;
            let mut streamed = Points::new();
            for one in fitting(messages).iter().flat_map(|message| &message.series) {
                let of = label_text(&one.labels)?;
                for sample in &one.samples {
                    let at = u64::try_from(sample.timestamp_ms)?;
                    streamed.insert((of.clone(), at), sample.value);
                }
            }
            assert_close(&streamed, &unary, query);

            let request = QueryInstantRequest {
                query: query.to_owned(),
                start,
                end,
            };
            let messages =
                stream::<_, QueryInstantResponse>(port, "MetricsQueryInstant", None, request)??;
            let mut streamed = Points::new();
            for one in fitting(messages).iter().flat_map(|message| &message.series) {
                streamed.insert((label_text(&one.labels)?, 0), one.value);
            }
            assert_close(&streamed, &unary_instant, query);
        }
    }
    Ok(())
}

fn refusal<A: std::fmt::Debug>(streamed: streams::Streamed<A>) -> (tonic::Code, String) {
    match streamed {
        Ok(messages) => (tonic::Code::Ok, format!("{} messages", messages.len())),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

#[test]
fn bad_streams_have_the_status_and_text_of_the_specification() -> Result {
    let server = Server::start_with(Options {
        extra_yaml: SETTINGS.to_owned(),
        ..Options::default()
    })?;
    let long = (1_700_000_000, 1_700_000_000 + 169 * 3600);
    let searches = [
        ("{foo}", 20, (0, 0)),
        ("{ 1 + \"a\" = 2 }", 20, (0, 0)),
        ("{", 20, (0, 0)),
        ("{}", 300_000, (0, 0)),
        ("{}", 20, long),
        ("{}", 20, (long.1, long.0)),
    ];
    for port in [server.grpc, server.http] {
        for (query, limit, (start, end)) in searches {
            let request = SearchRequest {
                query: query.into(),
                limit,
                start,
                end,
                ..SearchRequest::default()
            };
            let (limit, start, end) = (limit.to_string(), start.to_string(), end.to_string());
            let mut params = vec![("q", query), ("limit", limit.as_str())];
            if start != "0" {
                params.extend([("start", start.as_str()), ("end", end.as_str())]);
            }
            let http = server.get(&with_params("/api/search", &params))?;
            assert_eq!(http.status, 400, "{query}: {}", http.text());
            let streamed = stream::<_, SearchResponse>(port, "Search", None, request)?;
            let (code, text) = refusal(streamed);
            assert_eq!(code, tonic::Code::InvalidArgument, "{query}: {text}");
            // Streams name the start that is filled in where the range is reversed.
            let same = |text: &str| text.split(" received start").next().map(str::to_owned);
            assert_eq!(same(&text), same(&http.text()), "{query} {limit}");
        }
        let request = QueryRangeRequest {
            query: "{} | rate(".into(),
            ..QueryRangeRequest::default()
        };
        let streamed = stream::<_, QueryRangeResponse>(port, "MetricsQueryRange", None, request)?;
        assert_eq!(refusal(streamed).0, tonic::Code::Unknown);
        let request = SearchTagValuesRequest {
            tag_name: "foo".into(),
            ..SearchTagValuesRequest::default()
        };
        let streamed =
            stream::<_, SearchTagValuesV2Response>(port, "SearchTagValuesV2", None, request)?;
        assert_eq!(refusal(streamed).0, tonic::Code::InvalidArgument);
    }
    Ok(())
}

#[test]
fn tenants_of_streams_and_queries() -> Result {
    let server = Server::start_with(Options {
        extra_yaml: format!("multitenancy_enabled: true\n{SETTINGS}"),
        ..Options::default()
    })?;
    let folder = shared().join("conformance/otlp");
    for (number, tenant) in [(0, "tenant-1"), (1, "tenant-2")] {
        let body = fs::read(folder.join(format!("{number:04}.pb")))?;
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("X-Scope-OrgID", tenant),
        ];
        assert_eq!(server.post("/v1/traces", &body, &headers)?.status, 200);
    }
    let dataset: Value = serde_json::from_slice(&fs::read(folder.join("dataset.json"))?)?;
    let base = dataset["base_ns"].as_u64().ok_or("no base_ns")? / SECOND;
    let request = SearchRequest {
        query: "{}".into(),
        limit: 5000,
        start: u32::try_from(base - 60)?,
        end: u32::try_from(base + 360)?,
        ..SearchRequest::default()
    };
    let (start, end) = (request.start.to_string(), request.end.to_string());
    let params = [
        ("q", "{}"),
        ("limit", "5000"),
        ("start", &start),
        ("end", &end),
    ];
    let path = with_params("/api/search", &params);
    let missing = server.get(&path)?;
    assert_eq!(
        (missing.status, missing.text().as_str()),
        (401, "no org id\n")
    );
    for port in [server.grpc, server.http] {
        let streamed = stream::<_, SearchResponse>(port, "Search", None, request.clone())?;
        let expected = (tonic::Code::Unknown, "no org id".to_owned());
        assert_eq!(refusal(streamed), expected);
        let of = |tenant: &str| -> Result<BTreeSet<String>> {
            let messages =
                stream::<_, SearchResponse>(port, "Search", Some(tenant), request.clone())??;
            let streamed: BTreeSet<String> = traces_of(fitting(messages)).into_keys().collect();
            let unary = server
                .get_with(&path, &[("x-Scope-orgid", tenant)])?
                .json()?;
            let unary = list(&unary["traces"]).iter();
            let unary = unary.filter_map(|trace| Some(trace["traceID"].as_str()?.to_owned()));
            assert_eq!(streamed, unary.collect(), "{tenant}");
            Ok(streamed)
        };
        let (first, second) = (of("tenant-1")?, of("tenant-2")?);
        assert!(!first.is_empty() && !second.is_empty() && first != second);
        assert_eq!(of("tenant-1|tenant-2")?, &first | &second);
        assert!(of("tenant-3")?.is_empty());
    }
    Ok(())
}
