//! One span, event, link, resource or scope.

use super::View;
use super::values::AttributesView;
use crate::{SpanId, StringId, TraceId};

/// A row.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    view: &'a View<'a>,
    row: usize,
}

impl<'a> SpanView<'a> {
    pub(crate) fn new(view: &'a View<'a>, row: usize) -> Self {
        Self { view, row }
    }
    pub fn row(&self) -> usize {
        self.row
    }
    /// A binary search over the traces of the batch.
    pub fn trace_id(&self) -> TraceId {
        self.view.trace_id(self.row)
    }
    pub fn span_id(&self) -> SpanId {
        SpanId(self.view.span_id.get(self.row))
    }
    pub fn parent_span_id(&self) -> Option<SpanId> {
        let id = SpanId(self.view.parent_span_id.get(self.row));
        (!id.is_zero()).then_some(id)
    }
    pub fn name(&self) -> &'a str {
        self.view.string(self.name_id())
    }
    pub fn name_id(&self) -> StringId {
        StringId(self.view.name.get(self.row))
    }
    /// OTLP's number, also one that OTLP does not know.
    pub fn kind(&self) -> i32 {
        self.view.kind.get(self.row)
    }
    pub fn start_unix_nano(&self) -> u64 {
        self.view.start_unix_nano.get(self.row)
    }
    /// End - start, wrapping.
    pub fn duration_nano(&self) -> u64 {
        self.view.duration_nano.get(self.row)
    }
    pub fn end_unix_nano(&self) -> u64 {
        self.start_unix_nano().wrapping_add(self.duration_nano())
    }
    /// OTLP's number, also one that OTLP does not know.
    pub fn status_code(&self) -> i32 {
        self.view.status_code.get(self.row)
    }
    pub fn status_message(&self) -> &'a str {
        self.view.string(self.status_message_id())
    }
    pub fn status_message_id(&self) -> StringId {
        StringId(self.view.status_message.get(self.row))
    }
    pub fn trace_state(&self) -> &'a str {
        self.view.string(self.trace_state_id())
    }
    pub fn trace_state_id(&self) -> StringId {
        StringId(self.view.trace_state.get(self.row))
    }
    pub fn flags(&self) -> u32 {
        self.view.flags.get(self.row)
    }
    pub fn dropped_attributes_count(&self) -> u32 {
        self.view.dropped_attributes.get(self.row)
    }
    pub fn dropped_events_count(&self) -> u32 {
        self.view.dropped_events.get(self.row)
    }
    pub fn dropped_links_count(&self) -> u32 {
        self.view.dropped_links.get(self.row)
    }
    pub fn attributes(&self) -> AttributesView<'a> {
        self.view.attributes.of(self.view, self.row)
    }
    pub fn events(&self) -> impl ExactSizeIterator<Item = EventView<'a>> + use<'a> {
        let view = self.view;
        view.events
            .starts
            .range(self.row)
            .map(move |index| EventView { view, index })
    }
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkView<'a>> + use<'a> {
        let view = self.view;
        view.links
            .starts
            .range(self.row)
            .map(move |index| LinkView { view, index })
    }
    pub fn resource_index(&self) -> usize {
        self.view.resource.get(self.row) as usize
    }
    pub fn resource(&self) -> ResourceView<'a> {
        self.view.resource(self.resource_index())
    }
    pub fn scope_index(&self) -> usize {
        self.view.scope.get(self.row) as usize
    }
    pub fn scope(&self) -> ScopeView<'a> {
        self.view.scope(self.scope_index())
    }
}

/// An event of a span.
#[derive(Clone, Copy)]
pub struct EventView<'a> {
    view: &'a View<'a>,
    index: usize,
}

impl<'a> EventView<'a> {
    pub(crate) fn new(view: &'a View<'a>, index: usize) -> Self {
        Self { view, index }
    }
    pub fn time_unix_nano(&self) -> u64 {
        self.view.events.time_unix_nano.get(self.index)
    }
    pub fn name(&self) -> &'a str {
        self.view.string(self.name_id())
    }
    pub fn name_id(&self) -> StringId {
        StringId(self.view.events.name.get(self.index))
    }
    pub fn attributes(&self) -> AttributesView<'a> {
        self.view.events.attributes.of(self.view, self.index)
    }
    pub fn dropped_attributes_count(&self) -> u32 {
        self.view.events.dropped_attributes.get(self.index)
    }
}

/// A link of a span.
#[derive(Clone, Copy)]
pub struct LinkView<'a> {
    view: &'a View<'a>,
    index: usize,
}

impl<'a> LinkView<'a> {
    pub(crate) fn new(view: &'a View<'a>, index: usize) -> Self {
        Self { view, index }
    }
    /// As received; 16 bytes if the sender did right.
    pub fn trace_id(&self) -> &'a [u8] {
        self.view.blob(self.view.links.trace_id.get(self.index))
    }
    /// As received; 8 bytes if the sender did right.
    pub fn span_id(&self) -> &'a [u8] {
        self.view.blob(self.view.links.span_id.get(self.index))
    }
    pub fn trace_state(&self) -> &'a str {
        self.view.string(self.trace_state_id())
    }
    pub fn trace_state_id(&self) -> StringId {
        StringId(self.view.links.trace_state.get(self.index))
    }
    pub fn flags(&self) -> u32 {
        self.view.links.flags.get(self.index)
    }
    pub fn attributes(&self) -> AttributesView<'a> {
        self.view.links.attributes.of(self.view, self.index)
    }
    pub fn dropped_attributes_count(&self) -> u32 {
        self.view.links.dropped_attributes.get(self.index)
    }
}

/// A resource with its schema.
#[derive(Clone, Copy)]
pub struct ResourceView<'a> {
    view: &'a View<'a>,
    index: usize,
}

impl<'a> ResourceView<'a> {
    pub(crate) fn new(view: &'a View<'a>, index: usize) -> Self {
        Self { view, index }
    }
    pub fn attributes(&self) -> AttributesView<'a> {
        self.view.resources.attributes.of(self.view, self.index)
    }
    pub fn dropped_attributes_count(&self) -> u32 {
        self.view.resources.dropped_attributes.get(self.index)
    }
    pub fn schema_url(&self) -> &'a str {
        self.view
            .string(StringId(self.view.resources.schema_url.get(self.index)))
    }
    /// The `entity_refs` fields of the OTLP Resource, tags included: appended to an encoded Resource they belong to it.
    pub fn entity_refs(&self) -> &'a [u8] {
        self.view
            .blob(self.view.resources.entity_refs.get(self.index))
    }
}

/// An instrumentation scope with its schema.
#[derive(Clone, Copy)]
pub struct ScopeView<'a> {
    view: &'a View<'a>,
    index: usize,
}

impl<'a> ScopeView<'a> {
    pub(crate) fn new(view: &'a View<'a>, index: usize) -> Self {
        Self { view, index }
    }
    pub fn name(&self) -> &'a str {
        self.view
            .string(StringId(self.view.scopes.name.get(self.index)))
    }
    pub fn version(&self) -> &'a str {
        self.view
            .string(StringId(self.view.scopes.version.get(self.index)))
    }
    pub fn attributes(&self) -> AttributesView<'a> {
        self.view.scopes.attributes.of(self.view, self.index)
    }
    pub fn dropped_attributes_count(&self) -> u32 {
        self.view.scopes.dropped_attributes.get(self.index)
    }
    pub fn schema_url(&self) -> &'a str {
        self.view
            .string(StringId(self.view.scopes.schema_url.get(self.index)))
    }
}
