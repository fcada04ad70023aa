//! Writes the columns as one flatbuffer, into memory of the right size at once.

use bytes::Bytes;
use flatbuffers::{FlatBufferBuilder, Push, Vector, WIPOffset};

use super::SpanBatchBuilder;
use super::columns::{Attributes, Elements, Events, Links, Resources, Rows, Runs, Scopes};
use crate::generated::vivace as fb;

type Fbb = FlatBufferBuilder<'static>;
type Column<T> = WIPOffset<Vector<'static, T>>;

/// Tables, vtables, lengths and padding: about 40 vectors and 11 tables.
const OVERHEAD_BYTES: usize = 1536;

/// A column that is absent when all of its values are zero.
fn optional<T: Push + Copy + Default + PartialEq>(
    fbb: &mut Fbb,
    column: &[T],
) -> Option<Column<T::Output>> {
    is_used(column).then(|| fbb.create_vector(column))
}

fn is_used<T: Copy + Default + PartialEq>(column: &[T]) -> bool {
    column.iter().any(|&value| value != T::default())
}

/// What an optional column saves when it is left out.
fn saved<T: Copy + Default + PartialEq>(column: &[T]) -> usize {
    if is_used(column) {
        0
    } else {
        size_of_val(column)
    }
}

/// The rows of the builder are sorted, its runs are found, and there is at least one.
pub(super) fn write(builder: &SpanBatchBuilder) -> Bytes {
    let rows = &builder.rows;
    let Runs {
        trace_ids,
        starts: trace_starts,
    } = &builder.runs;
    let saved = saved_bytes(rows) + (rows.len() - trace_ids.len()) * 16;
    let estimate = builder.estimated_bytes() + trace_starts.len() * 4 + OVERHEAD_BYTES;
    let mut fbb = Fbb::with_capacity(estimate.saturating_sub(saved).next_multiple_of(8));
    let fbb = &mut fbb;

    let strings = {
        let (starts, data) = (&builder.strings.starts, &builder.strings.data);
        let args = fb::StringsArgs {
            data: Some(fbb.create_vector(data)),
            starts: Some(fbb.create_vector(starts)),
        };
        fb::Strings::create(fbb, &args)
    };
    let blobs = (!builder.blobs.is_empty()).then(|| fbb.create_vector(&builder.blobs));
    let elements = elements(fbb, &builder.elements);
    let resources = resources(fbb, &builder.resources);
    let scopes = scopes(fbb, &builder.scopes);
    let events = (rows.events.len() > 0).then(|| events(fbb, &rows.events, &rows.event_starts));
    let links = (rows.links.len() > 0).then(|| links(fbb, &rows.links, &rows.link_starts));
    let spans = &rows.spans;
    let has_parents = is_used(&spans.parent_span_id);
    let args = fb::SpanBatchArgs {
        strings: Some(strings),
        blobs,
        elements,
        resources: Some(resources),
        scopes: Some(scopes),
        trace_ids: Some(fbb.create_vector(trace_ids.as_flattened())),
        trace_starts: Some(fbb.create_vector(trace_starts)),
        start_unix_nano: Some(fbb.create_vector(&spans.start_unix_nano)),
        duration_nano: Some(fbb.create_vector(&spans.duration_nano)),
        span_id: Some(fbb.create_vector(spans.span_id.as_flattened())),
        parent_span_id: has_parents.then(|| fbb.create_vector(spans.parent_span_id.as_flattened())),
        name: Some(fbb.create_vector(&spans.name)),
        resource: Some(fbb.create_vector(&spans.resource)),
        scope: Some(fbb.create_vector(&spans.scope)),
        kind: optional(fbb, &spans.kind),
        status_code: optional(fbb, &spans.status_code),
        status_message: optional(fbb, &spans.status_message),
        trace_state: optional(fbb, &spans.trace_state),
        flags: optional(fbb, &spans.flags),
        dropped_attributes: optional(fbb, &spans.dropped_attributes),
        dropped_events: optional(fbb, &spans.dropped_events),
        dropped_links: optional(fbb, &spans.dropped_links),
        attributes: Some(attributes(fbb, &spans.attributes)),
        events,
        links,
    };
    let root = fb::SpanBatch::create(fbb, &args);
    fb::finish_span_batch_buffer(fbb, root);
    let (memory, start) = std::mem::take(fbb).collapse();
    Bytes::from(memory).slice(start..)
}

/// Bytes of the estimate that absent columns of rows do not need.
fn saved_bytes(rows: &Rows) -> usize {
    let spans = &rows.spans;
    let events = if rows.events.len() == 0 {
        size_of_val(&rows.event_starts[..])
    } else {
        0
    };
    let links = if rows.links.len() == 0 {
        size_of_val(&rows.link_starts[..])
    } else {
        0
    };
    saved(&spans.parent_span_id)
        + saved(&spans.kind)
        + saved(&spans.status_code)
        + saved(&spans.status_message)
        + saved(&spans.trace_state)
        + saved(&spans.flags)
        + saved(&spans.dropped_attributes)
        + saved(&spans.dropped_events)
        + saved(&spans.dropped_links)
        + saved(&rows.events.dropped_attributes)
        + events
        + links
}

fn attributes(fbb: &mut Fbb, attributes: &Attributes) -> WIPOffset<fb::Attributes<'static>> {
    let args = fb::AttributesArgs {
        starts: Some(fbb.create_vector(&attributes.starts)),
        keys: Some(fbb.create_vector(&attributes.keys)),
        values: Some(fbb.create_vector(&attributes.values)),
    };
    fb::Attributes::create(fbb, &args)
}

fn elements(fbb: &mut Fbb, elements: &Elements) -> Option<WIPOffset<fb::Elements<'static>>> {
    if elements.keys.is_empty() {
        return None;
    }
    let args = fb::ElementsArgs {
        keys: Some(fbb.create_vector(&elements.keys)),
        values: Some(fbb.create_vector(&elements.values)),
    };
    Some(fb::Elements::create(fbb, &args))
}

fn resources(fbb: &mut Fbb, resources: &Resources) -> WIPOffset<fb::Resources<'static>> {
    let args = fb::ResourcesArgs {
        attributes: Some(attributes(fbb, &resources.attributes)),
        dropped_attributes: optional(fbb, &resources.dropped_attributes),
        schema_url: optional(fbb, &resources.schema_url),
        entity_refs: optional(fbb, &resources.entity_refs),
    };
    fb::Resources::create(fbb, &args)
}

fn scopes(fbb: &mut Fbb, scopes: &Scopes) -> WIPOffset<fb::Scopes<'static>> {
    let args = fb::ScopesArgs {
        name: Some(fbb.create_vector(&scopes.name)),
        version: optional(fbb, &scopes.version),
        attributes: Some(attributes(fbb, &scopes.attributes)),
        dropped_attributes: optional(fbb, &scopes.dropped_attributes),
        schema_url: optional(fbb, &scopes.schema_url),
    };
    fb::Scopes::create(fbb, &args)
}

fn events(fbb: &mut Fbb, events: &Events, starts: &[u32]) -> WIPOffset<fb::Events<'static>> {
    let args = fb::EventsArgs {
        starts: Some(fbb.create_vector(starts)),
        time_unix_nano: Some(fbb.create_vector(&events.time_unix_nano)),
        name: Some(fbb.create_vector(&events.name)),
        attributes: Some(attributes(fbb, &events.attributes)),
        dropped_attributes: optional(fbb, &events.dropped_attributes),
    };
    fb::Events::create(fbb, &args)
}

fn links(fbb: &mut Fbb, links: &Links, starts: &[u32]) -> WIPOffset<fb::Links<'static>> {
    let args = fb::LinksArgs {
        starts: Some(fbb.create_vector(starts)),
        trace_id: Some(fbb.create_vector(&links.trace_id)),
        span_id: Some(fbb.create_vector(&links.span_id)),
        trace_state: optional(fbb, &links.trace_state),
        flags: optional(fbb, &links.flags),
        attributes: Some(attributes(fbb, &links.attributes)),
        dropped_attributes: optional(fbb, &links.dropped_attributes),
    };
    fb::Links::create(fbb, &args)
}
