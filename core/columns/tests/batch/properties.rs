//! Random batches, and the conformance data.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use vivace_columns::{BatchChunk, Bitmap, Chunk as _, Column, Level};

use crate::common::{Val, batch, conformance, finish, load};
use crate::support::{self, Any, Attributes, Span};
use crate::{block, naive};

/// Spans at most.
const MOST: usize = 14;

/// What makes of random spans trees, doubles, and things that are nearly equal.
#[derive(Clone, Debug)]
pub struct Choices {
    /// By span: whose id is its parent's, and whether it has one.
    parents: Vec<(usize, bool)>,
    /// Whose id it gets.
    same_id: Vec<Option<usize>>,
    kinds: Vec<i32>,
    statuses: Vec<i32>,
    ends: Vec<u64>,
    /// Whose resource and scope it gets, in another order of attributes and with another dropped count.
    alike: Vec<Option<usize>>,
    /// A link says that it is a child: of a span of its own trace, or of another.
    child_of: Vec<Option<bool>>,
    lists: Vec<Option<Any>>,
    services: Vec<Vec<Any>>,
}

fn list() -> impl Strategy<Value = Any> {
    use prop::collection::vec;
    prop_oneof![
        vec("[ab]{0,2}".prop_map(Any::String), 0..4),
        vec(any::<i64>().prop_map(Any::Int), 0..4),
        vec(any::<u64>().prop_map(Any::Double), 0..4),
        vec(any::<bool>().prop_map(Any::Bool), 0..4),
    ]
    .prop_map(Any::Array)
}

pub fn choices() -> impl Strategy<Value = Choices> {
    use prop::collection::vec;
    use prop::option::weighted;
    let tree = (
        vec((0..MOST, any::<bool>()), MOST),
        vec(weighted(0.3, 0..MOST), MOST),
        vec(weighted(0.5, 0..MOST), MOST),
    );
    let fields = (
        vec(prop_oneof![4 => 1..5, 1 => any::<i32>()], MOST),
        vec(-1..4, MOST),
        vec(0..9_u64, MOST),
    );
    let service = prop_oneof![
        4 => "[ab]?".prop_map(Any::String),
        1 => support::any_value(),
    ];
    let values = (
        vec(weighted(0.3, any::<bool>()), MOST),
        vec(weighted(0.5, list()), MOST),
        vec(vec(service, 0..3), MOST),
    );
    (tree, fields, values).prop_map(|(tree, fields, values)| Choices {
        parents: tree.0,
        same_id: tree.1,
        alike: tree.2,
        kinds: fields.0,
        statuses: fields.1,
        ends: fields.2,
        child_of: values.0,
        lists: values.1,
        services: values.2,
    })
}

/// The attributes in another order, those of one key in the same.
fn turned(attributes: &Attributes) -> Attributes {
    let mut turned = attributes.clone();
    turned.sort_by(|a, b| b.0.cmp(&a.0));
    turned
}

pub fn arrange(mut spans: Vec<Span>, choices: &Choices) -> Vec<Span> {
    let ids: Vec<_> = spans.iter().map(|span| span.span_id).collect();
    let count = spans.len();
    for (at, span) in spans.iter_mut().enumerate() {
        if let Some(other) = choices.same_id[at] {
            span.span_id = ids[other % count];
        }
        let (parent, has) = choices.parents[at];
        span.parent = has.then(|| ids[parent % count]);
        span.kind = choices.kinds[at];
        span.status.0 = choices.statuses[at];
        span.end = choices.ends[at];
        let services = choices.services[at].iter();
        let services = services.map(|service| ("service.name".to_owned(), service.clone()));
        span.resource.attributes.extend(services);
        let list = choices.lists[at].iter();
        let list = list.map(|list| ("list".to_owned(), list.clone()));
        span.attributes.extend(list);
        if let (Some(is_own), Some(link)) = (choices.child_of[at], span.links.first_mut()) {
            let key = "opentracing.ref_type".to_owned();
            link.attributes
                .push((key, Any::String("child_of".to_owned())));
            link.trace_id = if is_own { span.trace_id } else { [9; 16] }.to_vec();
        }
    }
    for at in 0..count {
        if let Some(other) = choices.alike[at] {
            let (resource, scope) = (
                spans[other % count].resource.clone(),
                spans[other % count].scope.clone(),
            );
            spans[at].resource.attributes = turned(&resource.attributes);
            spans[at].scope.attributes = turned(&scope.attributes);
            spans[at].scope.name = scope.name;
            spans[at].scope.version = scope.version;
        }
    }
    spans
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(support::iterations(256))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn everything_is_as_the_naive_model_says(spans in support::spans(MOST), choices in choices()) {
        naive::check(&batch(&arrange(spans, &choices)));
    }

    #[test]
    fn traces_are_as_a_block_has_them(spans in support::spans(MOST), choices in choices()) {
        block::check(&batch(&arrange(spans, &choices)));
    }

    #[test]
    fn some_traces_are_enough(
        spans in support::spans(MOST),
        choices in choices(),
        keep in prop::array::uniform4(any::<bool>()),
    ) {
        let batch = batch(&arrange(spans, &choices));
        let traces = batch.view().trace_count() as u32;
        naive::check_some(&batch, &Bitmap::from_fn(traces, |trace| keep[trace as usize]));
    }
}

#[test]
fn the_conformance_data() {
    for batch in conformance() {
        naive::check(&batch);
        block::check(&batch);
    }
}

#[test]
fn keys_that_are_nowhere_have_no_strings_but_services_have_a_name() {
    let runner = &mut proptest::test_runner::TestRunner::deterministic();
    let mut span = support::span().new_tree(runner).unwrap().current();
    span.resource.attributes = vec![("known".to_owned(), Any::Int(1))];
    span.attributes = Vec::new();
    (span.events, span.links) = (Vec::new(), Vec::new());
    (span.name, span.scope.attributes) = (String::new(), Vec::new());
    let mut chunk = BatchChunk::new(&batch(&[span]), async || {});
    for (level, key, is_empty) in [
        (Level::Span, "unknown", true),
        (Level::Resource, "known", false),
        (Level::Resource, "service.name", false),
    ] {
        let column = Column::Attribute(level, key.into());
        let strings = finish(chunk.strings_of(&column)).unwrap();
        let found = strings.is_some_and(|strings| strings.is_empty());
        assert_eq!(found, is_empty, "{column:?}");
    }
    let service = Column::Attribute(Level::Resource, "service.name".into());
    let expected = [Some(Val::Text(String::new()))];
    assert_eq!(load(&mut chunk, &service), expected);
}
