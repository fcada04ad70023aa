//! Values of a field by span.

use vivace_traceql::{Field, Intrinsic, Kind, Static, Status};

use crate::cells::{CellKind, Cells};
use crate::chunk::Chunk;
use crate::column::{Column, Level};
use crate::selection::Selection;
use crate::shape::{Members, Shape};

/// Reads a field on spans of a chunk, for grouping, labels, aggregates and answers (not for conditions: those look at every event).
/// The columns of the field, and events or links if it is one of theirs, must be loaded.
pub struct FieldReader<'c> {
    /// In the order in which a value is looked for.
    columns: Vec<&'c Cells>,
    shape: &'c Shape,
    events: Option<&'c Members>,
    links: Option<&'c Members>,
    /// Spans in order ask for the same trace again and again.
    trace_of_span: Option<Vec<u32>>,
    /// What spans without an event or link have (traceql.md, accident 30).
    without: Option<Static>,
}

/// A value where it is stored.
#[derive(Clone, Copy)]
pub struct ValueAt<'c> {
    pub kind: CellKind,
    pub bits: u64,
    /// None: nil.
    pub cells: Option<&'c Cells>,
}

impl<'c> FieldReader<'c> {
    /// `events` and `links`: those of the chunk, where the field needs them.
    pub fn new<C: Chunk>(
        chunk: &'c C,
        field: &Field,
        events: Option<&'c Members>,
        links: Option<&'c Members>,
    ) -> Self {
        let names = Column::of_field(field);
        let columns: Vec<_> = names.iter().filter_map(|name| chunk.cells(name)).collect();
        let shape = chunk.shape();
        let of_trace = columns.iter().any(|cells| cells.level == Level::Trace);
        Self {
            columns,
            shape,
            events,
            links,
            trace_of_span: of_trace.then(|| shape.trace_of_span()),
            without: without_member(field),
        }
    }

    /// The owner of a level for a span. Of events and links, the one that met the conditions if it has a value, else the first that
    /// has one. None: a span without an event or link.
    fn owner(&self, cells: &Cells, span: u32, selection: &Selection) -> Option<u32> {
        let with_value = |chosen: Option<&u32>, members: Option<&Members>| {
            let range = members.map_or(0..0, |members| members.of_span(span));
            let mut owners = chosen.copied().into_iter().chain(range);
            owners.find(|&owner| cells.get(owner).0 != CellKind::Nil)
        };
        match cells.level {
            Level::Span => Some(span),
            Level::Trace => self.trace_of_span.as_ref()?.get(span as usize).copied(),
            Level::Resource => self.shape.resource_of_span.get(span as usize).copied(),
            Level::Scope => self.shape.scope_of_span.get(span as usize).copied(),
            Level::Event => with_value(selection.event_of_span.get(&span), self.events),
            Level::Link => with_value(selection.link_of_span.get(&span), self.links),
        }
    }

    /// The stored value; nil where there is none, and where an intrinsic of events or links has none to look at.
    #[inline]
    pub fn at(&self, span: u32, selection: &Selection) -> ValueAt<'c> {
        for cells in &self.columns {
            let Some(owner) = self.owner(cells, span, selection) else {
                continue;
            };
            let (kind, bits) = cells.get(owner);
            if kind != CellKind::Nil {
                let cells = Some(*cells);
                return ValueAt { kind, bits, cells };
            }
        }
        ValueAt {
            kind: CellKind::Nil,
            bits: 0,
            cells: None,
        }
    }

    /// The value; what `without_member` says for spans without an event or link.
    pub fn value(&self, span: u32, selection: &Selection) -> Static {
        let at = self.at(span, selection);
        match (at.cells, &self.without) {
            (Some(_), _) => at.to_static(),
            (None, Some(value)) => value.clone(),
            (None, None) => Static::Nil,
        }
    }

    /// What spans without an event or link have instead of nil, for fields where that is something.
    pub fn without_member(&self) -> Option<&Static> {
        self.without.as_ref()
    }
}

fn without_member(field: &Field) -> Option<Static> {
    match field {
        Field::Intrinsic(Intrinsic::EventName | Intrinsic::LinkTraceId) => {
            Some(Static::String("".into()))
        }
        Field::Intrinsic(Intrinsic::EventTimeSinceStart) => Some(Static::Duration(0)),
        Field::Intrinsic(Intrinsic::LinkSpanId) => Some(Static::String("0000000000000000".into())),
        _ => None,
    }
}

impl ValueAt<'_> {
    pub fn to_static(self) -> Static {
        let Some(cells) = self.cells else {
            return Static::Nil;
        };
        let text = |number: u64| String::from_utf8_lossy(cells.strings.get(number)).into();
        let array = || cells.array(self.bits).iter().copied();
        match self.kind {
            CellKind::Nil => Static::Nil,
            CellKind::String => Static::String(text(self.bits)),
            CellKind::Int => Static::Int(self.bits.cast_signed()),
            CellKind::Float => Static::Float(f64::from_bits(self.bits)),
            CellKind::Bool => Static::Bool(self.bits != 0),
            CellKind::Duration => Static::Duration(self.bits.cast_signed()),
            CellKind::Status => Static::Status(status(self.bits)),
            CellKind::Kind => Static::Kind(kind(self.bits)),
            CellKind::SpanId => Static::String(format!("{:016x}", self.bits).into()),
            CellKind::StringArray => Static::StringArray(array().map(text).collect()),
            CellKind::IntArray => Static::IntArray(array().map(u64::cast_signed).collect()),
            CellKind::FloatArray => Static::FloatArray(array().map(f64::from_bits).collect()),
            CellKind::BoolArray => Static::BoolArray(array().map(|bits| bits != 0).collect()),
        }
    }
}

/// OTLP's code of a status.
pub fn status(code: u64) -> Status {
    match code {
        1 => Status::Ok,
        2 => Status::Error,
        _ => Status::Unset,
    }
}

/// OTLP's code of a span's kind.
pub fn kind(code: u64) -> Kind {
    match code {
        1 => Kind::Internal,
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        _ => Kind::Unspecified,
    }
}
