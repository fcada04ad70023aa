//! Answers of a search (traceql.md §6.3).

use std::collections::BTreeMap;

use vivace_columns::{Level, ServiceStats};
use vivace_engine::{SpanResult, SpanSetResult, TraceResult};
use vivace_model::{SpanId, TraceId};
use vivace_traceql::{Field, Intrinsic, Scope, Static};

use crate::expression::passes;
use crate::fields::{Slot, of_member, of_members, without_member};
use crate::pipeline::{Condition, Query, Run, Set};
use crate::value::V;

/// All of the field's values are listed.
fn is_whole(query: &Query<'_>, field: &Field) -> bool {
    query.reading.whole.contains(field) || query.selected.contains(field)
}

/// The part of a value that the query looks at (R3); None: nothing.
fn visible(query: &Query<'_>, field: &Field, value: &V) -> Option<V> {
    if is_whole(query, field) {
        return Some(value.clone());
    }
    let (_, conditions) = query.conditions.iter().find(|(known, _)| known == field)?;
    let is_seen = |value: &V| {
        conditions.iter().any(|condition| match condition {
            Condition::Compare(op, literal) => passes(field, *op, literal, false, value),
            Condition::Exists | Condition::NotExists => false,
        })
    };
    match value {
        V::Array(elements) => {
            let mut seen: Vec<V> = elements
                .iter()
                .filter(|one| is_seen(one))
                .cloned()
                .collect();
            match seen.len() {
                0 => None,
                1 => Some(seen.remove(0)),
                _ => Some(V::Array(seen)),
            }
        }
        scalar => is_seen(scalar).then(|| scalar.clone()),
    }
}

fn levels(field: &Field) -> &'static [Level] {
    match field {
        Field::Attribute(attribute) => match attribute.scope {
            Scope::Unscoped => &[Level::Span, Level::Resource],
            Scope::Span => &[Level::Span],
            Scope::Resource => &[Level::Resource],
            Scope::Event => &[Level::Event],
            Scope::Link => &[Level::Link],
            Scope::Instrumentation => &[Level::Scope],
        },
        Field::Intrinsic(_) => &[],
    }
}

fn is_listed(field: &Field) -> bool {
    !matches!(
        field,
        Field::Intrinsic(
            Intrinsic::Name
                | Intrinsic::Duration
                | Intrinsic::TraceDuration
                | Intrinsic::TraceRootName
                | Intrinsic::TraceRootService
                | Intrinsic::TraceId
                | Intrinsic::SpanId
        )
    )
}

/// What is listed of a field, by column.
fn listed(run: &Run<'_>, field: &Field, span: usize) -> Vec<Static> {
    let query = run.query;
    let is_whole = is_whole(query, field);
    let of_span = &run.context.trace.spans[span];
    let (of_events, of_links) = of_members(field);
    if of_events || of_links {
        let (chosen, count) = match of_events {
            true => (run.chosen[span].last.0, of_span.events.len()),
            false => (run.chosen[span].last.1, of_span.links.len()),
        };
        let found = chosen
            .into_iter()
            .chain((0..count).rev())
            .find_map(|number| match of_member(of_span, field, number) {
                Slot::Value(value) => visible(query, field, &value),
                _ => None,
            });
        let without = match without_member(field) {
            V::Nil => None,
            value => (is_whole && count == 0).then_some(value),
        };
        let all = found.or(without).into_iter();
        return all.map(|value| value.to_static()).collect();
    }
    let asks_for_nil = query.conditions.iter().any(|(known, conditions)| {
        known == field && !is_whole && conditions.contains(&Condition::NotExists)
    });
    let slots = run.context.slots(field, span);
    let mut all = Vec::new();
    for (number, slot) in slots.iter().enumerate() {
        let nil = Static::String("nil".into());
        let is_dedicated = || {
            let level = levels(field).get(number).copied();
            level.is_some_and(|level| {
                let key = field.bare_key().to_owned();
                query.reading.dedicated.contains(&(level, key))
            })
        };
        match slot {
            Slot::Value(value) => {
                all.extend(visible(query, field, value).map(|value| value.to_static()));
            }
            Slot::Missing if asks_for_nil => all.push(nil),
            Slot::Missing | Slot::Hidden if is_whole && is_dedicated() => all.push(nil),
            _ => {}
        }
    }
    all
}

fn span_result(run: &Run<'_>, number: usize) -> SpanResult {
    let span = &run.context.trace.spans[number];
    let query = run.query;
    let mut fields: Vec<&Field> = query.conditions.iter().map(|(field, _)| field).collect();
    for field in &query.selected {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let mut attributes = Vec::new();
    let mut name = None;
    for field in fields {
        if *field == Field::Intrinsic(Intrinsic::Name) {
            let value = visible(query, field, &V::Text(span.name.clone()));
            name = value.map(|_| span.name.as_str().into());
        }
        if is_listed(field) {
            let values = listed(run, field, number).into_iter();
            attributes.extend(values.map(|value| (field.bare_key().into(), value)));
        }
    }
    SpanResult {
        span_id: SpanId(span.id.to_be_bytes()),
        name,
        start_unix_nano: span.start,
        duration_nano: span.duration,
        attributes,
    }
}

pub fn trace_result(run: &Run<'_>, sets: &[Set], spans_per_set: usize) -> TraceResult {
    let context = run.context;
    let mut services: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for span in &context.trace.spans {
        let counts = services.entry(context.service(span)).or_default();
        counts.0 += 1;
        counts.1 += u32::from(span.status == 2);
    }
    let wanted = match spans_per_set {
        0 => usize::MAX,
        some => some,
    };
    let set_result = |set: &Set| SpanSetResult {
        attributes: (set.attributes.iter())
            .map(|(name, value)| match value {
                Static::Nil => (name.clone(), Static::String("nil".into())),
                value => (name.clone(), value.clone()),
            })
            .collect(),
        matched: set.spans.len() as u32,
        spans: (set.spans.iter().take(wanted))
            .map(|&span| span_result(run, span))
            .collect(),
    };
    let root = context.root();
    TraceResult {
        trace_id: TraceId(context.trace.id),
        root_service: root.map_or("", |root| context.service(root)).into(),
        root_name: root.map_or("", |root| &root.name).into(),
        start_unix_nano: context.start(),
        duration_nano: context.end() - context.start(),
        services: (services.into_iter())
            .map(|(service, (spans, errors))| ServiceStats {
                service: service.into(),
                spans,
                errors,
            })
            .collect(),
        span_sets: sets.iter().map(set_result).collect(),
    }
}
