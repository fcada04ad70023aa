//! The second pass over a span: from the wire into the builder.

use vivace_model::{
    BatchFull, EventRow, LinkRow, Owner, ResourceId, ScopeId, SpanId, SpanRow, TraceId,
};

use super::rejected::Reason;
use super::values::Sink;
use super::wire::{Reader, Result};

/// Status, merged from all of its fields.
#[derive(Default)]
struct Status<'a> {
    message: &'a [u8],
    code: i32,
}

impl Sink {
    /// Stores a span whose ids are valid; forgets it when it can't be kept.
    pub(super) fn span(
        &mut self,
        fields: Reader<'_>,
        resource: ResourceId,
        scope: ScopeId,
    ) -> Result<std::result::Result<(), Reason>> {
        let counts = self.counts;
        self.refused = None;
        let row = self.span_fields(fields, resource, scope)?;
        let stored = match self.refused.take() {
            Some(reason) => Err(reason),
            None => self
                .builder
                .end_span(row)
                .map_err(|BatchFull| Reason::TooLarge),
        };
        if stored.is_err() {
            self.builder.abort();
            self.counts = counts;
        }
        Ok(stored)
    }

    /// Checks the bytes of a span that is not stored.
    pub(super) fn check_span(&mut self, fields: Reader<'_>) -> Result {
        let counts = self.counts;
        let checked = self.span_fields(fields, ResourceId(0), ScopeId(0));
        self.counts = counts;
        self.builder.abort();
        checked.map(drop)
    }

    #[inline]
    fn span_fields(
        &mut self,
        mut fields: Reader<'_>,
        resource: ResourceId,
        scope: ScopeId,
    ) -> Result<SpanRow> {
        let (mut trace_id, mut span_id, mut parent_span_id) = (&[][..], &[][..], &[][..]);
        let (mut name, mut trace_state, mut status) = (&[][..], &[][..], Status::default());
        let (mut kind, mut flags) = (0, 0);
        let (mut start_unix_nano, mut end_unix_nano) = (0, 0);
        let (mut dropped_attributes_count, mut dropped_events_count) = (0, 0);
        let mut dropped_links_count = 0;
        let mut has_attributes = false;
        while let Some(key) = fields.key()? {
            match key {
                0x4a => {
                    let message = fields.message()?;
                    self.attribute(Owner::Span, message)?;
                    has_attributes = true;
                }
                0x0a => {
                    trace_id = fields.payload()?;
                    self.is_reordered |= has_attributes;
                }
                0x12 => {
                    span_id = fields.payload()?;
                    self.is_reordered |= has_attributes;
                }
                0x1a => trace_state = fields.payload()?,
                0x22 => {
                    parent_span_id = fields.payload()?;
                    self.is_reordered |= has_attributes;
                }
                0x2a => name = fields.payload()?,
                0x30 => kind = fields.varint()? as i32,
                0x39 => {
                    start_unix_nano = fields.fixed64()?;
                    self.is_reordered |= has_attributes;
                }
                0x41 => end_unix_nano = fields.fixed64()?,
                0x50 => dropped_attributes_count = fields.varint()? as u32,
                0x5a => self.event(fields.message()?)?,
                0x60 => dropped_events_count = fields.varint()? as u32,
                0x6a => self.link(fields.message()?)?,
                0x70 => dropped_links_count = fields.varint()? as u32,
                0x7a => status.merge(fields.message()?)?,
                0x85 => flags = fields.fixed32()?,
                _ => fields.skip(key, 16)?,
            }
        }
        Ok(SpanRow {
            trace_id: trace_id.try_into().map_or(TraceId::default(), TraceId),
            span_id: id(span_id).unwrap_or_default(),
            parent_span_id: id(parent_span_id),
            name: self.string(name),
            kind,
            start_unix_nano,
            end_unix_nano,
            status_code: status.code,
            status_message: self.string(status.message),
            trace_state: self.string(trace_state),
            flags,
            dropped_attributes_count,
            dropped_events_count,
            dropped_links_count,
            resource,
            scope,
        })
    }

    fn event(&mut self, mut fields: Reader<'_>) -> Result {
        let mut event = EventRow::default();
        let mut name = &[][..];
        while let Some(key) = fields.key()? {
            match key {
                0x09 => event.time_unix_nano = fields.fixed64()?,
                0x12 => name = fields.payload()?,
                0x1a => {
                    let message = fields.message()?;
                    self.attribute(Owner::Event, message)?;
                }
                0x20 => event.dropped_attributes_count = fields.varint()? as u32,
                _ => fields.skip(key, 4)?,
            }
        }
        event.name = self.string(name);
        self.builder.event(event);
        Ok(())
    }

    fn link(&mut self, mut fields: Reader<'_>) -> Result {
        let mut link = LinkRow::default();
        let mut trace_state = &[][..];
        while let Some(key) = fields.key()? {
            match key {
                0x0a => link.trace_id = fields.payload()?,
                0x12 => link.span_id = fields.payload()?,
                0x1a => trace_state = fields.payload()?,
                0x22 => {
                    let message = fields.message()?;
                    self.attribute(Owner::Link, message)?;
                }
                0x28 => link.dropped_attributes_count = fields.varint()? as u32,
                0x35 => link.flags = fields.fixed32()?,
                _ => fields.skip(key, 6)?,
            }
        }
        link.trace_state = self.string(trace_state);
        self.builder.link(link);
        Ok(())
    }
}

impl<'a> Status<'a> {
    fn merge(&mut self, mut fields: Reader<'a>) -> Result {
        while let Some(key) = fields.key()? {
            match key {
                0x12 => self.message = fields.payload()?,
                0x18 => self.code = fields.varint()? as i32,
                // Field 1 was a code that OTLP no longer has.
                _ if super::wire::field_of(key) == 1 => fields.skip_value(key)?,
                _ => fields.skip(key, 3)?,
            }
        }
        Ok(())
    }
}

fn id(bytes: &[u8]) -> Option<SpanId> {
    bytes.try_into().ok().map(SpanId).filter(|id| !id.is_zero())
}
