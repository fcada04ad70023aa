//! The endpoints, their forms and refusals.

mod support;

use prost::Message as _;
use support::*;
use vivace_protocol::tempopb::{
    SearchResponse, SearchTagValuesV2Response, SearchTagsResponse, TraceByIdResponse,
};
use vivace_protocol::trace::Fragment;
use vivace_query_frontend::{QueryLimits, TagScope, TagsFound};
use vivace_shards::time::unix_nanos;

const SPAN: &str =
    r#"{"spanID":"0000000000000009","startTimeUnixNano":"800","durationNanos":"5000000"}"#;

#[test]
fn a_search_is_answered_in_every_form() {
    simulate(async || {
        let world = World::start(config());
        world
            .script
            .set("a", vec![step("x", 1, 1, vec![trace(0x1f, 800)])]);
        let search = "/api/search?q=%7B%7D&start=100&end=200&limit=5&spss=7";
        let answer = world.get("a", search).await;
        let set = format!(r#"{{"spans":[{SPAN}],"matched":1}}"#);
        let want = format!(
            r#"{{"traces":[{{"traceID":"1f","rootServiceName":"shop","rootTraceName":"trace 31, whole","startTimeUnixNano":"800","durationMs":5,"spanSet":{set},"spanSets":[{set}],"serviceStats":{{"shop":{{"spanCount":2,"errorCount":1}}}}}}],"metrics":{{"inspectedBytes":"100","totalBlocks":1,"completedJobs":1,"totalJobs":1,"totalBlockBytes":"1000","inspectedSpans":"7","backendReads":"1","backendBytes":"50"}}}}"#
        );
        assert_eq!(answer.text(), want);
        assert_eq!(answer.kind, "application/json");
        let specs = world.script.0.specs.borrow().clone();
        assert_eq!(specs, ["{ true } 100..200 spans 7 limit 5"]);

        let answer = world.get_with("a", search, "application/protobuf").await;
        assert_eq!(answer.kind, "application/protobuf");
        let message = SearchResponse::decode(answer.body).unwrap();
        assert_eq!(message.traces[0].trace_id, "1f");
        let answer = world
            .get_with("a", search, "application/vnd.grafana.llm")
            .await;
        assert_eq!(answer.kind, "application/vnd.grafana.llm+json");
        assert_eq!(answer.text(), want);

        // By tags: no span sets. With whole ids, if the tenant wants them.
        let limits = QueryLimits {
            left_pad_trace_ids: true,
            ..QueryLimits::default()
        };
        world
            .script
            .0
            .limits
            .borrow_mut()
            .insert("a".into(), limits);
        let answer = world.get("a", "/api/search?tags=a%3Db").await;
        assert!(!answer.text().contains("spanSet"));
        assert!(answer.text().contains(&format!("{:032x}", 0x1f)));
        assert_eq!(
            world.get("b", search).await.text(),
            r#"{"traces":[],"metrics":{}}"#
        );
    });
}

#[test]
fn tenants_are_searched_together() {
    simulate(async || {
        let world = World::start(config());
        world.script.set(
            "a",
            vec![step("x", 1, 1, vec![trace(1, 800), trace(2, 700)])],
        );
        world.script.set(
            "b",
            vec![step("y", 9, 1, vec![trace(2, 900), trace(3, 750)])],
        );
        let answer = world.get("a|b", "/api/search?q=%7B%7D").await;
        assert_eq!(answer.numbers(), [1, 3, 2]);
        assert_eq!(answer.json()["traces"][2]["startTimeUnixNano"], "700");
        let limits = QueryLimits {
            max_search_duration: std::time::Duration::from_secs(50),
            ..QueryLimits::default()
        };
        world
            .script
            .0
            .limits
            .borrow_mut()
            .insert("b".into(), limits);
        let search = "/api/search?q=%7B%7D&start=100&end=200";
        assert_eq!(world.get("a", search).await.status, 200);
        let answer = world.get("a|b", search).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.text(),
            "range specified by start and end exceeds 50s. received start=100 end=200"
        );
    });
}

#[test]
fn refusals() {
    simulate(async || {
        let world = World::start(config());
        for (tenant, target, status, text) in [
            ("", "/api/search?q=%7B%7D", 401, "no org id\n"),
            ("", "/api/metrics/query?q=%7B%7D", 401, "no org id\n"),
            (
                "a",
                "/api/search?limit=0",
                400,
                "invalid limit: must be a positive number",
            ),
            (
                "a",
                "/api/search?q=(%7B%7D|rate())%2B(%7B%7D|rate())",
                500,
                "math expressions not supported",
            ),
            (
                "a",
                "/api/v2/search/tags?scope=nope",
                400,
                "invalid scope: nope",
            ),
            (
                "a",
                "/api/metrics/query_range?q=%7B%7D",
                400,
                "not a metrics query",
            ),
            (
                "a",
                "/api/search?q=denied",
                400,
                "Invalid request /api/search?q=denied. This query has been identified as one that destabilizes our system. Contact your system administrator for more information",
            ),
        ] {
            let answer = world.get(tenant, target).await;
            assert_eq!((answer.status, answer.text()), (status, text), "{target}");
            assert!(answer.kind.starts_with("text/plain"), "{target}");
        }
        // Nothing was asked of the source.
        assert!(world.script.0.specs.borrow().is_empty());
        assert_eq!(world.get("a", "/api/echo").await.text(), "echo\n");
        assert_eq!(
            world.get("a", "/api/search?q=%7Bfalse%7D").await.text(),
            r#"{"traces":[],"metrics":{}}"#
        );
        assert!(world.script.begun().is_empty());
    });
}

fn tags() -> Step {
    Step {
        tags: TagsFound {
            names: vec![
                (TagScope::Span, "b".into()),
                (TagScope::Resource, "a".into()),
            ],
            values: vec![("string", "x".into()), ("int", "5".into())],
        },
        ..step("x", 1, 1, Vec::new())
    }
}

#[test]
fn tags_are_answered_in_every_form() {
    simulate(async || {
        let world = World::start(config());
        world.script.set("a", vec![tags(), tags()]);
        let without_metrics = async |target: &str| {
            let answer = world.get("a", target).await;
            let text = answer.text().to_owned();
            text.split(r#","metrics""#).next().unwrap().to_owned()
        };
        assert_eq!(
            without_metrics("/api/search/tags").await,
            r#"{"tagNames":["a","b"]"#
        );
        let v2 = without_metrics("/api/v2/search/tags").await;
        let front = r#"{"scopes":[{"name":"resource","tags":["a"]},{"name":"span","tags":["b"]},{"name":"intrinsic","tags":["duration","#;
        assert!(v2.starts_with(front), "{v2}");
        assert_eq!(
            without_metrics("/api/search/tag/x.y/values").await,
            r#"{"tagValues":["5","x"]"#
        );
        assert_eq!(
            without_metrics("/api/v2/search/tag/resource.service.name/values?tag=y").await,
            r#"{"tagValues":[{"type":"int","value":"5"},{"type":"string","value":"x"}]"#
        );
        let specs = world.script.0.specs.borrow().clone();
        assert!(
            specs[2].contains("Unscoped") && specs[2].contains("x.y"),
            "{specs:?}"
        );
        // Slashes and escapes belong to names; some values are known without looking.
        without_metrics("/api/v2/search/tag/span.%22a%2Fb%20c%22/values").await;
        let specs = world.script.0.specs.borrow().clone();
        assert!(specs[4].contains("\"a/b c\""), "{specs:?}");
        assert_eq!(
            world
                .get("a", "/api/v2/search/tag/status/values")
                .await
                .text(),
            r#"{"tagValues":[{"type":"keyword","value":"error"},{"type":"keyword","value":"ok"},{"type":"keyword","value":"unset"}],"metrics":{}}"#
        );
        let names = world
            .get_with("a", "/api/search/tags", "application/protobuf")
            .await;
        assert_eq!(
            SearchTagsResponse::decode(names.body).unwrap().tag_names,
            ["a", "b"]
        );
        let values = "/api/v2/search/tag/.x/values";
        let found = world.get_with("a", values, "application/protobuf").await;
        assert_eq!(
            SearchTagValuesV2Response::decode(found.body)
                .unwrap()
                .tag_values
                .len(),
            2
        );
        let llm = world
            .get_with("a", values, "application/vnd.grafana.llm")
            .await;
        assert_eq!(
            llm.text(),
            r#"{"tagValues":{"int":["5"],"string":["x"]},"metrics":{"inspectedBytes":200}}"#
        );
    });
}

#[test]
fn metrics_queries_are_answered_as_json() {
    simulate(async || {
        let world = World::start(config());
        let now = unix_nanos() / SECOND * SECOND;
        let at = |seconds| (now - seconds * SECOND, "shop");
        let spans = |spans| Step {
            spans,
            ..step("x", 1, 1, Vec::new())
        };
        world
            .script
            .set("a", vec![spans(vec![at(100), at(90)]), spans(vec![at(80)])]);
        world.script.set("b", vec![spans(vec![at(70)])]);
        let query = "q=%7B%7D|count_over_time()by(resource.service.name)&since=5m&step=300";
        let target = format!("/api/metrics/query_range?{query}");
        let answer = world.get_with("a|b", &target, "application/protobuf").await;
        assert_eq!(answer.kind, "application/json");
        let json = answer.json();
        let series = &json["series"][0];
        assert_eq!(series["labels"][0]["key"], "resource.service.name");
        assert_eq!(series["labels"][0]["value"]["stringValue"], "shop");
        let samples = series["samples"].as_array().unwrap();
        let sum: f64 = samples
            .iter()
            .filter_map(|sample| sample["value"].as_f64())
            .sum();
        assert_eq!(sum, 4.0, "{json}");
        let exemplars = series["exemplars"].as_array().unwrap();
        assert!(!exemplars.is_empty() && exemplars[0]["timestampMs"].is_string());
        let answer = world.get("a", &format!("/api/metrics/query?{query}")).await;
        let json = answer.json();
        assert_eq!(json["series"][0]["value"], 3.0);
        assert_eq!(json["metrics"]["completedJobs"], 2);
        let empty = world
            .get("a", "/api/metrics/query_range?q=%7Bfalse%7D|rate()")
            .await;
        assert_eq!(empty.text(), r#"{"series":[],"metrics":{}}"#);
    });
}

#[test]
fn a_trace_is_filtered() {
    simulate(async || {
        let world = World::start(config());
        let batch = batch(&[(1, "s"), (2, "s"), (3, "s")]).unwrap();
        let state = world.script.0.clone();
        state
            .fragments
            .borrow_mut()
            .push(Fragment { batch, rows: 0..3 });
        state.matching.borrow_mut().push([0, 0, 0, 0, 0, 0, 0, 2]);
        let spans = async |target: &str| {
            let answer = world.get_with("a", target, "application/protobuf").await;
            let message = TraceByIdResponse::decode(answer.body).unwrap();
            let trace = message.trace.unwrap();
            let scopes = trace.resource_spans.iter().flat_map(|rs| &rs.scope_spans);
            let spans = scopes.flat_map(|scope| &scope.spans);
            (
                spans.map(|span| span.span_id[7]).collect::<Vec<_>>(),
                message.message,
            )
        };
        assert_eq!(
            spans("/api/v2/traces/1").await,
            (vec![1, 2, 3], String::new())
        );
        let filtered = "Trace filtered, only a subset of spans matching the filter is returned";
        assert_eq!(
            spans("/api/v2/traces/1?q=%7Bname=%22x%22%7D").await,
            (vec![2], filtered.to_owned())
        );
        assert_eq!(
            spans("/api/v2/traces/1?q=%7B%7D&keep_hierarchy=true")
                .await
                .0,
            [1, 2]
        );
        assert_eq!(
            spans("/api/v2/traces/1?q=%7B%7D&match_depth=-1").await.0,
            [2, 3]
        );
        assert_eq!(
            world
                .get("a", "/api/v2/traces/1?q=%7B%7D%3E%7B%7D")
                .await
                .status,
            400
        );
    });
}
