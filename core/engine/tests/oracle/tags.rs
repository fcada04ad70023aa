//! Names and values of tags against what a walk over the spans collects (traceql.md §8).

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use vivace_block::Format;
use vivace_columns::{BatchChunk, Chunk, Level};
use vivace_engine::{FoundTags, Tag, tag_filters, tag_names, tag_values};
use vivace_traceql::{BinaryOp, Condition, Expr, Field, Scope, Static};

use crate::chunks::{Block, in_order_of, now};
use crate::data::{Attributes, Value};
use crate::expression::{Reading, evaluate, looks_at};
use crate::fields::{Context, Members, Row, Slot, of_member, of_members};
use crate::generate::data;
use crate::properties::{contexts, no_pause};
use crate::queries::{condition_of_tags, field};
use crate::value::V;

const LEVELS: [Level; 5] = [
    Level::Resource,
    Level::Scope,
    Level::Span,
    Level::Event,
    Level::Link,
];

/// All conditions of one must hold.
type Group = Vec<Condition>;

fn expr_of(condition: &Condition) -> Expr {
    let field = |field: &Field| Box::new(Expr::Field(field.clone()));
    match condition {
        Condition::Exists(of) => Expr::Exists(field(of)),
        Condition::NotExists(of) => Expr::NotExists(field(of)),
        Condition::Compare {
            field: of,
            op,
            value,
        } => Expr::Binary {
            op: BinaryOp::Compare(*op),
            left: field(of),
            right: Box::new(Expr::Static(value.clone())),
        },
    }
}

/// What counts of a span: itself, and which of its events and links.
#[derive(Default)]
struct Counted {
    span: bool,
    events: BTreeSet<usize>,
    links: BTreeSet<usize>,
}

fn counted(context: &Context<'_>, span: usize, groups: Option<&[Group]>) -> Counted {
    let of = &context.trace.spans[span];
    let (events, links) = (0..of.events.len(), 0..of.links.len());
    let Some(groups) = groups else {
        return Counted {
            span: true,
            events: events.collect(),
            links: links.collect(),
        };
    };
    let mut all = Counted::default();
    for group in groups {
        let exprs: Vec<Expr> = group.iter().map(expr_of).collect();
        let looks = exprs.iter().map(looks_at);
        let looks = looks.fold((false, false), |a, b| (a.0 || b.0, a.1 || b.1));
        let numbers = |looks: bool, count: usize| match looks && count > 0 {
            true => (0..count).map(Some).collect(),
            false => vec![None],
        };
        for event in numbers(looks.0, of.events.len()) {
            for link in numbers(looks.1, of.links.len()) {
                let row = Row {
                    context,
                    span,
                    members: Members::One(event, link),
                };
                let reading = Reading::default();
                let value = |expr| evaluate(&reading, &row, expr).unwrap();
                if !exprs.iter().all(|expr| value(expr).truth() == Some(true)) {
                    continue;
                }
                all.span = true;
                match looks.0 {
                    true => all.events.extend(event),
                    false => all.events.extend(events.clone()),
                }
                match looks.1 {
                    true => all.links.extend(link),
                    false => all.links.extend(links.clone()),
                }
            }
        }
    }
    all
}

/// Attributes of a level on what counts of a span.
fn attributes_of<'a>(
    context: &Context<'a>,
    span: usize,
    level: Level,
    counted: &Counted,
) -> Vec<&'a Attributes> {
    let of = &context.trace.spans[span];
    let events = counted.events.iter();
    let links = counted.links.iter();
    match level {
        _ if !counted.span => Vec::new(),
        Level::Trace => Vec::new(),
        Level::Resource => vec![&context.data.resources[of.resource]],
        Level::Scope => vec![&context.data.scopes[of.scope].attributes],
        Level::Span => vec![&of.attributes],
        Level::Event => events.map(|&one| &of.events[one].attributes).collect(),
        Level::Link => links.map(|&one| &of.links[one].attributes).collect(),
    }
}

type Names = BTreeSet<(Level, Box<str>)>;

/// Names that must be told, and others that may be.
fn names(contexts: &[Context<'_>], groups: Option<&[Group]>) -> (Names, Names) {
    let (mut must, mut may) = (Names::new(), Names::new());
    for context in contexts {
        for (span, level) in
            (0..context.trace.spans.len()).flat_map(|span| LEVELS.map(|level| (span, level)))
        {
            let all = counted(context, span, None);
            let chosen = counted(context, span, groups);
            let of_chosen = attributes_of(context, span, level, &chosen);
            for (key, value) in of_chosen.into_iter().flatten() {
                let name = (level, key.as_str().into());
                // An empty name of a service is as good as none.
                let is_empty_service = key == "service.name"
                    && level == Level::Resource
                    && *value == Value::Text(String::new());
                match value {
                    // Keys are told without a look at the values where nothing is filtered.
                    Value::Hidden(_) if groups.is_some() => false,
                    Value::Hidden(_) => may.insert(name),
                    _ if is_empty_service => may.insert(name),
                    _ => must.insert(name),
                };
            }
            let of_all = attributes_of(context, span, level, &all);
            for (key, _) in of_all.into_iter().flatten() {
                // Those that blocks have always had columns for are told wherever they occur.
                let is_well_known = match level {
                    Level::Resource => key == "service.name",
                    Level::Span => key == "http.status_code",
                    _ => false,
                };
                if is_well_known {
                    may.insert((level, key.as_str().into()));
                }
            }
        }
    }
    (must, may)
}

fn values(contexts: &[Context<'_>], field: &Field, groups: Option<&[Group]>) -> BTreeSet<Tag> {
    let mut found = BTreeSet::new();
    for context in contexts {
        for span in 0..context.trace.spans.len() {
            let chosen = counted(context, span, groups);
            if !chosen.span {
                continue;
            }
            let of = &context.trace.spans[span];
            let member = |&number: &usize| of_member(of, field, number);
            let slots = match of_members(field) {
                (true, _) => chosen.events.iter().map(member).collect(),
                (_, true) => chosen.links.iter().map(member).collect(),
                _ => context.slots(field, span),
            };
            for slot in slots {
                match slot {
                    Slot::Value(V::Array(elements)) => found.extend(elements.iter().map(tag)),
                    Slot::Value(value) => {
                        found.insert(tag(&value));
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

fn tag(value: &V) -> Tag {
    let value = value.to_static();
    let kind = match &value {
        Static::Int(_) => "int",
        Static::Float(_) => "float",
        Static::String(_) => "string",
        Static::Bool(_) => "bool",
        Static::Duration(_) => "duration",
        Static::Status(_) | Static::Kind(_) => "keyword",
        other => panic!("{other:?}"),
    };
    (kind, value.text().into())
}

fn check<C: Chunk>(
    mut chunk: impl FnMut() -> C,
    contexts: &[Context<'_>],
    field: &Field,
    groups: Option<&[Group]>,
) -> Result<(), TestCaseError> {
    let filters = groups.map(|groups| tag_filters(groups).unwrap());
    let filters = filters.as_deref();
    let mut found = FoundTags::default();
    let mut for_values = chunk();
    let work = tag_values(&mut for_values, field, filters, &mut found, &no_pause);
    now(work).unwrap();
    let expected = values(contexts, field, groups);
    prop_assert_eq!(&expected, &found.values, "values of {}", field);
    let bytes: usize = expected.iter().map(|(_, text)| text.len()).sum();
    prop_assert_eq!(bytes, found.bytes());

    let mut found = FoundTags::default();
    let mut for_names = chunk();
    let work = tag_names(&mut for_names, &LEVELS, filters, &mut found, &no_pause);
    now(work).unwrap();
    let (must, may) = names(contexts, groups);
    prop_assert!(
        must.is_subset(&found.names),
        "{:?}, must {:?}",
        found.names,
        must
    );
    let allowed = &must | &may;
    prop_assert!(
        found.names.is_subset(&allowed),
        "{:?}, may {:?}",
        found.names,
        allowed
    );
    Ok(())
}

fn is_unscoped(condition: &Condition) -> bool {
    matches!(condition.field(), Field::Attribute(attribute) if attribute.scope == Scope::Unscoped)
}

fn cases() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var("PROPTEST_CASES").is_err() {
        config.cases = 200;
    }
    config
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn tags_are_what_a_walk_collects(
        data in data(),
        fields in vec(field(), 1..4),
        groups in prop::option::weighted(0.8, vec(vec(condition_of_tags(), 1..3), 1..3)),
    ) {
        // Requests with an unscoped condition are not filtered at all.
        let groups = groups.filter(|groups| !groups.iter().flatten().any(is_unscoped));
        let groups = groups.as_deref();
        let batch = data.batch();
        let blocks = [Format::VParquet5, Format::VParquet4].map(|format| Block::write(&batch, format));
        let storage = in_order_of(&data, blocks[0].chunk());
        let contexts = contexts(&storage);
        for field in &fields {
            check(|| BatchChunk::new(&batch, async || {}), &contexts, field, groups)?;
            for block in &blocks {
                check(|| block.chunk(), &contexts, field, groups)?;
            }
        }
    }
}
