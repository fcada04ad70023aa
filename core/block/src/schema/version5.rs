//! The tree of version 5 (block-format.md §3.2): bare repeated fields.

use super::column::{AttributeOwner, Column};
use super::tree::{
    Codec, Encoding, LeafNode, Logical, Node, Physical, Repetition, attribute, bytes, count, group,
    leaf, long_text, number, repeated, text, with_repetition,
};
use crate::WellKnown;
use crate::dedicated::{Assigned, Kind, Scope};

const I32: Logical = Logical::Signed(32);
const I64: Logical = Logical::Signed(64);
const U32: Logical = Logical::Unsigned(32);
const U64: Logical = Logical::Unsigned(64);

pub(super) fn nodes(assigned: &[Assigned]) -> Vec<Node> {
    vec![
        bytes("TraceID", Column::TraceId),
        long_text("TraceIDText", Column::TraceIdText),
        number("StartTimeUnixNano", Column::TraceStartUnixNano, U64),
        number("EndTimeUnixNano", Column::TraceEndUnixNano, U64),
        number("DurationNano", Column::TraceDurationNano, U64),
        text("RootServiceName", Column::RootServiceName, Codec::None),
        text("RootSpanName", Column::RootSpanName, Codec::None),
        repeated(
            "ServiceStats",
            vec![
                text("ServiceName", Column::StatsServiceName, Codec::Snappy),
                number("SpanCount", Column::StatsSpanCount, U32),
                number("ErrorCount", Column::StatsErrorCount, U32),
            ],
        ),
        repeated(
            "rs",
            vec![
                resource(assigned),
                repeated(
                    "ss",
                    vec![
                        scope(),
                        spans(assigned),
                        number("SpanCount", Column::ScopeSpanCount, I32),
                    ],
                ),
            ],
        ),
    ]
}

fn attributes(owner: AttributeOwner) -> Node {
    let value =
        |_: &'static str, leaf: LeafNode| with_repetition(Node::Leaf(leaf), Repetition::Repeated);
    repeated("Attrs", attribute(owner, value))
}

/// None if no column of the scope is assigned: then there is no group either.
fn dedicated(scope: Scope, assigned: &[Assigned]) -> Option<Node> {
    let mut of_scope: Vec<_> = assigned
        .iter()
        .filter(|one| one.slot.scope == scope)
        .collect();
    of_scope.sort_by_key(|one| one.slot);
    let node = |one: &&Assigned| {
        let (physical, logical) = match one.slot.kind {
            Kind::String => (Physical::ByteArray, Logical::String),
            Kind::Int => (Physical::Int64, I64),
        };
        let (encoding, codec) = match (one.slot.kind, one.blob) {
            (Kind::String, true) => (Encoding::DeltaLength, Codec::Zstd),
            (Kind::String, false) => (Encoding::Dictionary, Codec::Snappy),
            (Kind::Int, _) => (Encoding::Plain, Codec::Snappy),
        };
        Node::Leaf(LeafNode {
            repetition: Repetition::Repeated,
            unbounded: one.blob && one.slot.kind == Kind::String,
            ..leaf(
                &one.slot.leaf(),
                Column::Dedicated(one.slot),
                physical,
                logical,
                encoding,
                codec,
            )
        })
    };
    let leaves: Vec<Node> = of_scope.iter().map(node).collect();
    (!leaves.is_empty()).then(|| group("DedicatedAttributes", leaves))
}

fn resource(assigned: &[Assigned]) -> Node {
    let service = Column::WellKnown(WellKnown::ServiceName);
    let mut children = vec![
        text("ServiceName", service, Codec::Snappy),
        attributes(AttributeOwner::Resource),
        count(
            "DroppedAttributesCount",
            Column::ResourceDroppedAttributes,
            Encoding::Delta,
        ),
    ];
    children.extend(dedicated(Scope::Resource, assigned));
    group("Resource", children)
}

fn scope() -> Node {
    group(
        "Scope",
        vec![
            text("Name", Column::ScopeName, Codec::Snappy),
            text("Version", Column::ScopeVersion, Codec::Snappy),
            attributes(AttributeOwner::Scope),
            count(
                "DroppedAttributesCount",
                Column::ScopeDroppedAttributes,
                Encoding::Delta,
            ),
        ],
    )
}

fn spans(assigned: &[Assigned]) -> Node {
    let mut children = vec![
        bytes("SpanID", Column::SpanId),
        bytes("ParentSpanID", Column::ParentSpanId),
        number("ParentID", Column::ParentId, I32),
        number("NestedSetLeft", Column::NestedSetLeft, I32),
        number("NestedSetRight", Column::NestedSetRight, I32),
        number("ChildCount", Column::ChildCount, I32),
        text("Name", Column::SpanName, Codec::Snappy),
        number("Kind", Column::Kind, I64),
        long_text("TraceState", Column::TraceState),
        number("StartTimeUnixNano", Column::SpanStartUnixNano, U64),
        number("DurationNano", Column::SpanDurationNano, U64),
        number("StatusCode", Column::StatusCode, I64),
        long_text("StatusMessage", Column::StatusMessage),
        attributes(AttributeOwner::Span),
        count(
            "DroppedAttributesCount",
            Column::SpanDroppedAttributes,
            Encoding::Delta,
        ),
        events(assigned),
        count("DroppedEventsCount", Column::DroppedEvents, Encoding::Plain),
        links(),
        count("DroppedLinksCount", Column::DroppedLinks, Encoding::Plain),
    ];
    children.extend(dedicated(Scope::Span, assigned));
    for (name, seconds) in [
        ("StartTimeRounded15", 15),
        ("StartTimeRounded60", 60),
        ("StartTimeRounded300", 300),
        ("StartTimeRounded3600", 3600),
    ] {
        children.push(number(name, Column::StartTimeRounded(seconds), U32));
    }
    repeated("Spans", children)
}

fn events(assigned: &[Assigned]) -> Node {
    let mut children = vec![
        number("TimeSinceStartNano", Column::EventTimeSinceStartNano, U64),
        text("Name", Column::EventName, Codec::Snappy),
        attributes(AttributeOwner::Event),
        count(
            "DroppedAttributesCount",
            Column::EventDroppedAttributes,
            Encoding::Delta,
        ),
    ];
    children.extend(dedicated(Scope::Event, assigned));
    repeated("Events", children)
}

fn links() -> Node {
    repeated(
        "Links",
        vec![
            bytes("TraceID", Column::LinkTraceId),
            bytes("SpanID", Column::LinkSpanId),
            long_text("TraceState", Column::LinkTraceState),
            attributes(AttributeOwner::Link),
            count(
                "DroppedAttributesCount",
                Column::LinkDroppedAttributes,
                Encoding::Delta,
            ),
        ],
    )
}
