//! Names the place of a byte in a request. Only needed when something is wrong, so it walks from the top.

use super::limits::MAX_PATH_DEPTH;
use super::wire::{Reader, field_of};

#[derive(Clone, Copy)]
enum Message {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    /// A field without fields.
    Scalar,
}

/// Name of a field, whether it is repeated, and what it holds.
fn field(message: Message, number: u32) -> Option<(&'static str, bool, Message)> {
    use Message::*;
    Some(match (message, number) {
        (Request, 1) => ("resource_spans", true, ResourceSpans),
        (ResourceSpans, 1) => ("resource", false, Resource),
        (ResourceSpans, 2) => ("scope_spans", true, ScopeSpans),
        (ScopeSpans, 1) => ("scope", false, Scope),
        (ScopeSpans, 2) => ("spans", true, Span),
        (ResourceSpans | ScopeSpans, 3) => ("schema_url", false, Scalar),
        (Resource, 1) | (Scope, 3) | (Span, 9) | (Event, 3) | (Link, 4) => {
            ("attributes", true, KeyValue)
        }
        (Resource, 2) | (Scope, 4) | (Span, 10) | (Event, 4) | (Link, 5) => {
            ("dropped_attributes_count", false, Scalar)
        }
        (Resource, 3) => ("entity_refs", true, EntityRef),
        (Scope, 1) => ("name", false, Scalar),
        (Scope, 2) => ("version", false, Scalar),
        (Span | Link, 1) => ("trace_id", false, Scalar),
        (Span | Link, 2) => ("span_id", false, Scalar),
        (Span | Link, 3) => ("trace_state", false, Scalar),
        (Span, 4) => ("parent_span_id", false, Scalar),
        (Span, 5) | (Event, 2) => ("name", false, Scalar),
        (Span, 6) => ("kind", false, Scalar),
        (Span, 7) => ("start_time_unix_nano", false, Scalar),
        (Span, 8) => ("end_time_unix_nano", false, Scalar),
        (Span, 11) => ("events", true, Event),
        (Span, 12) => ("dropped_events_count", false, Scalar),
        (Span, 13) => ("links", true, Link),
        (Span, 14) => ("dropped_links_count", false, Scalar),
        (Span, 15) => ("status", false, Status),
        (Span, 16) | (Link, 6) => ("flags", false, Scalar),
        (Event, 1) => ("time_unix_nano", false, Scalar),
        (Status, 2) => ("message", false, Scalar),
        (Status, 3) => ("code", false, Scalar),
        (KeyValue, 1) => ("key", false, Scalar),
        (KeyValue, 2) => ("value", false, AnyValue),
        (AnyValue, 1) => ("string_value", false, Scalar),
        (AnyValue, 2) => ("bool_value", false, Scalar),
        (AnyValue, 3) => ("int_value", false, Scalar),
        (AnyValue, 4) => ("double_value", false, Scalar),
        (AnyValue, 5) => ("array_value", false, ArrayValue),
        (AnyValue, 6) => ("kvlist_value", false, KeyValueList),
        (AnyValue, 7) => ("bytes_value", false, Scalar),
        (ArrayValue, 1) => ("values", true, AnyValue),
        (KeyValueList, 1) => ("values", true, KeyValue),
        _ => return None,
    })
}

/// The fields that lead to the byte at `offset`, such as `resource_spans[0].resource.attributes[2].value`.
/// Empty when the byte belongs to no field.
pub(super) fn path(request: &[u8], offset: usize) -> String {
    let mut path = String::new();
    let mut message = Message::Request;
    let mut fields = Reader::new(request);
    for _ in 0..MAX_PATH_DEPTH {
        let Some((step, inner, range)) = step(&mut fields, message, offset) else {
            break;
        };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&step);
        let Some(inside) = range else { break };
        (message, fields) = (inner, inside);
    }
    path
}

/// The field at `offset`: its name, what it holds, and its payload when `offset` is in there.
fn step<'a>(
    fields: &mut Reader<'a>,
    message: Message,
    offset: usize,
) -> Option<(String, Message, Option<Reader<'a>>)> {
    // How many of each repeated field came before; numbers of repeated fields are small.
    let mut counts = [0u32; 16];
    loop {
        let key = fields.key().ok().flatten()?;
        let number = field_of(key);
        let known = field(message, number);
        let mut value = *fields;
        let payload = if key & 7 == 2 {
            value.message().ok()
        } else {
            None
        };
        let skipped = fields.skip_value(key).is_ok();
        let repeated = known.is_some_and(|known| known.1);
        if skipped && fields.offset() <= offset {
            if let (true, Some(count)) = (repeated, counts.get_mut(number as usize)) {
                *count += 1;
            }
            continue;
        }
        let (name, inner) = known.map_or_else(
            || (format!("field {number}"), Message::Scalar),
            |known| (known.0.to_owned(), known.2),
        );
        let step = match counts.get(number as usize) {
            Some(index) if repeated => format!("{name}[{index}]"),
            _ => name,
        };
        let inside = payload.filter(|payload| payload.offset() <= offset);
        let has_fields = !matches!(inner, Message::Scalar);
        return Some((step, inner, inside.filter(|_| has_fields)));
    }
}
