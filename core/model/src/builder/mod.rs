//! Builds a batch span by span.

mod append;
mod columns;
mod equal;
mod strings;
mod write;

use hashbrown::HashTable;

use self::columns::{Element, Elements, Resources, Rows, Runs, Scopes};
use self::strings::Strings;
use crate::batch::SpanBatch;
use crate::limits::{MAX_BATCH_BYTES, MAX_RETAINED_BYTES, MAX_VALUE_DEPTH};
use crate::value::{ResourceId, ScopeId, StringId, Value, ValueType, key_bits, range_bits};
use crate::{SpanId, TraceId};

/// Whose attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Resource,
    Scope,
    Span,
    Event,
    Link,
}

/// What a span has besides attributes, events and links.
#[derive(Clone, Copy, Debug)]
pub struct SpanRow {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    pub name: StringId,
    pub kind: i32,
    pub start_unix_nano: u64,
    pub end_unix_nano: u64,
    pub status_code: i32,
    pub status_message: StringId,
    pub trace_state: StringId,
    pub flags: u32,
    pub dropped_attributes_count: u32,
    pub dropped_events_count: u32,
    pub dropped_links_count: u32,
    pub resource: ResourceId,
    pub scope: ScopeId,
}

/// What an event has besides attributes.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventRow {
    pub time_unix_nano: u64,
    pub name: StringId,
    pub dropped_attributes_count: u32,
}

/// What a link has besides attributes. The ids are kept whatever their lengths are.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkRow<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub trace_state: StringId,
    pub flags: u32,
    pub dropped_attributes_count: u32,
}

/// Where a list under construction began.
#[derive(Clone, Copy, Debug)]
pub struct ListMark(usize);

/// The batch can't take this span any more (it was forgotten); finish the batch and add the span to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full: it may not exceed {MAX_BATCH_BYTES} bytes")]
pub struct BatchFull;

impl BatchFull {
    /// It fits the next batch, unless the span alone is too large.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

/// Arrays or key-value lists are nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("attribute values may be nested {MAX_VALUE_DEPTH} levels deep")]
pub struct TooDeep;

impl TooDeep {
    /// The same value is as deep next time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Sizes after the last completed span, resource or scope.
#[derive(Clone, Copy, Default)]
struct Complete {
    strings: usize,
    elements: usize,
    blobs: usize,
}

/// A slot of the table that finds equal resources or scopes.
#[derive(Clone, Copy)]
struct Known {
    hash: u64,
    id: u32,
}

/// Builds one batch after the other, keeping its memory (up to a limit) in between.
///
/// A span is built from the inside out: intern its strings; add values of span attributes with
/// `attribute(Owner::Span, ..)`; add the attributes of an event, then the `event` itself, links likewise; then
/// `end_span`, which makes it a row. Resources and scopes are built in the same way, before the span that names them.
/// `abort` forgets everything after the last completed span, resource or scope.
///
/// Ids (`StringId`, `ResourceId`, `ScopeId`, `Value`) are those of the batch under construction: `finish`, `clear`
/// and, for what was not completed, `abort` end their lives.
pub struct SpanBatchBuilder {
    strings: Strings,
    blobs: Vec<u8>,
    elements: Elements,
    resources: Resources,
    known_resources: HashTable<Known>,
    scopes: Scopes,
    known_scopes: HashTable<Known>,
    rows: Rows,
    complete: Complete,
    sorted: Rows,
    order: Vec<u32>,
    runs: Runs,
    remap: append::Remap,
}

impl Default for SpanBatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl SpanBatchBuilder {
    pub fn new() -> Self {
        let mut builder = Self {
            strings: Strings::new(),
            blobs: Vec::new(),
            elements: Elements::default(),
            resources: Resources::default(),
            known_resources: HashTable::new(),
            scopes: Scopes::default(),
            known_scopes: HashTable::new(),
            rows: Rows::default(),
            complete: Complete::default(),
            sorted: Rows::default(),
            order: Vec::new(),
            runs: Runs::default(),
            remap: append::Remap::default(),
        };
        builder.clear();
        builder
    }

    /// Forgets everything, and gives memory back that a large batch needed.
    pub fn clear(&mut self) {
        if self.retained_bytes() > MAX_RETAINED_BYTES {
            *self = Self::new();
            return;
        }
        self.strings.clear();
        self.blobs.clear();
        self.elements.clear();
        self.resources.clear();
        self.known_resources.clear();
        self.scopes.clear();
        self.known_scopes.clear();
        self.rows.clear();
        self.sorted.clear();
        self.complete();
    }

    /// Completed spans.
    pub fn span_count(&self) -> usize {
        self.rows.len()
    }

    /// At most what `finish` would make, not counting a fixed kilobyte; what is under construction is included.
    pub fn estimated_bytes(&self) -> usize {
        self.strings.starts.len() * 4
            + self.strings.data.len()
            + self.blobs.len()
            + self.elements.bytes()
            + self.resources.bytes()
            + self.scopes.bytes()
            + self.rows.bytes()
    }

    /// The memory that the builder holds, used or not.
    pub fn retained_bytes(&self) -> usize {
        let known = size_of::<Known>() + 1;
        self.strings.retained_bytes()
            + self.blobs.capacity()
            + self.elements.retained_bytes()
            + self.resources.retained_bytes()
            + self.scopes.retained_bytes()
            + (self.known_resources.capacity() + self.known_scopes.capacity()) * known
            + self.rows.retained_bytes()
            + self.sorted.retained_bytes()
            + self.order.capacity() * 4
            + self.runs.retained_bytes()
            + self.remap.retained_bytes()
    }

    #[inline]
    pub fn intern(&mut self, text: &str) -> StringId {
        self.strings.intern(text)
    }

    /// The id of a text that should be UTF-8; what is not becomes U+FFFD, and then the second value is true.
    #[inline]
    pub fn intern_lossy(&mut self, text: &[u8]) -> (StringId, bool) {
        self.strings.intern_lossy(text)
    }

    /// The id of a text, None when it is not UTF-8. Cheaper than checking first: known texts need no check.
    #[inline]
    pub fn intern_utf8(&mut self, text: &[u8]) -> Option<StringId> {
        self.strings.intern_utf8(text)
    }

    /// A value of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> Value {
        Value::flat(ValueType::Bytes, self.blob(bytes))
    }

    /// The next elements belong to a new list, until it is ended or dropped. Lists nest.
    #[inline]
    pub fn begin_list(&mut self) -> ListMark {
        ListMark(self.elements.scratch.len())
    }

    /// An element of the list begun last; the key of an array's element is the empty string.
    /// Elements of one kind of list go into one list.
    pub fn element(&mut self, key: StringId, value: Value) {
        self.elements.scratch.push(Element {
            key: key_bits(key, value.kind),
            depth: value.depth,
            value: value.bits,
        });
    }

    /// The value of the elements since `begin_list`.
    pub fn end_array(&mut self, mark: ListMark) -> Result<Value, TooDeep> {
        self.elements.end_list(ValueType::Array, mark.0)
    }

    /// As `end_array`, for a list of keys and values.
    pub fn end_kvlist(&mut self, mark: ListMark) -> Result<Value, TooDeep> {
        self.elements.end_list(ValueType::KvList, mark.0)
    }

    /// Forgets the elements since `begin_list`; the list may go on. (Lists inside them stay in the batch, unused.)
    pub fn drop_elements(&mut self, mark: ListMark) {
        self.elements.scratch.truncate(mark.0);
    }

    /// Adds an attribute to the owner under construction.
    #[inline]
    pub fn attribute(&mut self, owner: Owner, key: StringId, value: Value) {
        let attributes = match owner {
            Owner::Resource => &mut self.resources.attributes,
            Owner::Scope => &mut self.scopes.attributes,
            Owner::Span => &mut self.rows.spans.attributes,
            Owner::Event => &mut self.rows.events.attributes,
            Owner::Link => &mut self.rows.links.attributes,
        };
        attributes.push(key_bits(key, value.kind), value.bits);
    }

    /// Completes an event of the span under construction.
    pub fn event(&mut self, event: EventRow) {
        let events = &mut self.rows.events;
        events.time_unix_nano.push(event.time_unix_nano);
        events.name.push(event.name.0);
        events
            .dropped_attributes
            .push(event.dropped_attributes_count);
        events.attributes.end_owner();
    }

    /// Completes a link of the span under construction.
    pub fn link(&mut self, link: LinkRow<'_>) {
        let (trace_id, span_id) = (self.blob(link.trace_id), self.blob(link.span_id));
        let links = &mut self.rows.links;
        links.trace_id.push(trace_id);
        links.span_id.push(span_id);
        links.trace_state.push(link.trace_state.0);
        links.flags.push(link.flags);
        links.dropped_attributes.push(link.dropped_attributes_count);
        links.attributes.end_owner();
    }

    /// Completes a span: it is a row now.
    pub fn end_span(&mut self, span: SpanRow) -> Result<(), BatchFull> {
        self.check_room()?;
        let rows = &mut self.rows;
        let spans = &mut rows.spans;
        spans.trace_id.push(span.trace_id.0);
        spans.start_unix_nano.push(span.start_unix_nano);
        spans
            .duration_nano
            .push(span.end_unix_nano.wrapping_sub(span.start_unix_nano));
        spans.span_id.push(span.span_id.0);
        spans
            .parent_span_id
            .push(span.parent_span_id.unwrap_or_default().0);
        spans.name.push(span.name.0);
        spans.resource.push(span.resource.0);
        spans.scope.push(span.scope.0);
        spans.kind.push(span.kind);
        spans.status_code.push(span.status_code);
        spans.status_message.push(span.status_message.0);
        spans.trace_state.push(span.trace_state.0);
        spans.flags.push(span.flags);
        spans.dropped_attributes.push(span.dropped_attributes_count);
        spans.dropped_events.push(span.dropped_events_count);
        spans.dropped_links.push(span.dropped_links_count);
        spans.attributes.end_owner();
        rows.event_starts.push(rows.events.len() as u32);
        rows.link_starts.push(rows.links.len() as u32);
        self.complete();
        Ok(())
    }

    /// Completes a resource: the attributes added to `Owner::Resource`, and these. An equal one is not stored twice.
    /// `entity_refs` are the OTLP fields as they came, tags included.
    pub fn resource(
        &mut self,
        dropped_attributes_count: u32,
        schema_url: StringId,
        entity_refs: &[u8],
    ) -> Result<ResourceId, BatchFull> {
        let entity_refs = self.blob(entity_refs);
        self.check_room()?;
        let resources = &mut self.resources;
        resources.dropped_attributes.push(dropped_attributes_count);
        resources.schema_url.push(schema_url.0);
        resources.entity_refs.push(entity_refs);
        resources.attributes.end_owner();
        Ok(ResourceId(self.known_resource()))
    }

    /// Completes a scope: the attributes added to `Owner::Scope`, and these. An equal one is not stored twice.
    pub fn scope(
        &mut self,
        name: StringId,
        version: StringId,
        dropped_attributes_count: u32,
        schema_url: StringId,
    ) -> Result<ScopeId, BatchFull> {
        self.check_room()?;
        let scopes = &mut self.scopes;
        scopes.name.push(name.0);
        scopes.version.push(version.0);
        scopes.dropped_attributes.push(dropped_attributes_count);
        scopes.schema_url.push(schema_url.0);
        scopes.attributes.end_owner();
        Ok(ScopeId(self.known_scope()))
    }

    /// Forgets everything after the last completed span, resource or scope.
    pub fn abort(&mut self) {
        self.strings.truncate(self.complete.strings);
        self.elements.truncate(self.complete.elements);
        self.blobs.truncate(self.complete.blobs);
        self.resources
            .truncate(self.resources.dropped_attributes.len());
        self.scopes.truncate(self.scopes.dropped_attributes.len());
        self.rows.drop_unfinished();
    }

    /// The batch of all completed spans, None when there are none. The builder is empty afterwards.
    pub fn finish(&mut self) -> Option<SpanBatch> {
        self.abort();
        if self.rows.len() == 0 {
            self.clear();
            return None;
        }
        if !self.rows.is_sorted() {
            self.rows.order(&mut self.order);
            self.sorted.clear();
            for &row in &self.order {
                self.sorted.copy_row(&self.rows, row as usize);
            }
            std::mem::swap(&mut self.rows, &mut self.sorted);
        }
        self.runs.find(&self.rows);
        let bytes = write::write(self);
        self.clear();
        Some(SpanBatch::from_builder(bytes))
    }

    /// Forgets what is under construction when there is no room for it.
    fn check_room(&mut self) -> Result<(), BatchFull> {
        if self.strings.overflow || self.estimated_bytes() > MAX_BATCH_BYTES - 1024 {
            self.abort();
            return Err(BatchFull);
        }
        Ok(())
    }

    fn complete(&mut self) {
        self.complete = Complete {
            strings: self.strings.len(),
            elements: self.elements.keys.len(),
            blobs: self.blobs.len(),
        };
    }

    fn blob(&mut self, bytes: &[u8]) -> u64 {
        if self.blobs.len() + bytes.len() > MAX_BATCH_BYTES {
            self.strings.overflow = true;
            return 0;
        }
        let start = self.blobs.len() as u32;
        self.blobs.extend_from_slice(bytes);
        if bytes.is_empty() {
            0
        } else {
            range_bits(start, bytes.len() as u32)
        }
    }
}
