//! Streams: pieces while jobs run, and what they come to.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use support::*;
use vivace_protocol::tempopb::*;
use vivace_query_frontend::{QueryConfig, TagScope, TagsFound};
use vivace_shards::grpc::Code;
use vivace_shards::time::unix_nanos;

fn search(query: &str, limit: u32) -> SearchRequest {
    SearchRequest {
        query: query.into(),
        limit,
        start: 100,
        end: 200,
        ..SearchRequest::default()
    }
}

/// By id, later ones in the place of earlier ones.
fn union(messages: &[(u64, SearchResponse)]) -> BTreeMap<String, TraceSearchMetadata> {
    let traces = messages.iter().flat_map(|(_, message)| &message.traces);
    traces
        .map(|trace| (trace.trace_id.clone(), trace.clone()))
        .collect()
}

fn slow() -> Vec<Step> {
    (1..=8u64)
        .map(|number| {
            let traces = [2 * number, 2 * number + 1].map(|id| trace(u128::from(id), 1000 - id));
            step("x", 300 * number, 1000 - 2 * number, traces.into())
        })
        .collect()
}

#[test]
fn the_pieces_of_a_search_are_its_answer() {
    for query in ["{}", "{} with(most_recent=true)"] {
        for limit in [5, 100] {
            simulate(move || async move {
                let world = World::start(config());
                world.script.set("a", slow());
                world
                    .script
                    .0
                    .false_friends
                    .borrow_mut()
                    .extend([id(3), id(6)]);
                let request = search(query, limit);
                let messages: Vec<(u64, SearchResponse)> =
                    world.stream("a", "Search", &request).await.unwrap();
                let (last, before) = messages.split_last().unwrap();
                assert!(!before.is_empty());
                assert!(before.iter().any(|(_, message)| !message.traces.is_empty()));
                // At most one each half second, and only what is new.
                assert!(messages.windows(2).all(|pair| pair[1].0 >= pair[0].0));
                assert!(before.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 500));
                let sent: Vec<_> = before.iter().flat_map(|(_, m)| &m.traces).collect();
                let ids: BTreeSet<_> = sent.iter().map(|trace| &trace.trace_id).collect();
                assert_eq!(ids.len(), sent.len());
                // The last one is whole, and the others say nothing else.
                let all = union(&messages);
                assert_eq!(all, union(std::slice::from_ref(last)));
                let target = format!(
                    "/api/search?q={}&limit={limit}&start=100&end=200",
                    query
                        .replace("{}", "%7B%7D")
                        .replace(' ', "+")
                        .replace('=', "%3D")
                );
                let unary = world.get_with("a", &target, "application/protobuf").await;
                let unary = SearchResponse::decode(unary.body).unwrap();
                assert_eq!(last.1.traces, unary.traces);
                assert_eq!(last.1.traces.len(), limit.min(14) as usize);
                let completed = |m: &SearchResponse| m.metrics.as_ref().unwrap().completed_jobs;
                assert!(completed(&messages[0].1) < completed(&last.1));
            });
        }
    }
}

#[test]
fn large_answers_are_cut_into_messages() {
    simulate(async || {
        let world = World::start(QueryConfig {
            packet_bytes: 2000,
            ..config()
        });
        let traces: Vec<_> = (1..=100)
            .map(|number| trace(number, number as u64))
            .collect();
        world.script.set("a", vec![step("x", 1, 1, traces)]);
        let messages: Vec<(u64, SearchResponse)> = world
            .stream("a", "Search", &search("{}", 100))
            .await
            .unwrap();
        assert!(messages.len() > 3);
        assert!(
            messages
                .iter()
                .all(|(_, message)| message.encoded_len() <= 2000)
        );
        assert_eq!(union(&messages).len(), 100);
        assert!(
            messages
                .iter()
                .all(|(_, message)| message.metrics.is_some())
        );
    });
}

#[test]
fn streams_end_with_the_statuses_of_the_specification() {
    simulate(async || {
        let world = World::start_with(
            QueryConfig {
                max_outstanding_per_tenant: 1,
                ..config()
            },
            std::time::Duration::from_secs(2),
        );
        let failure = async |tenant: &str, request: &SearchRequest| {
            let outcome = world
                .stream::<_, SearchResponse>(tenant, "Search", request)
                .await;
            let status = outcome.unwrap_err();
            (status.code, status.message)
        };
        let no_org = (Code::Unknown, "no org id".to_owned());
        assert_eq!(failure("", &search("{}", 0)).await, no_org);
        let (code, text) = failure("a", &search("{", 0)).await;
        assert_eq!(code, Code::InvalidArgument);
        assert!(text.starts_with("invalid TraceQL query: "), "{text}");
        let long = SearchRequest {
            end: 100_000_000,
            ..search("{}", 0)
        };
        assert_eq!(failure("a", &long).await.0, Code::InvalidArgument);
        let (code, text) = failure("a", &search("{}", 300_000)).await;
        assert_eq!(
            (code, &*text),
            (
                Code::InvalidArgument,
                "limit 300000 exceeds max limit 262144"
            )
        );
        let broken = Step {
            fails: true,
            ..step("x", 1, 1, Vec::new())
        };
        world.script.set("a", vec![broken]);
        assert_eq!(
            failure("a", &search("{}", 0)).await,
            (Code::Internal, "broken".to_owned())
        );
        let busy = Step {
            busy: 9,
            ..step("x", 1, 1, Vec::new())
        };
        world.script.set("a", vec![busy]);
        assert_eq!(
            failure("a", &search("{}", 0)).await.0,
            Code::ResourceExhausted
        );
        world.script.set("a", vec![step("x", 5000, 1, Vec::new())]);
        let late = (
            Code::DeadlineExceeded,
            "context deadline exceeded".to_owned(),
        );
        assert_eq!(failure("a", &search("{}", 0)).await, late);
        let request = QueryRangeRequest {
            query: "{} | rate(".into(),
            ..QueryRangeRequest::default()
        };
        let outcome = world.stream::<_, QueryRangeResponse>("a", "MetricsQueryRange", &request);
        assert_eq!(outcome.await.unwrap_err().code, Code::Unknown);
    });
}

#[test]
fn the_pieces_of_series_are_their_answer() {
    simulate(async || {
        let world = World::start(config());
        let now = unix_nanos() / SECOND * SECOND;
        let steps = (1..=6u64).map(|number| Step {
            spans: vec![
                (now - 10 * number * SECOND, "shop"),
                (
                    now - 100 * SECOND,
                    if number % 2 == 0 { "even" } else { "odd" },
                ),
            ],
            ..step("x", 400 * number, 1, Vec::new())
        });
        world.script.set("a", steps.collect());
        for (by, grows) in [
            ("by(resource.service.name)", true),
            ("by(resource.service.name) | topk(1)", false),
        ] {
            let request = QueryRangeRequest {
                query: format!("{{}} | count_over_time() {by}"),
                start: now - 200 * SECOND,
                end: now,
                step: 10 * SECOND,
                ..QueryRangeRequest::default()
            };
            let messages: Vec<(u64, QueryRangeResponse)> = world
                .stream("a", "MetricsQueryRange", &request)
                .await
                .unwrap();
            let (last, before) = messages.split_last().unwrap();
            assert!(before.len() >= 3);
            assert_eq!(
                before.iter().any(|(_, message)| !message.series.is_empty()),
                grows
            );
            let points = |messages: &[(u64, QueryRangeResponse)]| {
                let mut points = BTreeMap::new();
                for series in messages.iter().flat_map(|(_, message)| &message.series) {
                    for sample in &series.samples {
                        let key = (format!("{:?}", series.labels), sample.timestamp_ms);
                        points.insert(key, sample.value.to_bits());
                    }
                }
                points
            };
            assert_eq!(points(&messages), points(std::slice::from_ref(last)));
            // What did not change is not sent again.
            let count = |message: &QueryRangeResponse| {
                message
                    .series
                    .iter()
                    .map(|s| s.samples.len())
                    .sum::<usize>()
            };
            if grows {
                assert!(count(&before.last().unwrap().1) < count(&last.1) / 2);
                let sum: f64 = last
                    .1
                    .series
                    .iter()
                    .flat_map(|s| &s.samples)
                    .map(|s| s.value)
                    .sum();
                assert_eq!(sum, 12.0);
            }
        }
        let request = QueryInstantRequest {
            query: "{} | count_over_time()".into(),
            start: now - 200 * SECOND,
            end: now,
        };
        let messages: Vec<(u64, QueryInstantResponse)> = world
            .stream("a", "MetricsQueryInstant", &request)
            .await
            .unwrap();
        let values: Vec<f64> = messages
            .iter()
            .flat_map(|(_, m)| &m.series)
            .map(|s| s.value)
            .collect();
        assert!(values.len() >= 3 && values.is_sorted(), "{values:?}");
        assert_eq!(values.last(), Some(&12.0));
    });
}

#[test]
fn the_pieces_of_tags_are_their_answer() {
    simulate(async || {
        let world = World::start(QueryConfig {
            packet_bytes: 700,
            ..config()
        });
        let steps = (1..=4u64).map(|number| Step {
            tags: TagsFound {
                names: (0..=40 * number)
                    .map(|tag| (TagScope::Span, format!("tag {tag}").into()))
                    .collect(),
                values: (0..=40 * number)
                    .map(|tag| ("int", tag.to_string().into()))
                    .collect(),
            },
            ..step("x", 400 * number, 1, Vec::new())
        });
        world.script.set("a", steps.collect());
        let names = SearchTagsRequest {
            start: 100,
            end: 200,
            ..SearchTagsRequest::default()
        };
        let flat: Vec<(u64, SearchTagsResponse)> =
            world.stream("a", "SearchTags", &names).await.unwrap();
        let listed: Vec<_> = flat.iter().flat_map(|(_, m)| m.tag_names.clone()).collect();
        // Each is there twice: as news, and in the whole answer.
        let distinct: BTreeSet<_> = listed.iter().collect();
        assert_eq!(distinct.len(), 161);
        assert!(listed.len() < 2 * 161 && flat.len() > 4);
        assert!(flat.iter().all(|(_, message)| message.encoded_len() <= 700));
        let scopes: Vec<(u64, SearchTagsV2Response)> =
            world.stream("a", "SearchTagsV2", &names).await.unwrap();
        let of = |name: &str| {
            let scopes = scopes.iter().flat_map(|(_, m)| &m.scopes);
            let tags = scopes
                .filter(|scope| scope.name == name)
                .flat_map(|s| s.tags.clone());
            tags.collect::<BTreeSet<_>>().len()
        };
        assert_eq!((of("span"), of("intrinsic")), (161, 25));
        assert!(
            scopes
                .iter()
                .all(|(_, message)| message.encoded_len() <= 700)
        );
        let values = SearchTagValuesRequest {
            tag_name: "span.x".into(),
            start: 100,
            end: 200,
            ..SearchTagValuesRequest::default()
        };
        let typed: Vec<(u64, SearchTagValuesV2Response)> = world
            .stream("a", "SearchTagValuesV2", &values)
            .await
            .unwrap();
        let texts = typed
            .iter()
            .flat_map(|(_, m)| m.tag_values.iter().map(|v| v.value.clone()));
        assert_eq!(texts.collect::<BTreeSet<_>>().len(), 161);
        let plain: Vec<(u64, SearchTagValuesResponse)> =
            world.stream("a", "SearchTagValues", &values).await.unwrap();
        let texts = plain.iter().flat_map(|(_, m)| m.tag_values.clone());
        assert_eq!(texts.collect::<BTreeSet<_>>().len(), 161);
    });
}
