use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;

use super::*;
use crate::arbitrary;
use crate::batches::batch;
use crate::tempopb::*;

/// A span with all that surrounds it.
#[derive(Clone, Debug)]
struct Item {
    resource: Resource,
    resource_url: String,
    scope: InstrumentationScope,
    scope_url: String,
    span: Span,
}

/// Items of one trace. Ids, kinds, starts, resources and scopes come from small sets, so that spans are
/// repeated, contradict each other and share what surrounds them.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let resources = vec((arbitrary::resource(), arbitrary::text()), 1..3);
    let scopes = vec((arbitrary::scope(), arbitrary::text()), 1..3);
    let spans = vec(
        (
            arbitrary::span(),
            (1..12u64, 0..4i32, 1..4u64),
            any::<(Index, Index, bool)>(),
        ),
        0..16,
    );
    (resources, scopes, spans).prop_map(|(resources, scopes, spans)| {
        spans
            .into_iter()
            .map(|(mut span, (id, kind, start), (resource, scope, swap))| {
                span.trace_id = vec![7; 16];
                span.span_id = id.to_be_bytes().to_vec();
                span.kind = kind;
                span.start_time_unix_nano = start;
                let (mut resource, resource_url) = resource.get(&resources).clone();
                let (scope, scope_url) = scope.get(&scopes).clone();
                if swap {
                    resource.attributes.reverse();
                }
                Item {
                    resource,
                    resource_url,
                    scope,
                    scope_url,
                    span,
                }
            })
            .collect()
    })
}

fn fragment(items: &[Item]) -> Option<Fragment> {
    let resource_spans = items
        .iter()
        .map(|item| ResourceSpans {
            resource: Some(item.resource.clone()),
            schema_url: item.resource_url.clone(),
            scope_spans: vec![ScopeSpans {
                scope: Some(item.scope.clone()),
                schema_url: item.scope_url.clone(),
                spans: vec![item.span.clone()],
            }],
        })
        .collect();
    let batch = batch(&Trace { resource_spans })?;
    let rows = 0..batch.view().span_count();
    Some(Fragment { batch, rows })
}

/// What a batch does not keep: whether a value or a status was absent or empty.
fn normal(mut item: Item) -> Item {
    fn attributes(list: &mut [KeyValue]) {
        for attribute in list {
            value(attribute.value.get_or_insert_default());
        }
    }
    fn value(any: &mut AnyValue) {
        match &mut any.value {
            Some(Value::Array(v)) => v.values.iter_mut().for_each(value),
            Some(Value::KvList(v)) => attributes(&mut v.values),
            _ => {}
        }
    }
    attributes(&mut item.resource.attributes);
    attributes(&mut item.scope.attributes);
    attributes(&mut item.span.attributes);
    item.span
        .events
        .iter_mut()
        .for_each(|e| attributes(&mut e.attributes));
    item.span
        .links
        .iter_mut()
        .for_each(|l| attributes(&mut l.attributes));
    item.span.status.get_or_insert_default();
    item
}

/// The spans of an answer with what surrounds them, attributes of resources sorted.
fn flat(trace: &Trace) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for rs in &trace.resource_spans {
        for ss in &rs.scope_spans {
            for span in &ss.spans {
                let item = Item {
                    resource: rs.resource.clone().unwrap(),
                    resource_url: rs.schema_url.clone(),
                    scope: ss.scope.clone().unwrap(),
                    scope_url: ss.schema_url.clone(),
                    span: span.clone(),
                };
                out.push(bytes(item));
            }
        }
    }
    out.sort();
    out
}

fn bytes(item: Item) -> Vec<u8> {
    let mut item = normal(item);
    item.resource.attributes.sort_by_key(|a| a.encode_to_vec());
    [
        item.resource.encode_to_vec(),
        item.resource_url.into_bytes(),
        item.scope.encode_to_vec(),
        item.scope_url.into_bytes(),
        item.span.encode_to_vec(),
    ]
    .concat()
}

/// The model: the first-starting span of each (id, kind); among those that start together any may win.
fn model(items: &[Item]) -> BTreeMap<(Vec<u8>, i32), Vec<Vec<u8>>> {
    let mut first: BTreeMap<_, u64> = BTreeMap::new();
    for item in items {
        let start = item.span.start_time_unix_nano;
        let key = (item.span.span_id.clone(), item.span.kind);
        first
            .entry(key)
            .and_modify(|s| *s = start.min(*s))
            .or_insert(start);
    }
    let mut out: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    for item in items {
        let key = (item.span.span_id.clone(), item.span.kind);
        if first[&key] == item.span.start_time_unix_nano {
            out.entry(key).or_default().push(bytes(item.clone()));
        }
    }
    out
}

fn encoded(combined: &Combined) -> Vec<u8> {
    combined.trace.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_span_is_there_once(items in items()) {
        let fragments: Vec<_> = fragment(&items).into_iter().collect();
        let combined = combine(&fragments, CombineOptions::default());
        let got = flat(&combined.trace);
        let model = model(&items);
        prop_assert_eq!(got.len(), model.len());
        prop_assert_eq!(combined.spans, model.len());
        for candidates in model.values() {
            prop_assert!(candidates.iter().any(|c| got.binary_search(c).is_ok()));
        }
        // Sorted below their scopes, scopes and resources by their first spans; none is empty or twice there.
        let mut before = None;
        for rs in &combined.trace.resource_spans {
            let starts = |ss: &ScopeSpans| ss.spans.iter().map(|s| s.start_time_unix_nano).collect::<Vec<_>>();
            let scopes: Vec<_> = rs.scope_spans.iter().map(starts).collect();
            prop_assert!(scopes.iter().all(|s| !s.is_empty() && s.is_sorted()));
            prop_assert!(scopes.iter().map(|s| s[0]).is_sorted());
            prop_assert!(before <= Some(scopes[0][0]));
            before = Some(scopes[0][0]);
        }
    }

    #[test]
    fn the_answer_is_the_same_however_spans_are_spread(
        items in items(),
        spread in vec((any::<Index>(), 0..5usize), 0..40),
    ) {
        let together: Vec<_> = fragment(&items).into_iter().collect();
        let mut pieces = vec![Vec::new(); 5];
        for (index, item) in items.iter().enumerate() {
            pieces[index % 5].push(item.clone());
        }
        if !items.is_empty() {
            for (item, piece) in spread {
                let piece: &mut Vec<_> = &mut pieces[piece];
                let at = item.index(piece.len() + 1);
                piece.insert(at, item.get(&items).clone());
            }
        }
        let mut apart: Vec<_> = pieces.iter().rev().filter_map(|p| fragment(p)).collect();
        apart.extend(apart.first().cloned());
        for options in [
            CombineOptions::default(),
            CombineOptions::trace_by_id(0),
            CombineOptions::trace_by_id(500),
        ] {
            let (a, b) = (combine(&together, options), combine(&apart, options));
            prop_assert_eq!(encoded(&a), encoded(&b));
            prop_assert_eq!(a.left_out, b.left_out);
        }
    }

    #[test]
    fn the_limit_keeps_as_many_spans_as_fit(items in items(), max_bytes in 1..3000u64) {
        let fragments: Vec<_> = fragment(&items).into_iter().collect();
        let all = combine(&fragments, CombineOptions::default());
        let cut = combine(&fragments, CombineOptions { max_bytes, ..Default::default() });
        prop_assert!(cut.trace.encoded_len() as u64 <= max_bytes);
        prop_assert_eq!(cut.spans + cut.left_out, all.spans);
        prop_assert_eq!(cut.is_partial(), all.trace.encoded_len() as u64 > max_bytes);
        prop_assert_eq!(flat(&cut.trace).len(), cut.spans);
        if !cut.is_partial() {
            prop_assert_eq!(encoded(&cut), encoded(&all));
        }
    }
}

fn span(id: u8, parent: u8, kind: i32, start: u64) -> Item {
    let id_bytes = |id: u8| if id == 0 { vec![] } else { vec![id; 8] };
    let span = Span {
        trace_id: vec![7; 16],
        span_id: id_bytes(id),
        parent_span_id: id_bytes(parent),
        kind,
        start_time_unix_nano: start,
        ..Default::default()
    };
    Item {
        resource: Resource::default(),
        resource_url: String::new(),
        scope: InstrumentationScope::default(),
        scope_url: String::new(),
        span,
    }
}

fn ids(trace: &Trace) -> Vec<(Vec<u8>, Vec<u8>, i32)> {
    let spans = trace.resource_spans.iter().flat_map(|rs| &rs.scope_spans);
    spans
        .flat_map(|ss| &ss.spans)
        .map(|s| (s.span_id.clone(), s.parent_span_id.clone(), s.kind))
        .collect()
}

#[test]
fn a_shared_id_is_split_and_the_children_follow_the_server() {
    let items = [
        span(9, 0, 1, 1),
        span(5, 9, SPAN_KIND_CLIENT, 2),
        span(5, 9, SPAN_KIND_SERVER, 3),
        span(6, 5, 1, 4),
    ];
    let fragments = [fragment(&items).unwrap()];
    let id = |byte: u8| vec![byte; 8];
    let one = 1u64.to_be_bytes().to_vec();

    let split = combine(&fragments, CombineOptions::trace_by_id(0)).trace;
    let want = [
        (id(9), vec![], 1),
        (id(5), id(9), SPAN_KIND_CLIENT),
        (one.clone(), id(5), SPAN_KIND_SERVER),
        (id(6), one.clone(), 1),
    ];
    assert_eq!(ids(&split), want);

    let as_stored = combine(&fragments, CombineOptions::default()).trace;
    assert_eq!(ids(&as_stored)[2], (id(5), id(9), SPAN_KIND_SERVER));
}

#[test]
fn a_new_id_is_one_that_nobody_has() {
    let mut taken = span(1, 0, 1, 1);
    taken.span.span_id = 1u64.to_be_bytes().to_vec();
    let items = [
        taken,
        span(5, 0, SPAN_KIND_CLIENT, 2),
        span(5, 0, SPAN_KIND_SERVER, 3),
    ];
    let trace = combine(&[fragment(&items).unwrap()], CombineOptions::trace_by_id(0)).trace;
    assert_eq!(ids(&trace)[2].0, 2u64.to_be_bytes().to_vec());
}

#[test]
fn a_server_span_alone_keeps_its_id() {
    let items = [span(5, 0, SPAN_KIND_SERVER, 2), span(5, 0, 1, 3)];
    let trace = combine(&[fragment(&items).unwrap()], CombineOptions::trace_by_id(0)).trace;
    assert!(ids(&trace).iter().all(|(id, _, _)| *id == vec![5; 8]));
}

#[test]
fn a_cut_trace_says_so() {
    let items = [span(1, 0, 1, 1), span(2, 1, 1, 2)];
    let combined = combine(
        &[fragment(&items).unwrap()],
        CombineOptions::trace_by_id(60),
    );
    assert_eq!((combined.spans, combined.left_out), (1, 1));
    assert_eq!(
        combined.message(),
        "Trace exceeds maximum size of 60 bytes, a partial trace is returned"
    );
    assert!(
        combined
            .too_large_error()
            .unwrap()
            .contains("trace exceeds max size (max bytes: 60)")
    );
    let response = combined.into_response(TraceByIdMetrics::default());
    assert!(
        to_json_v2(&response).contains(r#","metrics":{},"status":"PARTIAL","message":"Trace ex"#)
    );
}

#[test]
fn nothing_found_is_an_empty_answer() {
    let combined = combine(&[], CombineOptions::trace_by_id(10));
    assert!(combined.is_empty() && !combined.is_partial());
    let response = combined.into_response(TraceByIdMetrics::default());
    assert_eq!(to_json_v2(&response), r#"{"trace":{},"metrics":{}}"#);
    // In protobuf the trace is there too, empty.
    assert_eq!(response.encode_to_vec(), [0x0a, 0, 0x12, 0]);
}

#[test]
fn long_work_pauses() {
    let items: Vec<_> = (0..1000u64)
        .map(|start| {
            let mut item = span(1, 0, 1, start);
            item.span.span_id = (start + 1).to_be_bytes().to_vec();
            item
        })
        .collect();
    let fragments = [fragment(&items).unwrap()];
    let pauses = std::cell::Cell::new(0);
    let pause = async || pauses.set(pauses.get() + 1);
    let options = CombineOptions::default();
    let combined = crate::pause::finish(combine_pausing(&fragments, options, pause));
    assert_eq!(combined, combine(&fragments, options));
    assert!(pauses.get() >= 2 * 1000 / 64);
    pauses.set(0);
    let json = crate::pause::finish(to_json_v1_pausing(&combined.trace, pause));
    assert_eq!(json, to_json_v1(&combined.trace));
    assert!(pauses.get() >= 1000 / 64);
}
