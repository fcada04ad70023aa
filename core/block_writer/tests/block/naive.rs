//! The rows of a block, worked out span by span in the plainest way, from block-format.md §3.5 to §3.8 and §5.

use std::collections::BTreeMap;

use vivace_block::dedicated::{self, Assigned, DedicatedColumn, Kind, Scope};
use vivace_block::{Format, WellKnown};

use crate::file::Val;
use crate::grouped::{grouped, sorted};
use crate::properties::round;
use crate::shred::Tree;
use crate::support::{Any, Attributes, Event, Link, Resource, Span};
use crate::tree::{Nested, distinct, is_root, nested_sets, parent};

/// What decides how rows look.
pub struct Rules {
    format: Format,
    assigned: Vec<Assigned>,
}

impl Rules {
    pub fn new(format: Format, columns: &[DedicatedColumn]) -> Self {
        let columns = dedicated::of_format(format, columns);
        Self {
            format,
            assigned: dedicated::assign(format, &columns),
        }
    }

    fn is_v5(&self) -> bool {
        self.format == Format::VParquet5
    }

    /// All rows of spans that came in this order, by trace id.
    pub fn rows(&self, spans: &[Span]) -> Vec<([u8; 16], Tree)> {
        let mut traces: BTreeMap<[u8; 16], Vec<Span>> = BTreeMap::new();
        for span in spans {
            traces.entry(span.trace_id).or_default().push(span.clone());
        }
        traces
            .into_iter()
            .map(|(id, spans)| (id, self.row(id, distinct(spans))))
            .collect()
    }

    fn row(&self, id: [u8; 16], spans: Vec<Span>) -> Tree {
        let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let starts = spans.iter().map(|span| span.start);
        let start = starts.filter(|start| *start != 0).min().unwrap_or(0);
        let end = spans.iter().map(|span| span.end).max().unwrap();
        let root = spans.iter().find(|span| is_root(span));
        let (service, name) = match root {
            None => (String::new(), String::new()),
            Some(root) => {
                let service = root.resource.attributes.iter();
                let first = service.clone().find(|(key, _)| key == "service.name");
                let service = match first {
                    Some((_, Any::String(name))) => name.clone(),
                    _ => String::new(),
                };
                (service, root.name.clone())
            }
        };
        let groups = grouped(&spans);
        let in_order: Vec<&Span> = spans.iter().collect();
        let nested = nested_sets(&in_order);
        let nested_of = |span: &Span| {
            let is_it = |other: &Span| (other.span_id, other.kind) == (span.span_id, span.kind);
            nested[spans.iter().position(is_it).unwrap()]
        };
        let mut stats: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let mut batches = Vec::new();
        for (resource, scopes) in &groups {
            let (resource, service_name) = self.resource(resource);
            let entry = stats.entry(service_name).or_default();
            let mut scope_batches = Vec::new();
            for of_scope in scopes {
                entry.0 += of_scope.len() as u32;
                entry.1 += of_scope.iter().filter(|span| span.status.0 == 2).count() as u32;
                let list = of_scope.iter().map(|span| self.span(span, nested_of(span)));
                let mut members = vec![
                    ("Scope", self.scope(of_scope[0], scopes.len() > 1)),
                    ("Spans", Tree::List(list.collect())),
                ];
                if self.is_v5() {
                    members.push(("SpanCount", i32(of_scope.len() as i32)));
                }
                scope_batches.push(group(members));
            }
            batches.push(group([
                ("Resource", resource),
                ("ss", Tree::List(scope_batches)),
            ]));
        }
        group([
            ("TraceID", bytes(&id)),
            (
                "TraceIDText",
                bytes(text.trim_start_matches('0').as_bytes()),
            ),
            ("StartTimeUnixNano", u64(start)),
            ("EndTimeUnixNano", u64(end)),
            ("DurationNano", u64(end.wrapping_sub(start))),
            ("RootServiceName", bytes(service.as_bytes())),
            ("RootSpanName", bytes(name.as_bytes())),
            ("ServiceStats", self.stats(stats)),
            ("rs", Tree::List(batches)),
        ])
    }

    fn stats(&self, stats: BTreeMap<String, (u32, u32)>) -> Tree {
        let one = |(name, (spans, errors)): (String, (u32, u32))| {
            let counts = [
                ("SpanCount", i32(spans.cast_signed())),
                ("ErrorCount", i32(errors.cast_signed())),
            ];
            let name = bytes(name.as_bytes());
            if self.is_v5() {
                group([("ServiceName", name)].into_iter().chain(counts))
            } else {
                group([("key", name), ("value", group(counts))])
            }
        };
        Tree::List(stats.into_iter().map(one).collect())
    }

    fn resource(&self, resource: &Resource) -> (Tree, String) {
        let mut leaves = Leaves::new(self, Scope::Resource);
        let mut service_name = String::new();
        let mut generic = Vec::new();
        for (key, value) in sorted(&resource.attributes) {
            match &value {
                Any::String(name) if key == "service.name" => service_name = name.clone(),
                _ if leaves.take(&key, &value) => {}
                _ => generic.push((key, value)),
            }
        }
        let mut members = vec![
            ("ServiceName", bytes(service_name.as_bytes())),
            ("Attrs", attributes(&generic)),
            (
                "DroppedAttributesCount",
                i32(resource.dropped.cast_signed()),
            ),
        ];
        members.extend(leaves.members());
        (group(members), service_name)
    }

    fn scope(&self, span: &Span, sort: bool) -> Tree {
        let scope = &span.scope;
        let list = if sort {
            sorted(&scope.attributes)
        } else {
            scope.attributes.clone()
        };
        group([
            ("Name", bytes(scope.name.as_bytes())),
            ("Version", bytes(scope.version.as_bytes())),
            ("Attrs", attributes(&list)),
            ("DroppedAttributesCount", i32(scope.dropped.cast_signed())),
        ])
    }

    fn span(&self, span: &Span, nested: Nested) -> Tree {
        let mut leaves = Leaves::new(self, Scope::Span);
        let generic = leaves.rest(&span.attributes);
        let events = span
            .events
            .iter()
            .map(|event| self.event(event, span.start));
        let mut members = vec![
            ("SpanID", bytes(&span.span_id)),
            (
                "ParentSpanID",
                bytes(parent(span).as_ref().map_or(&[], |id| &id[..])),
            ),
            ("ParentID", i32(nested.parent)),
            ("NestedSetLeft", i32(nested.left)),
            ("NestedSetRight", i32(nested.right)),
            ("Name", bytes(span.name.as_bytes())),
            ("Kind", i64(span.kind.into())),
            ("TraceState", bytes(span.trace_state.as_bytes())),
            ("StartTimeUnixNano", u64(span.start)),
            ("DurationNano", u64(span.end.wrapping_sub(span.start))),
            ("StatusCode", i64(span.status.0.into())),
            ("StatusMessage", bytes(span.status.1.as_bytes())),
            ("Attrs", attributes(&generic)),
            ("DroppedAttributesCount", i32(span.dropped[0].cast_signed())),
            ("Events", Tree::List(events.collect())),
            ("DroppedEventsCount", i32(span.dropped[1].cast_signed())),
            ("Links", Tree::List(span.links.iter().map(link).collect())),
            ("DroppedLinksCount", i32(span.dropped[2].cast_signed())),
        ];
        if self.is_v5() {
            members.push(("ChildCount", i32(nested.children)));
            for (name, seconds) in [
                ("StartTimeRounded15", 15),
                ("StartTimeRounded60", 60),
                ("StartTimeRounded300", 300),
                ("StartTimeRounded3600", 3600),
            ] {
                let interval = seconds * 1_000_000_000;
                let number = match span.start {
                    0 => 0,
                    start => (start - 1) / interval,
                };
                members.push((name, i32(number as i32)));
            }
        }
        members.extend(leaves.members());
        group(members)
    }

    fn event(&self, event: &Event, start: u64) -> Tree {
        let mut leaves = Leaves::new(self, Scope::Event);
        let generic = leaves.rest(&event.attributes);
        let mut members = vec![
            ("TimeSinceStartNano", u64(event.time.wrapping_sub(start))),
            ("Name", bytes(event.name.as_bytes())),
            ("Attrs", attributes(&generic)),
            ("DroppedAttributesCount", i32(event.dropped.cast_signed())),
        ];
        members.extend(leaves.members());
        group(members)
    }
}

fn link(link: &Link) -> Tree {
    group([
        ("TraceID", bytes(&link.trace_id)),
        ("SpanID", bytes(&link.span_id)),
        ("TraceState", bytes(link.trace_state.as_bytes())),
        ("Attrs", attributes(&link.attributes)),
        ("DroppedAttributesCount", i32(link.dropped.cast_signed())),
    ])
}

/// Leaves of single attributes.
struct Leaves {
    v5: bool,
    /// Attribute, leaf, type, whether the leaf is one of the dedicated ones.
    known: Vec<(String, &'static str, Kind, bool)>,
    values: BTreeMap<&'static str, Tree>,
}

impl Leaves {
    fn new(rules: &Rules, scope: Scope) -> Self {
        let mut known = Vec::new();
        if !rules.is_v5() {
            let all: &[WellKnown] = match scope {
                Scope::Resource => &WellKnown::OF_RESOURCE[1..],
                Scope::Span => &WellKnown::OF_SPAN,
                Scope::Event => &[],
            };
            for one in all {
                known.push((one.attribute().to_owned(), one.leaf(), one.kind(), false));
            }
            // Leaves that no attribute has are there too.
            if scope != Scope::Event {
                for index in 0..10 {
                    let leaf = leaf_name(Kind::String, index);
                    let of_slot =
                        |one: &&Assigned| one.slot.scope == scope && one.slot.index == index;
                    let name = rules.assigned.iter().find(of_slot);
                    let name = name.map_or("\u{0} none", |one| &one.name).to_owned();
                    known.push((name, leaf, Kind::String, true));
                }
            }
        } else {
            for one in rules.assigned.iter().filter(|one| one.slot.scope == scope) {
                let leaf = leaf_name(one.slot.kind, one.slot.index);
                known.push((one.name.clone(), leaf, one.slot.kind, true));
            }
        }
        Self {
            v5: rules.is_v5(),
            known,
            values: BTreeMap::new(),
        }
    }

    fn take(&mut self, key: &str, value: &Any) -> bool {
        let Some((_, leaf, kind, _)) = self.known.iter().find(|known| known.0 == key) else {
            return false;
        };
        let scalar = |value: &Any| match (value, kind) {
            (Any::String(text), Kind::String) => Some(bytes(text.as_bytes())),
            (Any::Int(number), Kind::Int) => Some(i64(*number)),
            _ => None,
        };
        let tree = match value {
            Any::Array(list) if self.v5 && !list.is_empty() => list
                .iter()
                .map(scalar)
                .collect::<Option<_>>()
                .map(Tree::List),
            value if self.v5 => scalar(value).map(|one| Tree::List(vec![one])),
            value => scalar(value),
        };
        match tree {
            Some(tree) => {
                self.values.insert(leaf, tree);
                true
            }
            None => false,
        }
    }

    /// Takes what it can and returns the rest.
    fn rest(&mut self, attributes: &Attributes) -> Attributes {
        let mut rest = attributes.clone();
        rest.retain(|(key, value)| !self.take(key, value));
        rest
    }

    fn members(mut self) -> Vec<(&'static str, Tree)> {
        let absent = || {
            if self.v5 {
                Tree::List(Vec::new())
            } else {
                Tree::Nothing
            }
        };
        let (mut members, mut dedicated) = (Vec::new(), Vec::new());
        for (_, leaf, _, is_dedicated) in &self.known {
            let tree = self.values.remove(leaf).unwrap_or_else(absent);
            if *is_dedicated {
                dedicated.push((*leaf, tree));
            } else {
                members.push((*leaf, tree));
            }
        }
        if !dedicated.is_empty() {
            members.push(("DedicatedAttributes", group(dedicated)));
        }
        members
    }
}

fn leaf_name(kind: Kind, index: u8) -> &'static str {
    let kind = match kind {
        Kind::String => "String",
        Kind::Int => "Int",
    };
    // A handful for a whole test run.
    Box::leak(format!("{kind}{:02}", index + 1).into_boxed_str())
}

fn attributes(list: &Attributes) -> Tree {
    Tree::List(list.iter().map(attribute).collect())
}

fn attribute((key, value): &(String, Any)) -> Tree {
    let mut leaves: BTreeMap<&str, Vec<Tree>> = BTreeMap::new();
    let (mut is_array, mut unsupported) = (false, Tree::Nothing);
    let scalar = |value: &Any| match value {
        Any::String(text) => Some(("Value", bytes(text.as_bytes()))),
        Any::Int(number) => Some(("ValueInt", i64(*number))),
        Any::Double(bits) => Some(("ValueDouble", Tree::Leaf(Val::Double(*bits)))),
        Any::Bool(value) => Some(("ValueBool", Tree::Leaf(Val::Bool(*value)))),
        _ => None,
    };
    if let Some((leaf, tree)) = scalar(value) {
        leaves.entry(leaf).or_default().push(tree);
    } else if let Any::Array(list) = value
        && let Some(elements) = list.iter().map(scalar).collect::<Option<Vec<_>>>()
        && elements.windows(2).all(|pair| pair[0].0 == pair[1].0)
    {
        is_array = true;
        for (leaf, tree) in elements {
            leaves.entry(leaf).or_default().push(tree);
        }
    } else {
        let mut value = json(value);
        round(&mut value);
        unsupported = Tree::Leaf(Val::Json(value.to_string()));
    }
    let mut members = vec![
        ("Key", bytes(key.as_bytes())),
        ("IsArray", Tree::Leaf(Val::Bool(is_array))),
        ("ValueUnsupported", unsupported),
    ];
    for leaf in ["Value", "ValueInt", "ValueDouble", "ValueBool"] {
        members.push((leaf, Tree::List(leaves.remove(leaf).unwrap_or_default())));
    }
    group(members)
}

fn json(value: &Any) -> serde_json::Value {
    use base64::Engine as _;
    use serde_json::json;
    match value {
        Any::Empty => json!({}),
        Any::String(text) => json!({"stringValue": text}),
        Any::Bool(value) => json!({"boolValue": value}),
        Any::Int(number) => json!({"intValue": number.to_string()}),
        Any::Double(bits) => {
            let value = f64::from_bits(*bits);
            if value.is_nan() {
                json!({"doubleValue": "NaN"})
            } else if value.is_infinite() {
                json!({"doubleValue": if value > 0.0 { "Infinity" } else { "-Infinity" }})
            } else {
                json!({"doubleValue": value})
            }
        }
        Any::Bytes(bytes) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            json!({"bytesValue": text})
        }
        Any::Array(list) if list.is_empty() => json!({"arrayValue": {}}),
        Any::Array(list) => {
            json!({"arrayValue": {"values": list.iter().map(json).collect::<Vec<_>>()}})
        }
        Any::KvList(list) if list.is_empty() => json!({"kvlistValue": {}}),
        Any::KvList(list) => {
            let pair = |(key, value): &(String, Any)| {
                if key.is_empty() {
                    json!({"value": json(value)})
                } else {
                    json!({"key": key, "value": json(value)})
                }
            };
            json!({"kvlistValue": {"values": list.iter().map(pair).collect::<Vec<_>>()}})
        }
    }
}

fn group(members: impl IntoIterator<Item = (&'static str, Tree)>) -> Tree {
    Tree::Group(members.into_iter().collect())
}

fn bytes(value: &[u8]) -> Tree {
    Tree::Leaf(Val::Bytes(value.to_vec()))
}

fn i32(value: i32) -> Tree {
    Tree::Leaf(Val::I32(value))
}

fn i64(value: i64) -> Tree {
    Tree::Leaf(Val::I64(value))
}

fn u64(value: u64) -> Tree {
    Tree::Leaf(Val::I64(value.cast_signed()))
}
