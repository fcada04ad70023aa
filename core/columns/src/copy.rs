//! Traces of a chunk as rows of a batch.

use vivace_model::{
    BatchFull, EventRow, LinkRow, Owner, ResourceId, ScopeId, SpanBatchBuilder, SpanId, SpanRow,
    StringId, Value,
};
use vivace_traceql::Intrinsic;

use crate::bitmap::Bitmap;
use crate::cells::{CellKind, Cells, known_kind, known_status};
use crate::chunk::Chunk;
use crate::column::{Column, Level};

/// What every copy has, besides `service.name` of resources.
const ALWAYS: [Column; 8] = [
    Column::Intrinsic(Intrinsic::InstrumentationName),
    Column::Intrinsic(Intrinsic::Name),
    Column::Intrinsic(Intrinsic::Duration),
    Column::Intrinsic(Intrinsic::Status),
    Column::Intrinsic(Intrinsic::Kind),
    Column::Intrinsic(Intrinsic::SpanId),
    Column::Intrinsic(Intrinsic::ParentId),
    Column::SpanStart,
];
const SERVICE_NAME: &str = "service.name";
const SPANS_PER_PAUSE: u32 = 1024;

/// Copies traces of a chunk into batches, with what some columns say of them. Columns that follow from others (those of traces, nested set
/// numbers, counts of children) need not be among them: a chunk over the batch makes them anew, of all spans of a trace that are there. Values
/// that queries can't see stay such values. Codes of kinds and status that OTLP does not know become 0.
pub struct TraceCopy {
    columns: Vec<Column>,
}

impl TraceCopy {
    pub fn new(columns: &[Column]) -> Self {
        let mut all = Vec::from(ALWAYS);
        all.push(Column::Attribute(Level::Resource, SERVICE_NAME.into()));
        for column in columns.iter().filter(|column| is_of_rows(column)) {
            if !all.contains(column) {
                all.push(column.clone());
            }
        }
        Self { columns: all }
    }

    /// Loads what copying needs; once for all traces of a chunk that will be copied, as `Chunk::load` wants it.
    pub async fn load<C: Chunk>(&self, chunk: &mut C, traces: &[u32]) -> Result<(), C::Error> {
        let mut keep = Bitmap::empty(chunk.shape().traces());
        traces.iter().for_each(|&trace| keep.insert(trace));
        chunk.load(&self.columns, Some(&keep)).await?;
        chunk.load_trace_ids().await?;
        let mut columns = self.columns.iter();
        if columns.any(|column| column.level() == Level::Event) {
            chunk.load_events().await?;
        }
        let mut columns = self.columns.iter();
        if columns.any(|column| column.level() == Level::Link) {
            chunk.load_links().await?;
        }
        Ok(())
    }

    /// Appends some of the traces that it was loaded for. An error: they are too large for one batch; fewer may fit.
    pub async fn copy<C: Chunk>(
        &self,
        chunk: &C,
        traces: &[u32],
        builder: &mut SpanBatchBuilder,
        pause: &impl AsyncFn(),
    ) -> Result<(), BatchFull> {
        let mut copy = Copy::new(chunk, &self.columns, builder);
        let mut copied = 0;
        for &trace in traces {
            for span in chunk.shape().spans_of(trace) {
                copy.span(trace, span)?;
                copied += 1;
                if copied % SPANS_PER_PAUSE == 0 {
                    pause().await;
                }
            }
        }
        Ok(())
    }
}

/// Rows are made of it; the others follow.
fn is_of_rows(column: &Column) -> bool {
    let follows = matches!(
        column,
        Column::Intrinsic(
            Intrinsic::NestedSetLeft
                | Intrinsic::NestedSetRight
                | Intrinsic::NestedSetParent
                | Intrinsic::ChildCount
                | Intrinsic::Parent
        )
    );
    !follows && column.level() != Level::Trace
}

/// Attributes of one level: keys as strings of the batch, and values.
type Attributes<'c> = Vec<(StringId, &'c Cells)>;

/// Cells that are no attributes; None: not asked for.
struct Own<'c> {
    span_id: Option<&'c Cells>,
    parent_id: Option<&'c Cells>,
    start: Option<&'c Cells>,
    duration: Option<&'c Cells>,
    name: Option<&'c Cells>,
    kind: Option<&'c Cells>,
    status: Option<&'c Cells>,
    status_message: Option<&'c Cells>,
    trace_state: Option<&'c Cells>,
    scope_name: Option<&'c Cells>,
    scope_version: Option<&'c Cells>,
    event_name: Option<&'c Cells>,
    event_time: Option<&'c Cells>,
    link_trace: Option<&'c Cells>,
    link_span: Option<&'c Cells>,
}

impl<'c> Own<'c> {
    fn of<C: Chunk>(chunk: &'c C) -> Self {
        let intrinsic = |intrinsic| chunk.cells(&Column::Intrinsic(intrinsic));
        Self {
            span_id: intrinsic(Intrinsic::SpanId),
            parent_id: intrinsic(Intrinsic::ParentId),
            start: chunk.cells(&Column::SpanStart),
            duration: intrinsic(Intrinsic::Duration),
            name: intrinsic(Intrinsic::Name),
            kind: intrinsic(Intrinsic::Kind),
            status: intrinsic(Intrinsic::Status),
            status_message: intrinsic(Intrinsic::StatusMessage),
            trace_state: chunk.cells(&Column::TraceState),
            scope_name: intrinsic(Intrinsic::InstrumentationName),
            scope_version: intrinsic(Intrinsic::InstrumentationVersion),
            event_name: intrinsic(Intrinsic::EventName),
            event_time: intrinsic(Intrinsic::EventTimeSinceStart),
            link_trace: intrinsic(Intrinsic::LinkTraceId),
            link_span: intrinsic(Intrinsic::LinkSpanId),
        }
    }
}

struct Copy<'c, 'b, C> {
    chunk: &'c C,
    builder: &'b mut SpanBatchBuilder,
    own: Own<'c>,
    of_resources: Attributes<'c>,
    of_scopes: Attributes<'c>,
    of_spans: Attributes<'c>,
    of_events: Attributes<'c>,
    of_links: Attributes<'c>,
    /// Those of the span before: neighbours mostly share them.
    resource: Option<(u32, ResourceId)>,
    scope: Option<(u32, ScopeId)>,
}

impl<'c, 'b, C: Chunk> Copy<'c, 'b, C> {
    fn new(chunk: &'c C, columns: &[Column], builder: &'b mut SpanBatchBuilder) -> Self {
        let mut of_level = |level: Level| {
            let mut attributes = Vec::new();
            for column in columns {
                if let (Column::Attribute(of, key), Some(cells)) = (column, chunk.cells(column))
                    && *of == level
                {
                    attributes.push((builder.intern(key), cells));
                }
            }
            attributes
        };
        let of_resources = of_level(Level::Resource);
        let of_scopes = of_level(Level::Scope);
        let of_spans = of_level(Level::Span);
        let of_events = of_level(Level::Event);
        let of_links = of_level(Level::Link);
        Self {
            own: Own::of(chunk),
            chunk,
            builder,
            of_resources,
            of_scopes,
            of_spans,
            of_events,
            of_links,
            resource: None,
            scope: None,
        }
    }

    fn span(&mut self, trace: u32, span: u32) -> Result<(), BatchFull> {
        let resource = self.resource(span)?;
        let scope = self.scope(span)?;
        let start = number(self.own.start, span);
        attributes(self.builder, Owner::Span, &self.of_spans, span);
        self.events(span, start);
        self.links(span);
        let parent = number(self.own.parent_id, span);
        let ids = self.chunk.trace_ids().unwrap_or_default();
        let row = SpanRow {
            trace_id: ids.get(trace as usize).copied().unwrap_or_default(),
            span_id: SpanId(number(self.own.span_id, span).to_be_bytes()),
            parent_span_id: (parent != 0).then(|| SpanId(parent.to_be_bytes())),
            name: self.text(self.own.name, span),
            kind: known_kind(number(self.own.kind, span) as i32),
            start_unix_nano: start,
            end_unix_nano: start.wrapping_add(number(self.own.duration, span)),
            status_code: known_status(number(self.own.status, span) as i32),
            status_message: self.text(self.own.status_message, span),
            trace_state: self.text(self.own.trace_state, span),
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            resource,
            scope,
        };
        self.builder.end_span(row)
    }

    fn resource(&mut self, span: u32) -> Result<ResourceId, BatchFull> {
        let of_span = &self.chunk.shape().resource_of_span;
        let number = of_span.get(span as usize).copied().unwrap_or(u32::MAX);
        if let Some((known, resource)) = self.resource
            && known == number
        {
            return Ok(resource);
        }
        attributes(self.builder, Owner::Resource, &self.of_resources, number);
        let resource = self.builder.resource(0, StringId(0), &[])?;
        self.resource = Some((number, resource));
        Ok(resource)
    }

    fn scope(&mut self, span: u32) -> Result<ScopeId, BatchFull> {
        let of_span = &self.chunk.shape().scope_of_span;
        let number = of_span.get(span as usize).copied().unwrap_or(u32::MAX);
        if let Some((known, scope)) = self.scope
            && known == number
        {
            return Ok(scope);
        }
        attributes(self.builder, Owner::Scope, &self.of_scopes, number);
        let name = self.text(self.own.scope_name, number);
        let version = self.text(self.own.scope_version, number);
        let scope = self.builder.scope(name, version, 0, StringId(0))?;
        self.scope = Some((number, scope));
        Ok(scope)
    }

    fn events(&mut self, span: u32, start: u64) {
        let Some(events) = self.chunk.events() else {
            return;
        };
        for event in events.of_span(span) {
            attributes(self.builder, Owner::Event, &self.of_events, event);
            let since = number(self.own.event_time, event);
            let row = EventRow {
                time_unix_nano: start.wrapping_add(since),
                name: self.text(self.own.event_name, event),
                dropped_attributes_count: 0,
            };
            self.builder.event(row);
        }
    }

    fn links(&mut self, span: u32) {
        let Some(links) = self.chunk.links() else {
            return;
        };
        for link in links.of_span(span) {
            attributes(self.builder, Owner::Link, &self.of_links, link);
            let trace = self.own.link_trace;
            let trace = trace.map(|cells| cells.strings.get(cells.get(link).1));
            let row = LinkRow {
                trace_id: &trace.map_or([0; 16], of_hex),
                span_id: &number(self.own.link_span, link).to_be_bytes(),
                trace_state: StringId(0),
                flags: 0,
                dropped_attributes_count: 0,
            };
            self.builder.link(row);
        }
    }

    /// Empty where the column was not asked for.
    fn text(&mut self, cells: Option<&Cells>, owner: u32) -> StringId {
        let text = cells.map(|cells| cells.strings.get(cells.get(owner).1));
        text.map_or(StringId(0), |text| self.builder.intern_lossy(text).0)
    }
}

/// Bits of an owner's value; 0 where the column was not asked for.
fn number(cells: Option<&Cells>, owner: u32) -> u64 {
    cells.map_or(0, |cells| cells.get(owner).1)
}

fn attributes(builder: &mut SpanBatchBuilder, of: Owner, all: &Attributes<'_>, owner: u32) {
    for (key, cells) in all {
        if let Some(value) = value(builder, cells, owner) {
            builder.attribute(of, *key, value);
        }
    }
}

fn value(builder: &mut SpanBatchBuilder, cells: &Cells, owner: u32) -> Option<Value> {
    let (kind, bits) = cells.get(owner);
    let element = match kind {
        CellKind::StringArray => CellKind::String,
        CellKind::IntArray => CellKind::Int,
        CellKind::FloatArray => CellKind::Float,
        CellKind::BoolArray => CellKind::Bool,
        kind => {
            let is_hidden = || cells.hidden.binary_search(&owner).is_ok();
            return scalar(builder, cells, kind, bits)
                .or_else(|| is_hidden().then(|| builder.bytes(&[])));
        }
    };
    let mark = builder.begin_list();
    for &bits in cells.array(bits) {
        if let Some(value) = scalar(builder, cells, element, bits) {
            builder.element(StringId(0), value);
        }
    }
    // One level is never too deep.
    builder.end_array(mark).ok()
}

fn scalar(
    builder: &mut SpanBatchBuilder,
    cells: &Cells,
    kind: CellKind,
    bits: u64,
) -> Option<Value> {
    Some(match kind {
        CellKind::String => Value::string(builder.intern_lossy(cells.strings.get(bits)).0),
        CellKind::Int => Value::int(bits.cast_signed()),
        CellKind::Float => Value::double(f64::from_bits(bits)),
        CellKind::Bool => Value::bool(bits != 0),
        _ => return None,
    })
}

/// An id from its hex digits, leading zeros left out.
fn of_hex(text: &[u8]) -> [u8; 16] {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    let number = text
        .iter()
        .fold(0_u128, |number, byte| number << 4 | u128::from(digit(byte)));
    number.to_be_bytes()
}
