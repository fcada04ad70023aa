//! The spans of a row, from the outside in.

use vivace_block::Format;
use vivace_block::schema::AttributeOwner;
use vivace_model::{
    EventRow, LinkRow, Owner, ResourceId, ScopeId, SpanBatch, SpanBatchBuilder, SpanId, SpanRow,
    StringId, TraceId,
};

use super::cursor::Cursor;
use super::places::{Group, Places};
use super::protobuf;
use super::{RowColumn, RowColumns};
use crate::error::{Corrupt, Malformed};
use crate::open::{Leaf, OpenBlock};

/// Makes a batch of each row that was read.
pub(crate) struct Assembler<'a> {
    cursors: Vec<Option<Cursor<'a>>>,
    pub(super) places: &'a Places,
    pub(super) builder: SpanBatchBuilder,
    /// Whether an attribute without any value is one.
    pub(super) keeps_empty: bool,
    trace_id: TraceId,
    spans: usize,
}

const SPANS_PER_PAUSE: usize = 64;

/// An id of at most `N` bytes, padded on the left; of a longer one the end.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut id = [0; N];
    let len = bytes.len().min(N);
    id[N - len..].copy_from_slice(&bytes[bytes.len() - len..]);
    id
}

/// Counts were unsigned in OTLP and are signed in the columns.
fn unsigned(value: i64) -> u32 {
    value as u32
}

impl<'a> Assembler<'a> {
    /// `columns` begin with the first row to assemble.
    pub fn new(block: &'a OpenBlock, columns: &'a RowColumns) -> Self {
        let cursor = |(leaf, column): (&'a Leaf, &'a Option<RowColumn>)| {
            column.as_ref().map(|column| Cursor::new(leaf, column))
        };
        Self {
            cursors: block.leaves.iter().zip(columns).map(cursor).collect(),
            places: &block.places,
            builder: SpanBatchBuilder::new(),
            keeps_empty: block.format != Format::VParquet5,
            trace_id: TraceId::default(),
            spans: 0,
        }
    }

    /// The trace of the next row. None: the row has no spans. `id`, when given, must be its id.
    pub async fn next_trace(
        &mut self,
        id: Option<TraceId>,
        pause: &impl AsyncFn(),
    ) -> Result<Option<SpanBatch>, Corrupt> {
        self.trace_id = self.read_trace_id(id)?;
        self.resources(pause).await?;
        Ok(self.builder.finish())
    }

    /// Passes over the next row.
    pub fn skip_trace(&mut self) {
        for cursor in self.cursors.iter_mut().flatten() {
            cursor.skip_row();
        }
    }

    /// Checks that all columns end with the last row.
    pub fn finish(self) -> Result<(), Corrupt> {
        for cursor in self.cursors.iter().flatten() {
            if !cursor.is_at_end() {
                return Err(cursor.corrupt("more values than the columns beside it have"));
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn cursor(&mut self, leaf: usize) -> Result<&mut Cursor<'a>, Corrupt> {
        self.cursors
            .get_mut(leaf)
            .and_then(Option::as_mut)
            .ok_or_else(|| Malformed::new("a column that was not read").at(0))
    }

    /// A leaf that the format does not have reads as 0.
    fn int(&mut self, leaf: Option<usize>, rep: u8) -> Result<i64, Corrupt> {
        let Some(leaf) = leaf else { return Ok(0) };
        let cursor = self.cursor(leaf)?;
        let index = cursor.required(rep)?;
        cursor.int(index)
    }

    /// A leaf that the format does not have reads as empty.
    fn bytes(&mut self, leaf: Option<usize>, rep: u8) -> Result<&'a [u8], Corrupt> {
        let Some(leaf) = leaf else { return Ok(&[]) };
        let cursor = self.cursor(leaf)?;
        let index = cursor.required(rep)?;
        cursor.bytes(index)
    }

    fn text(&mut self, leaf: Option<usize>, rep: u8) -> Result<StringId, Corrupt> {
        let bytes = self.bytes(leaf, rep)?;
        Ok(self.builder.intern_lossy(bytes).0)
    }

    pub(super) fn required_text(&mut self, leaf: usize, rep: u8) -> Result<StringId, Corrupt> {
        self.text(Some(leaf), rep)
    }

    fn read_trace_id(&mut self, wanted: Option<TraceId>) -> Result<TraceId, Corrupt> {
        let place = self.places.trace_id;
        let id = TraceId(padded(self.bytes(place, 0)?));
        match wanted {
            Some(wanted) if wanted != id => Err(Malformed::new("the row of another trace").at(0)),
            _ => Ok(id),
        }
    }

    /// Whether the list under the next owner has elements; an empty one takes a slot in each of its leaves.
    fn has_elements(
        &mut self,
        driver: Option<usize>,
        group: Group,
        within: &[usize],
        rep: u8,
    ) -> Result<bool, Corrupt> {
        let Some(driver) = driver else {
            return Ok(false);
        };
        if self.cursor(driver)?.def() >= group.level() {
            return Ok(true);
        }
        for &leaf in within {
            if self.cursor(leaf)?.slot(rep)?.is_some() {
                return Err(self
                    .cursor(leaf)?
                    .corrupt("a value in a list that is empty"));
            }
        }
        Ok(false)
    }

    fn goes_on(&mut self, driver: Option<usize>, group: Group) -> Result<bool, Corrupt> {
        match driver {
            Some(driver) => Ok(self.cursor(driver)?.rep() == Some(group.level())),
            None => Ok(false),
        }
    }

    async fn resources(&mut self, pause: &impl AsyncFn()) -> Result<(), Corrupt> {
        let places = self.places;
        let driver = places.service_name;
        if !self.has_elements(driver, Group::Resources, &places.within_resources, 0)? {
            return Ok(());
        }
        let mut rep = 0;
        loop {
            self.generic_attributes(AttributeOwner::Resource, rep)?;
            self.named_attributes(
                Owner::Resource,
                &places.named[0],
                rep,
                Group::Resources.level(),
            )?;
            let dropped = unsigned(self.int(places.resource_dropped, rep)?);
            let resource = self.builder.resource(dropped, StringId(0), &[]);
            self.scopes(resource.map_err(full)?, rep, pause).await?;
            if !self.goes_on(driver, Group::Resources)? {
                return Ok(());
            }
            rep = Group::Resources.level();
        }
    }

    async fn scopes(
        &mut self,
        resource: ResourceId,
        rep: u8,
        pause: &impl AsyncFn(),
    ) -> Result<(), Corrupt> {
        let places = self.places;
        let driver = places.scope_name;
        if !self.has_elements(driver, Group::Scopes, &places.within_scopes, rep)? {
            return Ok(());
        }
        let mut rep = rep;
        loop {
            self.generic_attributes(AttributeOwner::Scope, rep)?;
            let name = self.text(places.scope_name, rep)?;
            let version = self.text(places.scope_version, rep)?;
            let dropped = unsigned(self.int(places.scope_dropped, rep)?);
            let scope = self.builder.scope(name, version, dropped, StringId(0));
            self.spans(resource, scope.map_err(full)?, rep, pause)
                .await?;
            if !self.goes_on(driver, Group::Scopes)? {
                return Ok(());
            }
            rep = Group::Scopes.level();
        }
    }

    async fn spans(
        &mut self,
        resource: ResourceId,
        scope: ScopeId,
        rep: u8,
        pause: &impl AsyncFn(),
    ) -> Result<(), Corrupt> {
        let places = self.places;
        let driver = places.span.span_id;
        if !self.has_elements(driver, Group::Spans, &places.within_spans, rep)? {
            return Ok(());
        }
        let mut rep = rep;
        loop {
            self.span(resource, scope, rep)?;
            self.spans += 1;
            if self.spans.is_multiple_of(SPANS_PER_PAUSE) {
                pause().await;
            }
            if !self.goes_on(driver, Group::Spans)? {
                return Ok(());
            }
            rep = Group::Spans.level();
        }
    }

    fn span(&mut self, resource: ResourceId, scope: ScopeId, rep: u8) -> Result<(), Corrupt> {
        let places = &self.places.span;
        let start = self.int(places.start, rep)?.cast_unsigned();
        let duration = self.int(places.duration, rep)?.cast_unsigned();
        self.generic_attributes(AttributeOwner::Span, rep)?;
        self.named_attributes(
            Owner::Span,
            &self.places.named[1],
            rep,
            Group::Spans.level(),
        )?;
        self.events(start, rep)?;
        self.links(rep)?;
        let parent = self.bytes(places.parent_span_id, rep)?;
        let row = SpanRow {
            trace_id: self.trace_id,
            span_id: SpanId(padded(self.bytes(places.span_id, rep)?)),
            parent_span_id: (!parent.is_empty()).then(|| SpanId(padded(parent))),
            name: self.text(places.name, rep)?,
            kind: self.int(places.kind, rep)? as i32,
            start_unix_nano: start,
            end_unix_nano: start.wrapping_add(duration),
            status_code: self.int(places.status_code, rep)? as i32,
            status_message: self.text(places.status_message, rep)?,
            trace_state: self.text(places.trace_state, rep)?,
            flags: 0,
            dropped_attributes_count: unsigned(self.int(places.dropped_attributes, rep)?),
            dropped_events_count: unsigned(self.int(places.dropped_events, rep)?),
            dropped_links_count: unsigned(self.int(places.dropped_links, rep)?),
            resource,
            scope,
        };
        self.builder.end_span(row).map_err(full)
    }

    fn events(&mut self, start: u64, rep: u8) -> Result<(), Corrupt> {
        let places = &self.places.event;
        if !self.has_elements(places.time, Group::Events, &self.places.within_events, rep)? {
            return Ok(());
        }
        let mut rep = rep;
        loop {
            let since = self.int(places.time, rep)?.cast_unsigned();
            self.generic_attributes(AttributeOwner::Event, rep)?;
            self.named_attributes(
                Owner::Event,
                &self.places.named[2],
                rep,
                Group::Events.level(),
            )?;
            let event = EventRow {
                time_unix_nano: match places.is_absolute {
                    true => since,
                    false => start.wrapping_add(since),
                },
                name: self.text(places.name, rep)?,
                dropped_attributes_count: unsigned(self.int(places.dropped_attributes, rep)?),
            };
            self.builder.event(event);
            if !self.goes_on(places.time, Group::Events)? {
                return Ok(());
            }
            rep = Group::Events.level();
        }
    }

    fn links(&mut self, rep: u8) -> Result<(), Corrupt> {
        let places = &self.places.link;
        if let Some(leaf) = places.encoded {
            let cursor = self.cursor(leaf)?;
            let Some(index) = cursor.slot(rep)? else {
                return Ok(());
            };
            let encoded = cursor.bytes(index)?;
            let corrupt = cursor.corrupt("links that can't be decoded");
            return protobuf::links(&mut self.builder, encoded).ok_or(corrupt);
        }
        if !self.has_elements(
            places.trace_id,
            Group::Links,
            &self.places.within_links,
            rep,
        )? {
            return Ok(());
        }
        let mut rep = rep;
        loop {
            self.generic_attributes(AttributeOwner::Link, rep)?;
            let link = LinkRow {
                trace_id: self.bytes(places.trace_id, rep)?,
                span_id: self.bytes(places.span_id, rep)?,
                trace_state: self.text(places.trace_state, rep)?,
                flags: 0,
                dropped_attributes_count: unsigned(self.int(places.dropped_attributes, rep)?),
            };
            self.builder.link(link);
            if !self.goes_on(places.trace_id, Group::Links)? {
                return Ok(());
            }
            rep = Group::Links.level();
        }
    }
}

fn full(error: vivace_model::BatchFull) -> Corrupt {
    Malformed::new(error.to_string()).at(0)
}
