//! What fields are on a row (traceql.md §3, §5.4).

use vivace_traceql::{Field, Intrinsic, Kind, Scope, Status};

use crate::data::{Attributes, Data, Span, Trace, find};
use crate::tree::Tree;
use crate::value::V;

/// A trace with what is computed once for it.
pub struct Context<'a> {
    pub data: &'a Data,
    pub trace: &'a Trace,
    pub tree: Tree,
}

/// How events and links are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Members {
    /// A filter looks at one event and one link at a time; None: the span has none.
    One(Option<usize>, Option<usize>),
    /// Others read the one for which the conditions held, or else the first with a value.
    Read(Option<usize>, Option<usize>),
}

#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub context: &'a Context<'a>,
    pub span: usize,
    pub members: Members,
}

/// What one column has for a row.
#[derive(Clone, Debug)]
pub enum Slot {
    /// There is no event or link.
    NoOwner,
    /// Nothing is stored.
    Missing,
    /// Something is stored that queries can't see.
    Hidden,
    Value(V),
}

fn slot(attributes: &Attributes, key: &str) -> Slot {
    match find(attributes, key) {
        None => Slot::Missing,
        Some(value) => V::stored(value).map_or(Slot::Hidden, Slot::Value),
    }
}

fn text(text: &str) -> Slot {
    Slot::Value(V::Text(text.to_owned()))
}

fn resource_slot(attributes: &Attributes, key: &str) -> Slot {
    match slot(attributes, key) {
        // The one attribute that is never nil.
        Slot::Missing if key == "service.name" => text(""),
        found => found,
    }
}

/// Lower-case hex without leading zeros.
pub fn trace_id(id: &[u8; 16]) -> String {
    let all: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    all.trim_start_matches('0').to_owned()
}

pub fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

/// Whether a field is one of events, and of links.
pub fn of_members(field: &Field) -> (bool, bool) {
    match field {
        Field::Intrinsic(Intrinsic::EventName | Intrinsic::EventTimeSinceStart) => (true, false),
        Field::Intrinsic(Intrinsic::LinkTraceId | Intrinsic::LinkSpanId) => (false, true),
        Field::Attribute(attribute) => (
            attribute.scope == Scope::Event,
            attribute.scope == Scope::Link,
        ),
        Field::Intrinsic(_) => (false, false),
    }
}

/// Of an event or link of a span.
pub fn of_member(span: &Span, field: &Field, number: usize) -> Slot {
    let duration = |nanos: u64| Slot::Value(V::Duration(nanos as i64));
    match field {
        Field::Intrinsic(Intrinsic::EventName) => text(&span.events[number].name),
        Field::Intrinsic(Intrinsic::EventTimeSinceStart) => duration(span.events[number].offset),
        Field::Intrinsic(Intrinsic::LinkTraceId) => text(&trace_id(&span.links[number].trace_id)),
        Field::Intrinsic(Intrinsic::LinkSpanId) => text(&span_id(span.links[number].span_id)),
        Field::Attribute(attribute) if attribute.scope == Scope::Event => {
            slot(&span.events[number].attributes, &attribute.key)
        }
        Field::Attribute(attribute) => slot(&span.links[number].attributes, &attribute.key),
        Field::Intrinsic(other) => panic!("{other:?}"),
    }
}

/// What a span without events or links reads as where a field is only read (accident 30).
pub fn without_member(field: &Field) -> V {
    match field {
        Field::Intrinsic(Intrinsic::EventName | Intrinsic::LinkTraceId) => V::Text(String::new()),
        Field::Intrinsic(Intrinsic::EventTimeSinceStart) => V::Duration(0),
        Field::Intrinsic(Intrinsic::LinkSpanId) => V::Text(span_id(0)),
        _ => V::Nil,
    }
}

impl<'a> Context<'a> {
    pub fn root(&self) -> Option<&'a Span> {
        let roots = self.trace.spans.iter().filter(|span| span.parent.is_none());
        roots.min_by_key(|span| (span.start, span.id, span.kind))
    }

    pub fn start(&self) -> u64 {
        self.trace
            .spans
            .iter()
            .map(|span| span.start)
            .min()
            .unwrap()
    }

    pub fn end(&self) -> u64 {
        let ends = self
            .trace
            .spans
            .iter()
            .map(|span| span.start + span.duration);
        ends.max().unwrap()
    }

    pub fn service(&self, span: &Span) -> &'a str {
        match find(&self.data.resources[span.resource], "service.name") {
            Some(crate::data::Value::Text(name)) => name,
            _ => "",
        }
    }

    /// By column of the field, in the order in which a value is looked for. Not of events and links.
    pub fn slots(&self, field: &Field, span: usize) -> Vec<Slot> {
        let number = span;
        let span = &self.trace.spans[number];
        let scope = &self.data.scopes[span.scope];
        let resource = &self.data.resources[span.resource];
        let intrinsic = match field {
            Field::Attribute(attribute) => {
                let key = &attribute.key;
                return match attribute.scope {
                    Scope::Unscoped => {
                        vec![slot(&span.attributes, key), resource_slot(resource, key)]
                    }
                    Scope::Span => vec![slot(&span.attributes, key)],
                    Scope::Resource => vec![resource_slot(resource, key)],
                    Scope::Instrumentation => vec![slot(&scope.attributes, key)],
                    Scope::Event | Scope::Link => panic!("{field:?}"),
                };
            }
            Field::Intrinsic(intrinsic) => intrinsic,
        };
        let duration = |nanos: u64| Slot::Value(V::Duration(nanos as i64));
        let int = |value: i64| Slot::Value(V::Int(value));
        let numbers = self.tree.numbers[number];
        vec![match intrinsic {
            Intrinsic::Duration => duration(span.duration),
            Intrinsic::Name => text(&span.name),
            Intrinsic::Status => Slot::Value(V::Status(match span.status {
                1 => Status::Ok,
                2 => Status::Error,
                _ => Status::Unset,
            })),
            Intrinsic::StatusMessage => text(&span.message),
            Intrinsic::Kind => Slot::Value(V::Kind(match span.kind {
                1 => Kind::Internal,
                2 => Kind::Server,
                3 => Kind::Client,
                4 => Kind::Producer,
                5 => Kind::Consumer,
                _ => Kind::Unspecified,
            })),
            Intrinsic::SpanId => text(&span_id(span.id)),
            Intrinsic::ParentId => text(&span_id(span.parent.unwrap_or(0))),
            Intrinsic::ChildCount => int(self.tree.child_count[number]),
            Intrinsic::TraceId => text(&trace_id(&self.trace.id)),
            Intrinsic::TraceDuration => duration(self.end() - self.start()),
            Intrinsic::TraceRootName => text(self.root().map_or("", |root| &root.name)),
            Intrinsic::TraceRootService => text(self.root().map_or("", |root| self.service(root))),
            Intrinsic::InstrumentationName => text(&scope.name),
            Intrinsic::InstrumentationVersion => text(&scope.version),
            Intrinsic::NestedSetLeft => int(numbers.0),
            Intrinsic::NestedSetRight => int(numbers.1),
            Intrinsic::NestedSetParent => int(numbers.2),
            other => panic!("{other:?}"),
        }]
    }
}

impl<'a> Row<'a> {
    pub fn span(&self) -> &'a Span {
        &self.context.trace.spans[self.span]
    }

    /// What the row looks at of a field: one slot a column, or for fields of events and links that are read, one a member with the
    /// chosen one first.
    pub fn slots(&self, field: &Field) -> Vec<Slot> {
        let span = self.span();
        let (count, one, chosen) = match (of_members(field), self.members) {
            ((false, false), _) => return self.context.slots(field, self.span),
            ((true, _), Members::One(event, _)) => (0, event, None),
            (_, Members::One(_, link)) => (0, link, None),
            ((true, _), Members::Read(event, _)) => (span.events.len(), None, event),
            (_, Members::Read(_, link)) => (span.links.len(), None, link),
        };
        let all = one.into_iter().chain(chosen).chain(0..count);
        let slots: Vec<Slot> = all.map(|number| of_member(span, field, number)).collect();
        match slots.is_empty() {
            true => vec![Slot::NoOwner],
            false => slots,
        }
    }

    pub fn value(&self, field: &Field) -> V {
        let mut slots = self.slots(field).into_iter();
        let found = slots.find_map(|slot| match slot {
            Slot::Value(value) => Some(value),
            _ => None,
        });
        match (found, self.members) {
            (Some(value), _) => value,
            (None, Members::Read(..)) if !matches!(of_members(field), (false, false)) => {
                without_member(field)
            }
            (None, _) => V::Nil,
        }
    }
}
