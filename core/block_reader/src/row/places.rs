//! Where in the tree of a row each leaf hangs.

use vivace_block::WellKnown;
use vivace_block::dedicated::Scope;
use vivace_block::schema::{AttributeLeaf, AttributeOwner, Column};

use crate::open::{Leaf, OldColumn, Part};

/// A repeated group of the tree. Its levels, repetition and definition alike, are the same number in every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Resources,
    Scopes,
    Spans,
    Events,
    Links,
    Attributes(AttributeOwner),
}

impl Group {
    /// The group that holds what has these attributes.
    pub fn of(owner: AttributeOwner) -> Self {
        match owner {
            AttributeOwner::Resource => Self::Resources,
            AttributeOwner::Scope => Self::Scopes,
            AttributeOwner::Span => Self::Spans,
            AttributeOwner::Event => Self::Events,
            AttributeOwner::Link => Self::Links,
        }
    }

    pub fn level(self) -> u8 {
        match self {
            Self::Resources => 1,
            Self::Scopes => 2,
            Self::Spans => 3,
            Self::Events | Self::Links => 4,
            Self::Attributes(owner) => Self::of(owner).level() + 1,
        }
    }

    fn parent(self) -> Option<Self> {
        match self {
            Self::Resources => None,
            Self::Scopes => Some(Self::Resources),
            Self::Spans => Some(Self::Scopes),
            Self::Events | Self::Links => Some(Self::Spans),
            Self::Attributes(owner) => Some(Self::of(owner)),
        }
    }

    /// Whether `self` is `other` or hangs below it.
    fn is_within(self, other: Self) -> bool {
        let mut group = Some(self);
        while let Some(this) = group {
            if this == other {
                return true;
            }
            group = this.parent();
        }
        false
    }
}

/// The group a leaf stands in directly.
fn group_of(leaf: &Leaf) -> Option<Group> {
    let column = match leaf.part {
        Part::Column(column) => column,
        Part::Old(old) => {
            return Some(match old {
                OldColumn::ValueArray(owner) | OldColumn::ValueKvList(owner) => {
                    Group::Attributes(owner)
                }
                OldColumn::EventTimeUnixNano => Group::Events,
                OldColumn::EventAttributeValue => Group::Attributes(AttributeOwner::Event),
                OldColumn::Links => Group::Spans,
            });
        }
    };
    Some(match column {
        Column::Attribute(owner, _) => Group::Attributes(owner),
        Column::Dedicated(slot) => match slot.scope {
            Scope::Resource => Group::Resources,
            Scope::Span => Group::Spans,
            Scope::Event => Group::Events,
        },
        Column::WellKnown(known) if WellKnown::OF_SPAN.contains(&known) => Group::Spans,
        Column::WellKnown(_) | Column::ResourceDroppedAttributes => Group::Resources,
        Column::ScopeName | Column::ScopeVersion | Column::ScopeDroppedAttributes => Group::Scopes,
        Column::EventTimeSinceStartNano | Column::EventName | Column::EventDroppedAttributes => {
            Group::Events
        }
        Column::LinkTraceId
        | Column::LinkSpanId
        | Column::LinkTraceState
        | Column::LinkDroppedAttributes => Group::Links,
        Column::TraceId => return None,
        _ => Group::Spans,
    })
}

/// The leaves of generic attributes of one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttributePlaces {
    pub key: Option<usize>,
    pub is_array: Option<usize>,
    pub string: Option<usize>,
    pub int: Option<usize>,
    pub double: Option<usize>,
    pub bool: Option<usize>,
    pub unsupported: Option<usize>,
    /// Version 3: JSON of an array.
    pub array: Option<usize>,
    /// Version 3: JSON of a list of keys and values.
    pub kvlist: Option<usize>,
    /// Version 3: protobuf.
    pub encoded: Option<usize>,
}

/// An attribute with a leaf of its own.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub leaf: usize,
    pub attribute: String,
}

/// Leaves by what they are for. None where a format does not have one.
#[derive(Debug)]
pub(crate) struct Places {
    /// What of a row is read.
    pub(crate) needed: Vec<bool>,
    pub(super) trace_id: Option<usize>,
    pub(super) attributes: [AttributePlaces; 5],
    /// After the generic ones, in this order: dedicated columns as in the meta, then the well-known ones.
    pub(super) named: [Vec<Named>; 3],
    pub(super) resource_dropped: Option<usize>,
    pub(super) service_name: Option<usize>,
    pub(super) scope_name: Option<usize>,
    pub(super) scope_version: Option<usize>,
    pub(super) scope_dropped: Option<usize>,
    pub(super) span: SpanPlaces,
    pub(super) event: EventPlaces,
    pub(super) link: LinkPlaces,
    /// Leaves in each group and below it.
    pub(super) within_scopes: Vec<usize>,
    pub(super) within_spans: Vec<usize>,
    pub(super) within_events: Vec<usize>,
    pub(super) within_links: Vec<usize>,
    pub(super) within_resources: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct SpanPlaces {
    pub span_id: Option<usize>,
    pub parent_span_id: Option<usize>,
    pub name: Option<usize>,
    pub kind: Option<usize>,
    pub trace_state: Option<usize>,
    pub start: Option<usize>,
    pub duration: Option<usize>,
    pub status_code: Option<usize>,
    pub status_message: Option<usize>,
    pub dropped_attributes: Option<usize>,
    pub dropped_events: Option<usize>,
    pub dropped_links: Option<usize>,
}

#[derive(Debug)]
pub(super) struct EventPlaces {
    /// After the start of the span; in version 3 absolute.
    pub time: Option<usize>,
    pub is_absolute: bool,
    pub name: Option<usize>,
    pub dropped_attributes: Option<usize>,
}

#[derive(Debug)]
pub(super) struct LinkPlaces {
    /// Version 3: all links of a span.
    pub encoded: Option<usize>,
    pub trace_id: Option<usize>,
    pub span_id: Option<usize>,
    pub trace_state: Option<usize>,
    pub dropped_attributes: Option<usize>,
}

/// Index in `Places::attributes`.
pub(super) fn owner_index(owner: AttributeOwner) -> usize {
    match owner {
        AttributeOwner::Resource => 0,
        AttributeOwner::Scope => 1,
        AttributeOwner::Span => 2,
        AttributeOwner::Event => 3,
        AttributeOwner::Link => 4,
    }
}

impl Places {
    /// `dedicated`: leaf and attribute of each dedicated column, in the order of the meta.
    pub fn new(leaves: &[Leaf], dedicated: &[(usize, String)]) -> Self {
        let find = |column| {
            leaves
                .iter()
                .position(|leaf| leaf.part == Part::Column(column))
        };
        let old = |column| {
            leaves
                .iter()
                .position(|leaf| leaf.part == Part::Old(column))
        };
        let attributes = |owner| {
            let find = |leaf| find(Column::Attribute(owner, leaf));
            AttributePlaces {
                key: find(AttributeLeaf::Key),
                is_array: find(AttributeLeaf::IsArray),
                string: find(AttributeLeaf::String),
                int: find(AttributeLeaf::Int),
                double: find(AttributeLeaf::Double),
                bool: find(AttributeLeaf::Bool),
                unsupported: find(AttributeLeaf::Unsupported),
                array: old(OldColumn::ValueArray(owner)),
                kvlist: old(OldColumn::ValueKvList(owner)),
                encoded: match owner {
                    AttributeOwner::Event => old(OldColumn::EventAttributeValue),
                    _ => None,
                },
            }
        };
        let named = |leaf: usize, attribute: &str| Named {
            leaf,
            attribute: attribute.to_owned(),
        };
        let named_of = |scope: Scope, well_known: &[WellKnown]| {
            let of_scope = |leaf: usize| match leaves.get(leaf).map(|leaf| leaf.part) {
                Some(Part::Column(Column::Dedicated(slot))) => slot.scope == scope,
                _ => false,
            };
            let dedicated = dedicated.iter().filter(|(leaf, _)| of_scope(*leaf));
            let dedicated = dedicated.map(|(leaf, name)| named(*leaf, name));
            let well_known = well_known.iter().filter_map(|&known| {
                Some(named(find(Column::WellKnown(known))?, known.attribute()))
            });
            dedicated.chain(well_known).collect()
        };
        let is_assigned = |index: usize, leaf: &Leaf| match leaf.part {
            // Version 4 has all slots, also those that stand for nothing.
            Part::Column(Column::Dedicated(_)) => dedicated.iter().any(|(leaf, _)| *leaf == index),
            _ => true,
        };
        let needed: Vec<bool> = (leaves.iter().enumerate())
            .map(|(index, leaf)| is_needed(leaf) && is_assigned(index, leaf))
            .collect();
        let within = |group| {
            let leaves = leaves.iter().zip(&needed).enumerate();
            leaves
                .filter(|(_, (leaf, needed))| {
                    **needed && group_of(leaf).is_some_and(|of| of.is_within(group))
                })
                .map(|(index, _)| index)
                .collect()
        };
        Self {
            trace_id: find(Column::TraceId),
            attributes: [
                AttributeOwner::Resource,
                AttributeOwner::Scope,
                AttributeOwner::Span,
                AttributeOwner::Event,
                AttributeOwner::Link,
            ]
            .map(attributes),
            named: [
                named_of(Scope::Resource, &WellKnown::OF_RESOURCE),
                named_of(Scope::Span, &WellKnown::OF_SPAN),
                named_of(Scope::Event, &[]),
            ],
            resource_dropped: find(Column::ResourceDroppedAttributes),
            service_name: find(Column::WellKnown(WellKnown::ServiceName)),
            scope_name: find(Column::ScopeName),
            scope_version: find(Column::ScopeVersion),
            scope_dropped: find(Column::ScopeDroppedAttributes),
            span: SpanPlaces {
                span_id: find(Column::SpanId),
                parent_span_id: find(Column::ParentSpanId),
                name: find(Column::SpanName),
                kind: find(Column::Kind),
                trace_state: find(Column::TraceState),
                start: find(Column::SpanStartUnixNano),
                duration: find(Column::SpanDurationNano),
                status_code: find(Column::StatusCode),
                status_message: find(Column::StatusMessage),
                dropped_attributes: find(Column::SpanDroppedAttributes),
                dropped_events: find(Column::DroppedEvents),
                dropped_links: find(Column::DroppedLinks),
            },
            event: EventPlaces {
                time: find(Column::EventTimeSinceStartNano)
                    .or_else(|| old(OldColumn::EventTimeUnixNano)),
                is_absolute: old(OldColumn::EventTimeUnixNano).is_some(),
                name: find(Column::EventName),
                dropped_attributes: find(Column::EventDroppedAttributes),
            },
            link: LinkPlaces {
                encoded: old(OldColumn::Links),
                trace_id: find(Column::LinkTraceId),
                span_id: find(Column::LinkSpanId),
                trace_state: find(Column::LinkTraceState),
                dropped_attributes: find(Column::LinkDroppedAttributes),
            },
            within_scopes: within(Group::Scopes),
            within_spans: within(Group::Spans),
            within_events: within(Group::Events),
            within_links: within(Group::Links),
            within_resources: within(Group::Resources),
            needed,
        }
    }
}

impl Places {
    /// Attributes of a scope with leaves of their own.
    pub fn named_of(&self, scope: Scope) -> &[Named] {
        let [resource, span, event] = &self.named;
        match scope {
            Scope::Resource => resource,
            Scope::Span => span,
            Scope::Event => event,
        }
    }
}

/// Whether a trace is made of it: the others are there for searches and follow from the rest.
fn is_needed(leaf: &Leaf) -> bool {
    let Part::Column(column) = leaf.part else {
        return true;
    };
    !matches!(
        column,
        Column::TraceIdText
            | Column::TraceStartUnixNano
            | Column::TraceEndUnixNano
            | Column::TraceDurationNano
            | Column::RootServiceName
            | Column::RootSpanName
            | Column::StatsServiceName
            | Column::StatsSpanCount
            | Column::StatsErrorCount
            | Column::ScopeSpanCount
            | Column::ParentId
            | Column::NestedSetLeft
            | Column::NestedSetRight
            | Column::ChildCount
            | Column::StartTimeRounded(_)
    )
}
