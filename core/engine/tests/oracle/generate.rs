//! Random spans: few keys and values, so that queries match.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::data::{Attributes, Data, Event, Hidden, Link, Scope, Span, Trace, Value};

/// Keys of attributes. `arr` holds arrays, `d` and `n` have columns of their own in blocks.
pub const KEYS: [&str; 7] = [
    "a",
    "b",
    "arr",
    "d",
    "n",
    "http.status_code",
    "service.name",
];

pub const TEXTS: [&str; 6] = ["", "x", "y", "xy", "Xy\nz", "nil"];

pub const INTS: [i64; 6] = [0, 1, 2, 5, -1, i64::MAX];

pub const FLOATS: [f64; 5] = [1.0, 2.5, 5.0, -1.0, 0.5];

pub const NAMES: [&str; 3] = ["GET", "get /", ""];

/// Of spans, also in links.
pub const IDS: [u64; 9] = [
    1,
    2,
    3,
    4,
    5,
    6,
    0xab00_0000_0000_0001,
    0x00cd_0000_0000_0000,
    u64::MAX,
];

pub const TRACE_IDS: [[u8; 16]; 3] = [
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a],
    [0, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0xff; 16],
];

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(&TEXTS[..]).prop_map(|text| Value::Text(text.to_owned()))
}

fn int() -> impl Strategy<Value = Value> {
    prop::sample::select(&INTS[..]).prop_map(Value::Int)
}

fn float() -> impl Strategy<Value = Value> {
    prop::sample::select(&FLOATS[..]).prop_map(Value::Float)
}

fn array() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => vec(text(), 0..4),
        2 => vec(int(), 0..4),
        1 => vec(float(), 0..4),
        1 => vec(any::<bool>().prop_map(Value::Bool), 0..3),
    ]
    .prop_map(Value::Array)
}

fn hidden() -> impl Strategy<Value = Value> {
    let kinds = [Hidden::Bytes, Hidden::MixedArray, Hidden::Map];
    prop::sample::select(kinds.to_vec()).prop_map(Value::Hidden)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text(),
        4 => int(),
        2 => float(),
        2 => any::<bool>().prop_map(Value::Bool),
        1 => hidden(),
    ]
}

fn value_of(key: &'static str) -> BoxedStrategy<Value> {
    match key {
        "arr" => prop_oneof![6 => array(), 1 => scalar()].boxed(),
        "service.name" => text().boxed(),
        "d" => prop_oneof![6 => text(), 1 => scalar(), 1 => array()].boxed(),
        "n" | "http.status_code" => prop_oneof![6 => int(), 1 => scalar(), 1 => array()].boxed(),
        _ => scalar().boxed(),
    }
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let one = |key: &'static str| {
        let value = weighted(0.45, value_of(key));
        value.prop_map(move |value| value.map(|value| (key.to_owned(), value)))
    };
    let [a, b, arr, d, n, status, service] = KEYS.map(one);
    (a, b, arr, d, n, status, service).prop_map(|all| {
        let all = [all.0, all.1, all.2, all.3, all.4, all.5, all.6];
        all.into_iter().flatten().collect()
    })
}

fn few_attributes() -> impl Strategy<Value = Attributes> {
    let one = prop::sample::select(&KEYS[..])
        .prop_flat_map(|key| value_of(key).prop_map(move |value| (key.to_owned(), value)));
    vec(one, 0..3).prop_map(|mut all: Attributes| {
        let mut seen = HashSet::new();
        all.retain(|(key, _)| seen.insert(key.clone()));
        all
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn event() -> impl Strategy<Value = Event> {
    (0..4_u64, name(), few_attributes()).prop_map(|(offset, name, attributes)| Event {
        offset,
        name,
        attributes,
    })
}

fn link() -> impl Strategy<Value = Link> {
    let trace = prop::sample::select(&TRACE_IDS[..]);
    let span = prop::sample::select(&IDS[..]);
    (trace, span, few_attributes()).prop_map(|(trace_id, span_id, attributes)| Link {
        trace_id,
        span_id,
        attributes,
    })
}

const RESOURCES: usize = 3;
const SCOPES: usize = 2;

fn span() -> impl Strategy<Value = Span> {
    let tree = (
        prop::sample::select(&IDS[..]),
        prop_oneof![
            1 => Just(None),
            4 => prop::sample::select(&IDS[..]).prop_map(Some),
            1 => Just(Some(77)),
        ],
        prop_oneof![3 => Just(2), 3 => Just(3), 1 => 0..6],
    );
    let fields = (
        name(),
        0..3,
        name(),
        1_000_000_000..1_000_000_005_u64,
        0..6_u64,
    );
    let members = (vec(event(), 0..3), vec(link(), 0..3));
    let context = (0..RESOURCES, 0..SCOPES);
    (tree, fields, attributes(), members, context).prop_map(
        |(tree, fields, attributes, members, context)| Span {
            id: tree.0,
            parent: tree.1,
            kind: tree.2,
            name: fields.0,
            status: fields.1,
            message: fields.2,
            start: fields.3,
            duration: fields.4,
            attributes,
            events: members.0,
            links: members.1,
            resource: context.0,
            scope: context.1,
        },
    )
}

/// Makes a tree of spans: mostly one root, distinct ids but for pairs of client and server, a few orphans.
fn plant(spans: &mut [Span], choices: &[(u8, u8)]) {
    let mut ids: Vec<u64> = Vec::new();
    for (number, (span, &(shape, parent))) in spans.iter_mut().zip(choices).enumerate() {
        let before = ids.get(usize::from(parent) % ids.len().max(1)).copied();
        span.id = match shape % 6 {
            0 if number > 0 && ids.iter().filter(|id| **id == ids[number - 1]).count() == 1 => {
                ids[number - 1]
            }
            _ => IDS.get(number).copied().unwrap_or(100 + number as u64),
        };
        span.parent = match shape {
            0..16 => Some(77),
            16..32 => None,
            _ => before,
        };
        ids.push(span.id);
    }
}

pub fn data() -> impl Strategy<Value = Data> {
    let scope = (name(), name(), few_attributes()).prop_map(|(name, version, attributes)| Scope {
        name,
        version,
        attributes,
    });
    let trace = (
        prop_oneof![4 => vec(span(), 1..8), 1 => vec(span(), 6..16)],
        weighted(0.8, vec((any::<u8>(), any::<u8>()), 16)),
    );
    let trace = trace.prop_map(|(mut spans, choices)| {
        if let Some(choices) = choices {
            plant(&mut spans, &choices);
        }
        spans
    });
    let all = (
        vec(attributes(), RESOURCES),
        vec(scope, SCOPES),
        vec(trace, 1..4),
    );
    all.prop_map(|(resources, scopes, traces)| Data {
        resources,
        scopes,
        traces: traces
            .into_iter()
            .zip(TRACE_IDS)
            .map(|(mut spans, id)| {
                let mut seen = HashSet::new();
                spans.retain(|span| seen.insert((span.id, span.kind)));
                Trace { id, spans }
            })
            .collect(),
    })
}
