//! Copies rows of a finished batch.

use std::ops::Range;

use super::{BatchFull, EventRow, LinkRow, Owner, SpanBatchBuilder, SpanRow};
use crate::value::{ResourceId, ScopeId, StringId, Value, ValueType, range_bits};
use crate::view::{AttributesView, SpanView, ValueView, View};

/// What strings, resources and scopes of the source are called in the builder; `NEW` where it is not known yet.
#[derive(Default)]
pub(super) struct Remap {
    strings: Vec<u32>,
    resources: Vec<u32>,
    scopes: Vec<u32>,
}

const NEW: u32 = u32::MAX;

impl Remap {
    fn reset(&mut self, view: &View<'_>) {
        for (map, len) in [
            (&mut self.strings, view.string_count()),
            (&mut self.resources, view.resource_count()),
            (&mut self.scopes, view.scope_count()),
        ] {
            map.clear();
            map.resize(len, NEW);
        }
    }

    pub(super) fn retained_bytes(&self) -> usize {
        (self.strings.capacity() + self.resources.capacity() + self.scopes.capacity()) * 4
    }
}

impl SpanBatchBuilder {
    /// Copies rows of another batch, all or (when the batch would get too large) the first ones.
    pub fn append_rows(&mut self, view: &View<'_>, rows: Range<usize>) -> Result<(), BatchFull> {
        self.append_row_ranges(view, [rows])
    }

    /// Copies several ranges of one batch; cheaper than one call for each.
    pub fn append_row_ranges(
        &mut self,
        view: &View<'_>,
        ranges: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<(), BatchFull> {
        self.abort();
        self.remap.reset(view);
        for rows in ranges {
            for row in rows.start..rows.end.min(view.span_count()) {
                self.append_span(view, &view.span(row))?;
            }
        }
        Ok(())
    }

    fn append_span(&mut self, view: &View<'_>, span: &SpanView<'_>) -> Result<(), BatchFull> {
        // Strings that `abort` takes back would stay in the map; nothing is appended after an error, though.
        let resource = self.append_resource(view, span.resource_index())?;
        let scope = self.append_scope(view, span.scope_index())?;
        self.append_attributes(Owner::Span, view, span.attributes());
        for event in span.events() {
            self.append_attributes(Owner::Event, view, event.attributes());
            let name = self.append_string(view, event.name_id());
            self.event(EventRow {
                time_unix_nano: event.time_unix_nano(),
                name,
                dropped_attributes_count: event.dropped_attributes_count(),
            });
        }
        for link in span.links() {
            self.append_attributes(Owner::Link, view, link.attributes());
            let trace_state = self.append_string(view, link.trace_state_id());
            self.link(LinkRow {
                trace_id: link.trace_id(),
                span_id: link.span_id(),
                trace_state,
                flags: link.flags(),
                dropped_attributes_count: link.dropped_attributes_count(),
            });
        }
        let name = self.append_string(view, span.name_id());
        let status_message = self.append_string(view, span.status_message_id());
        let trace_state = self.append_string(view, span.trace_state_id());
        self.end_span(SpanRow {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            name,
            kind: span.kind(),
            start_unix_nano: span.start_unix_nano(),
            end_unix_nano: span.end_unix_nano(),
            status_code: span.status_code(),
            status_message,
            trace_state,
            flags: span.flags(),
            dropped_attributes_count: span.dropped_attributes_count(),
            dropped_events_count: span.dropped_events_count(),
            dropped_links_count: span.dropped_links_count(),
            resource,
            scope,
        })
    }

    fn append_string(&mut self, view: &View<'_>, id: StringId) -> StringId {
        match self.remap.strings.get(id.0 as usize) {
            Some(&NEW) => {
                let new = self.intern(view.string(id));
                self.remap.strings[id.0 as usize] = new.0;
                new
            }
            Some(&known) => StringId(known),
            None => StringId(0),
        }
    }

    fn append_resource(&mut self, view: &View<'_>, index: usize) -> Result<ResourceId, BatchFull> {
        if let Some(&known) = self.remap.resources.get(index)
            && known != NEW
        {
            return Ok(ResourceId(known));
        }
        let resource = view.resource(index);
        self.append_attributes(Owner::Resource, view, resource.attributes());
        let schema_url = self.intern(resource.schema_url());
        let id = self.resource(
            resource.dropped_attributes_count(),
            schema_url,
            resource.entity_refs(),
        )?;
        if let Some(slot) = self.remap.resources.get_mut(index) {
            *slot = id.0;
        }
        Ok(id)
    }

    fn append_scope(&mut self, view: &View<'_>, index: usize) -> Result<ScopeId, BatchFull> {
        if let Some(&known) = self.remap.scopes.get(index)
            && known != NEW
        {
            return Ok(ScopeId(known));
        }
        let scope = view.scope(index);
        self.append_attributes(Owner::Scope, view, scope.attributes());
        let (name, version) = (self.intern(scope.name()), self.intern(scope.version()));
        let schema_url = self.intern(scope.schema_url());
        let id = self.scope(name, version, scope.dropped_attributes_count(), schema_url)?;
        if let Some(slot) = self.remap.scopes.get_mut(index) {
            *slot = id.0;
        }
        Ok(id)
    }

    fn append_attributes(&mut self, owner: Owner, view: &View<'_>, attributes: AttributesView<'_>) {
        let mut attributes = attributes;
        while let Some((key, kind, bits)) = attributes.next_bits() {
            let key = self.append_string(view, key);
            let value = self.append_value(view, kind, bits);
            self.attribute(owner, key, value);
        }
    }

    fn append_value(&mut self, view: &View<'_>, kind: ValueType, bits: u64) -> Value {
        match kind {
            ValueType::String => Value::string(self.append_string(view, StringId(bits as u32))),
            ValueType::Bytes => self.bytes(view.blob(bits)),
            ValueType::Array | ValueType::KvList => {
                let mark = self.begin_list();
                let mut elements = match ValueView::new(view, kind as u32, bits) {
                    ValueView::KvList(elements) => elements,
                    ValueView::Array(list) => list.into_elements(),
                    _ => return Value::EMPTY,
                };
                while let Some((key, kind, bits)) = elements.next_bits() {
                    let key = self.append_string(view, key);
                    let value = self.append_value(view, kind, bits);
                    self.element(key, value);
                }
                // A verified batch is never nested too deeply.
                self.elements.end_list(kind, mark.0).unwrap_or(Value {
                    kind,
                    depth: 1,
                    bits: range_bits(0, 0),
                })
            }
            _ => Value::flat(kind, bits),
        }
    }
}
