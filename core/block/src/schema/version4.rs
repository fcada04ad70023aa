//! The tree of version 4 (block-format.md §3.3): lists of three levels, every leaf always there.

use super::column::{AttributeOwner, Column};
use super::tree::{
    Annotation, Codec, Encoding, LeafNode, Logical, Node, Physical, Repetition, attribute, bytes,
    count, group, leaf, list, list_of, long_text, number, optional, text,
};
use crate::WellKnown;
use crate::dedicated::{Kind, Scope, Slot};

const I32: Logical = Logical::Signed(32);
const I64: Logical = Logical::Signed(64);
const U32: Logical = Logical::Unsigned(32);
const U64: Logical = Logical::Unsigned(64);
/// Slots of resources and of spans.
const SLOTS: u8 = 10;

pub(super) fn nodes() -> Vec<Node> {
    vec![
        bytes("TraceID", Column::TraceId),
        long_text("TraceIDText", Column::TraceIdText),
        number("StartTimeUnixNano", Column::TraceStartUnixNano, U64),
        number("EndTimeUnixNano", Column::TraceEndUnixNano, U64),
        number("DurationNano", Column::TraceDurationNano, U64),
        text("RootServiceName", Column::RootServiceName, Codec::None),
        text("RootSpanName", Column::RootSpanName, Codec::None),
        service_stats(),
        list("rs", vec![resource(), list("ss", vec![scope(), spans()])]),
    ]
}

fn service_stats() -> Node {
    let key = leaf(
        "key",
        Column::StatsServiceName,
        Physical::ByteArray,
        Logical::String,
        Encoding::DeltaLength,
        Codec::None,
    );
    let value = group(
        "value",
        vec![
            number("SpanCount", Column::StatsSpanCount, U32),
            number("ErrorCount", Column::StatsErrorCount, U32),
        ],
    );
    Node::Group {
        name: "ServiceStats",
        repetition: Repetition::Required,
        annotation: Annotation::Map,
        children: vec![Node::Group {
            name: "key_value",
            repetition: Repetition::Repeated,
            annotation: Annotation::None,
            children: vec![Node::Leaf(key), value],
        }],
    }
}

fn attributes(owner: AttributeOwner) -> Node {
    let value = |name: &'static str, leaf: LeafNode| {
        let element = LeafNode {
            name: "element".into(),
            ..leaf
        };
        list_of(name, Node::Leaf(element))
    };
    list("Attrs", attribute(owner, value))
}

fn dedicated(scope: Scope) -> Node {
    let node = |index| {
        let slot = Slot {
            scope,
            kind: Kind::String,
            index,
        };
        optional(text(&slot.leaf(), Column::Dedicated(slot), Codec::Snappy))
    };
    group("DedicatedAttributes", (0..SLOTS).map(node).collect())
}

fn well_known(known: WellKnown) -> Node {
    let column = Column::WellKnown(known);
    match known.kind() {
        Kind::String => text(known.leaf(), column, Codec::Snappy),
        Kind::Int => Node::Leaf(leaf(
            known.leaf(),
            column,
            Physical::Int64,
            I64,
            Encoding::Plain,
            Codec::Snappy,
        )),
    }
}

fn resource() -> Node {
    let mut children = vec![
        attributes(AttributeOwner::Resource),
        count(
            "DroppedAttributesCount",
            Column::ResourceDroppedAttributes,
            Encoding::Delta,
        ),
    ];
    for known in WellKnown::OF_RESOURCE {
        children.push(match known {
            WellKnown::ServiceName => well_known(known),
            _ => optional(well_known(known)),
        });
    }
    children.push(dedicated(Scope::Resource));
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

fn spans() -> Node {
    let mut children = vec![
        bytes("SpanID", Column::SpanId),
        bytes("ParentSpanID", Column::ParentSpanId),
        number("ParentID", Column::ParentId, I32),
        number("NestedSetLeft", Column::NestedSetLeft, I32),
        number("NestedSetRight", Column::NestedSetRight, I32),
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
        events(),
        count("DroppedEventsCount", Column::DroppedEvents, Encoding::Plain),
        links(),
        count("DroppedLinksCount", Column::DroppedLinks, Encoding::Plain),
    ];
    children.extend(WellKnown::OF_SPAN.map(|known| optional(well_known(known))));
    children.push(dedicated(Scope::Span));
    list("Spans", children)
}

fn events() -> Node {
    list(
        "Events",
        vec![
            number("TimeSinceStartNano", Column::EventTimeSinceStartNano, U64),
            text("Name", Column::EventName, Codec::Snappy),
            attributes(AttributeOwner::Event),
            count(
                "DroppedAttributesCount",
                Column::EventDroppedAttributes,
                Encoding::Delta,
            ),
        ],
    )
}

fn links() -> Node {
    list(
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
