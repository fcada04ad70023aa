//! Reads a batch in place. An index beyond the end reads as zero or empty, never panics.

mod column;
mod prefetch;
mod records;
mod values;

use std::ops::Range;

use flatbuffers::{Follow, Vector};

pub use self::column::Column;
pub use self::prefetch::prefetch;
pub use self::records::{EventView, LinkView, ResourceView, ScopeView, SpanView};
pub use self::values::{AttributesView, ListView, OwnedAttributes, ValueView};
use crate::generated::vivace as fb;
use crate::{StringId, TraceId};

/// The dictionary.
#[derive(Clone, Copy)]
struct Strings<'a> {
    starts: Column<'a, u32>,
    data: &'a [u8],
}

/// Columns of `Owner::Event`.
#[derive(Clone, Copy)]
pub(crate) struct Events<'a> {
    pub(crate) starts: Column<'a, u32>,
    pub(crate) time_unix_nano: Column<'a, u64>,
    pub(crate) name: Column<'a, u32>,
    pub(crate) attributes: OwnedAttributes<'a>,
    pub(crate) dropped_attributes: Column<'a, u32>,
}

/// Columns of `Owner::Link`.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    pub(crate) starts: Column<'a, u32>,
    pub(crate) trace_id: Column<'a, u64>,
    pub(crate) span_id: Column<'a, u64>,
    pub(crate) trace_state: Column<'a, u32>,
    pub(crate) flags: Column<'a, u32>,
    pub(crate) attributes: OwnedAttributes<'a>,
    pub(crate) dropped_attributes: Column<'a, u32>,
}

#[derive(Clone, Copy)]
pub(crate) struct Resources<'a> {
    pub(crate) attributes: OwnedAttributes<'a>,
    pub(crate) dropped_attributes: Column<'a, u32>,
    pub(crate) schema_url: Column<'a, u32>,
    pub(crate) entity_refs: Column<'a, u64>,
}

#[derive(Clone, Copy)]
pub(crate) struct Scopes<'a> {
    pub(crate) name: Column<'a, u32>,
    pub(crate) version: Column<'a, u32>,
    pub(crate) attributes: OwnedAttributes<'a>,
    pub(crate) dropped_attributes: Column<'a, u32>,
    pub(crate) schema_url: Column<'a, u32>,
}

/// The columns of one batch.
pub struct View<'a> {
    strings: Strings<'a>,
    pub(crate) blobs: &'a [u8],
    pub(crate) element_keys: Column<'a, u32>,
    pub(crate) element_values: Column<'a, u64>,
    pub(crate) resources: Resources<'a>,
    pub(crate) scopes: Scopes<'a>,
    pub(crate) trace_ids: Column<'a, [u8; 16]>,
    pub(crate) trace_starts: Column<'a, u32>,
    pub(crate) start_unix_nano: Column<'a, u64>,
    pub(crate) duration_nano: Column<'a, u64>,
    pub(crate) span_id: Column<'a, [u8; 8]>,
    pub(crate) parent_span_id: Column<'a, [u8; 8]>,
    pub(crate) name: Column<'a, u32>,
    pub(crate) resource: Column<'a, u32>,
    pub(crate) scope: Column<'a, u32>,
    pub(crate) kind: Column<'a, i32>,
    pub(crate) status_code: Column<'a, i32>,
    pub(crate) status_message: Column<'a, u32>,
    pub(crate) trace_state: Column<'a, u32>,
    pub(crate) flags: Column<'a, u32>,
    pub(crate) dropped_attributes: Column<'a, u32>,
    pub(crate) dropped_events: Column<'a, u32>,
    pub(crate) dropped_links: Column<'a, u32>,
    pub(crate) attributes: OwnedAttributes<'a>,
    pub(crate) events: Events<'a>,
    pub(crate) links: Links<'a>,
}

/// A required column.
fn full<'a, S: Follow<'a> + 'a, T: column::Scalar>(vector: Vector<'a, S>) -> Column<'a, T> {
    Column::full(vector.bytes())
}

/// A column that may be absent.
fn sparse<'a, S: Follow<'a> + 'a, T: column::Scalar>(
    vector: Option<Vector<'a, S>>,
    len: usize,
) -> Column<'a, T> {
    Column::new(vector.map_or(&[], |vector| vector.bytes()), len)
}

impl<'a> View<'a> {
    pub(crate) fn new(table: &fb::SpanBatch<'a>) -> Self {
        let rows = table.start_unix_nano().len();
        let elements = table.elements();
        Self {
            strings: Strings {
                starts: full(table.strings().starts()),
                data: table.strings().data().bytes(),
            },
            blobs: table.blobs().map_or(&[], |blobs| blobs.bytes()),
            element_keys: elements.map_or(Column::full(&[]), |elements| full(elements.keys())),
            element_values: elements.map_or(Column::full(&[]), |elements| full(elements.values())),
            resources: Resources::new(&table.resources()),
            scopes: Scopes::new(&table.scopes()),
            trace_ids: full(table.trace_ids()),
            trace_starts: full(table.trace_starts()),
            start_unix_nano: full(table.start_unix_nano()),
            duration_nano: full(table.duration_nano()),
            span_id: full(table.span_id()),
            parent_span_id: sparse(table.parent_span_id(), rows),
            name: full(table.name()),
            resource: full(table.resource()),
            scope: full(table.scope()),
            kind: sparse(table.kind(), rows),
            status_code: sparse(table.status_code(), rows),
            status_message: sparse(table.status_message(), rows),
            trace_state: sparse(table.trace_state(), rows),
            flags: sparse(table.flags(), rows),
            dropped_attributes: sparse(table.dropped_attributes(), rows),
            dropped_events: sparse(table.dropped_events(), rows),
            dropped_links: sparse(table.dropped_links(), rows),
            attributes: OwnedAttributes::new(Some(table.attributes())),
            events: Events::new(table.events(), rows),
            links: Links::new(table.links(), rows),
        }
    }

    /// Spans, at least one.
    #[inline]
    pub fn span_count(&self) -> usize {
        self.start_unix_nano.len()
    }

    /// Distinct trace ids.
    #[inline]
    pub fn trace_count(&self) -> usize {
        self.trace_starts.len()
    }

    /// Trace number `run` in the order of ids, and its rows, sorted by start.
    pub fn trace_run(&self, run: usize) -> (TraceId, Range<usize>) {
        let end = if run + 1 < self.trace_count() {
            self.trace_starts.get(run + 1) as usize
        } else {
            self.span_count()
        };
        (
            TraceId(self.trace_ids.get(run)),
            self.trace_starts.get(run) as usize..end,
        )
    }

    /// All traces in the order of ids, with their rows.
    pub fn trace_runs(&self) -> impl ExactSizeIterator<Item = (TraceId, Range<usize>)> + '_ {
        (0..self.trace_count()).map(|run| self.trace_run(run))
    }

    /// The rows of a trace.
    pub fn find_trace(&self, id: TraceId) -> Option<Range<usize>> {
        let (mut low, mut high) = (0, self.trace_count());
        while low < high {
            let middle = low.midpoint(high);
            match self.trace_ids.get(middle).cmp(&id.0) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.trace_run(middle).1),
            }
        }
        None
    }

    /// The trace of a row; a binary search, so prefer `trace_runs` where many are asked for.
    pub fn trace_id(&self, row: usize) -> TraceId {
        let (mut low, mut high) = (0, self.trace_count());
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.trace_starts.get(middle) as usize <= row {
                low = middle;
            } else {
                high = middle;
            }
        }
        TraceId(self.trace_ids.get(low))
    }

    pub fn span(&self, row: usize) -> SpanView<'_> {
        SpanView::new(self, row)
    }

    pub fn spans(&self) -> impl ExactSizeIterator<Item = SpanView<'_>> {
        (0..self.span_count()).map(|row| self.span(row))
    }

    pub fn resource_count(&self) -> usize {
        self.resources.attributes.owner_count()
    }

    pub fn resource(&self, index: usize) -> ResourceView<'_> {
        ResourceView::new(self, index)
    }

    pub fn scope_count(&self) -> usize {
        self.scopes.attributes.owner_count()
    }

    pub fn scope(&self, index: usize) -> ScopeView<'_> {
        ScopeView::new(self, index)
    }

    /// Strings of the dictionary, the empty one (id 0) included.
    pub fn string_count(&self) -> usize {
        self.strings.starts.len() - 1
    }

    /// Where each string begins in `string_data`, and where the last ends.
    pub fn string_starts(&self) -> Column<'a, u32> {
        self.strings.starts
    }

    /// All strings, one behind the other.
    pub fn string_data(&self) -> &'a [u8] {
        self.strings.data
    }

    #[inline]
    #[allow(
        unsafe_code,
        reason = "access to text that was checked when the batch was made"
    )]
    pub fn string(&self, id: StringId) -> &'a str {
        let range = self.strings.starts.range(id.0 as usize);
        let text = self.strings.data.get(range).unwrap_or_default();
        // SAFETY: `verify` checked that the data is UTF-8 and that every start is a border of a character; the
        // builder takes whole `&str`s only.
        unsafe { std::str::from_utf8_unchecked(text) }
    }

    /// The id of a text, None when no string of the batch is equal to it. Goes through the dictionary.
    pub fn find_string(&self, text: &str) -> Option<StringId> {
        (0..self.string_count() as u32)
            .map(StringId)
            .find(|&id| self.string(id) == text)
    }

    pub(crate) fn blob(&self, bits: u64) -> &'a [u8] {
        let (start, len) = crate::value::range_of(bits);
        self.blobs.get(start..start + len).unwrap_or_default()
    }
}

/// Columns of spans, one value a row, for engines that work on whole columns.
impl<'a> View<'a> {
    pub fn trace_ids(&self) -> Column<'a, [u8; 16]> {
        self.trace_ids
    }
    /// First row of each trace, in the order of `trace_ids`.
    pub fn trace_starts(&self) -> Column<'a, u32> {
        self.trace_starts
    }
    pub fn start_unix_nanos(&self) -> Column<'a, u64> {
        self.start_unix_nano
    }
    /// End - start, wrapping.
    pub fn duration_nanos(&self) -> Column<'a, u64> {
        self.duration_nano
    }
    pub fn span_ids(&self) -> Column<'a, [u8; 8]> {
        self.span_id
    }
    /// All zero: no parent.
    pub fn parent_span_ids(&self) -> Column<'a, [u8; 8]> {
        self.parent_span_id
    }
    /// String ids.
    pub fn names(&self) -> Column<'a, u32> {
        self.name
    }
    /// Indexes for `resource`.
    pub fn resource_indexes(&self) -> Column<'a, u32> {
        self.resource
    }
    /// Indexes for `scope`.
    pub fn scope_indexes(&self) -> Column<'a, u32> {
        self.scope
    }
    pub fn kinds(&self) -> Column<'a, i32> {
        self.kind
    }
    pub fn status_codes(&self) -> Column<'a, i32> {
        self.status_code
    }
    /// String ids.
    pub fn status_messages(&self) -> Column<'a, u32> {
        self.status_message
    }
    /// String ids.
    pub fn trace_states(&self) -> Column<'a, u32> {
        self.trace_state
    }
    pub fn flags(&self) -> Column<'a, u32> {
        self.flags
    }
    pub fn dropped_attributes_counts(&self) -> Column<'a, u32> {
        self.dropped_attributes
    }
    pub fn dropped_events_counts(&self) -> Column<'a, u32> {
        self.dropped_events
    }
    pub fn dropped_links_counts(&self) -> Column<'a, u32> {
        self.dropped_links
    }
    /// Attributes of one kind of owner: rows of spans, `resource` and `scope` indexes, event and link numbers.
    pub fn owned_attributes(&self, owner: crate::Owner) -> OwnedAttributes<'a> {
        match owner {
            crate::Owner::Resource => self.resources.attributes,
            crate::Owner::Scope => self.scopes.attributes,
            crate::Owner::Span => self.attributes,
            crate::Owner::Event => self.events.attributes,
            crate::Owner::Link => self.links.attributes,
        }
    }
    /// First event of each row, and the number of all events.
    pub fn event_starts(&self) -> Column<'a, u32> {
        self.events.starts
    }
    pub fn event_times_unix_nano(&self) -> Column<'a, u64> {
        self.events.time_unix_nano
    }
    /// String ids.
    pub fn event_names(&self) -> Column<'a, u32> {
        self.events.name
    }
    /// First link of each row, and the number of all links.
    pub fn link_starts(&self) -> Column<'a, u32> {
        self.links.starts
    }
    /// Event number `index` of the whole batch.
    pub fn event(&self, index: usize) -> EventView<'_> {
        EventView::new(self, index)
    }
    /// Link number `index` of the whole batch.
    pub fn link(&self, index: usize) -> LinkView<'_> {
        LinkView::new(self, index)
    }
}

impl<'a> Resources<'a> {
    fn new(table: &fb::Resources<'a>) -> Self {
        let attributes = OwnedAttributes::new(Some(table.attributes()));
        let len = attributes.owner_count();
        Self {
            attributes,
            dropped_attributes: sparse(table.dropped_attributes(), len),
            schema_url: sparse(table.schema_url(), len),
            entity_refs: sparse(table.entity_refs(), len),
        }
    }
}

impl<'a> Scopes<'a> {
    fn new(table: &fb::Scopes<'a>) -> Self {
        let len = table.name().len();
        Self {
            name: full(table.name()),
            version: sparse(table.version(), len),
            attributes: OwnedAttributes::new(Some(table.attributes())),
            dropped_attributes: sparse(table.dropped_attributes(), len),
            schema_url: sparse(table.schema_url(), len),
        }
    }
}

impl<'a> Events<'a> {
    fn new(table: Option<fb::Events<'a>>, rows: usize) -> Self {
        let len = table.map_or(0, |table| table.name().len());
        Self {
            starts: sparse(table.map(|table| table.starts()), rows + 1),
            time_unix_nano: sparse(table.map(|table| table.time_unix_nano()), len),
            name: sparse(table.map(|table| table.name()), len),
            attributes: OwnedAttributes::new(table.map(|table| table.attributes())),
            dropped_attributes: sparse(table.and_then(|table| table.dropped_attributes()), len),
        }
    }
}

impl<'a> Links<'a> {
    fn new(table: Option<fb::Links<'a>>, rows: usize) -> Self {
        let len = table.map_or(0, |table| table.trace_id().len());
        Self {
            starts: sparse(table.map(|table| table.starts()), rows + 1),
            trace_id: sparse(table.map(|table| table.trace_id()), len),
            span_id: sparse(table.map(|table| table.span_id()), len),
            trace_state: sparse(table.and_then(|table| table.trace_state()), len),
            flags: sparse(table.and_then(|table| table.flags()), len),
            attributes: OwnedAttributes::new(table.map(|table| table.attributes())),
            dropped_attributes: sparse(table.and_then(|table| table.dropped_attributes()), len),
        }
    }
}
