//! Intrinsics, times and trace states (traceql.md §3.1). All are dense, and never nil.

use std::sync::Arc;

use vivace_block::nested::Nested;
use vivace_model::View;
use vivace_traceql::Intrinsic;

use super::pause::{Pause, dense, parts};
use super::text::{HexTexts, id_of};
use super::traces::TraceFacts;
use crate::cells::{CellKind, Cells, Kinds, known_kind, known_status};
use crate::column::Column;
use crate::strings::Strings;

/// What a column of another kind needs first.
pub(super) enum Needs {
    Facts,
    Nested,
    /// The column has no values anywhere.
    Nothing,
}

pub(super) fn needs(column: &Column) -> Option<Needs> {
    match column {
        Column::TraceStart | Column::TraceEnd => Some(Needs::Facts),
        Column::Intrinsic(
            Intrinsic::TraceDuration | Intrinsic::TraceRootName | Intrinsic::TraceRootService,
        ) => Some(Needs::Facts),
        Column::Intrinsic(
            Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
            | Intrinsic::ChildCount,
        ) => Some(Needs::Nested),
        Column::Intrinsic(Intrinsic::Parent) => Some(Needs::Nothing),
        _ => None,
    }
}

/// A dense column.
fn cells(column: &Column, kind: CellKind, bits: Vec<u64>, strings: Strings) -> Cells {
    Cells {
        level: column.level(),
        owners: bits.len() as u32,
        at: None,
        kinds: Kinds::All(kind),
        bits,
        elements: Vec::new(),
        strings,
        hidden: Vec::new(),
    }
}

fn numbers(column: &Column, kind: CellKind, bits: Vec<u64>) -> Cells {
    cells(column, kind, bits, Strings::none())
}

/// A column that needs nothing but the batch, and the memory of strings made for it. None: the column `needs` something, or is no
/// intrinsic.
pub(super) async fn plain<P: AsyncFn()>(
    view: &View<'_>,
    strings: &Strings,
    column: &Column,
    pause: &mut Pause<P>,
) -> Option<(Cells, usize)> {
    let intrinsic = match column {
        Column::SpanStart => {
            let starts = view.start_unix_nanos();
            let bits = dense(view.span_count(), pause, |row| starts.get(row)).await;
            return Some((numbers(column, CellKind::Int, bits), 0));
        }
        Column::TraceState => {
            let ids = view.trace_states();
            let bits = dense(view.span_count(), pause, |row| ids.get(row).into()).await;
            return Some((cells(column, CellKind::String, bits, strings.clone()), 0));
        }
        Column::Intrinsic(intrinsic) => *intrinsic,
        Column::Attribute(..) | Column::TraceStart | Column::TraceEnd => return None,
    };
    let (kind, bits) = match intrinsic {
        Intrinsic::TraceId => {
            let ids = view.trace_ids();
            return Some(hex(column, ids.len(), |trace| ids.get(trace), pause).await);
        }
        Intrinsic::LinkTraceId => {
            let id = |link| view.link(link).trace_id();
            return Some(hex(column, link_count(view), id, pause).await);
        }
        Intrinsic::LinkSpanId => {
            let id = |link| last_8(view.link(link).span_id());
            (CellKind::SpanId, dense(link_count(view), pause, id).await)
        }
        Intrinsic::EventTimeSinceStart => (CellKind::Duration, since_start(view, pause).await),
        Intrinsic::EventName => {
            let ids = view.event_names();
            let bits = dense(ids.len(), pause, |event| ids.get(event).into()).await;
            (CellKind::String, bits)
        }
        Intrinsic::InstrumentationName => {
            let id = |scope| id_of(view, view.scope(scope).name()).into();
            (CellKind::String, dense(view.scope_count(), pause, id).await)
        }
        Intrinsic::InstrumentationVersion => {
            let id = |scope| id_of(view, view.scope(scope).version()).into();
            (CellKind::String, dense(view.scope_count(), pause, id).await)
        }
        _ => of_span(view, intrinsic, pause).await?,
    };
    let strings = match kind {
        CellKind::String => strings.clone(),
        _ => Strings::none(),
    };
    Some((cells(column, kind, bits, strings), 0))
}

async fn of_span<P: AsyncFn()>(
    view: &View<'_>,
    intrinsic: Intrinsic,
    pause: &mut Pause<P>,
) -> Option<(CellKind, Vec<u64>)> {
    let spans = view.span_count();
    Some(match intrinsic {
        Intrinsic::Name => {
            let ids = view.names();
            let bits = dense(spans, pause, |row| ids.get(row).into()).await;
            (CellKind::String, bits)
        }
        Intrinsic::StatusMessage => {
            let ids = view.status_messages();
            let bits = dense(spans, pause, |row| ids.get(row).into()).await;
            (CellKind::String, bits)
        }
        Intrinsic::Duration => {
            let durations = view.duration_nanos();
            let bits = dense(spans, pause, |row| durations.get(row)).await;
            (CellKind::Duration, bits)
        }
        Intrinsic::Status => {
            let codes = view.status_codes();
            let bits = dense(spans, pause, |row| number(known_status(codes.get(row)))).await;
            (CellKind::Status, bits)
        }
        Intrinsic::Kind => {
            let codes = view.kinds();
            let bits = dense(spans, pause, |row| number(known_kind(codes.get(row)))).await;
            (CellKind::Kind, bits)
        }
        Intrinsic::SpanId => {
            let ids = view.span_ids();
            let bits = dense(spans, pause, |row| u64::from_be_bytes(ids.get(row))).await;
            (CellKind::SpanId, bits)
        }
        Intrinsic::ParentId => {
            let ids = view.parent_span_ids();
            let bits = dense(spans, pause, |row| u64::from_be_bytes(ids.get(row))).await;
            (CellKind::SpanId, bits)
        }
        _ => return None,
    })
}

fn number(code: i32) -> u64 {
    code.cast_unsigned().into()
}

fn link_count(view: &View<'_>) -> usize {
    view.owned_attributes(vivace_model::Owner::Link)
        .owner_count()
}

/// The id as blocks are read: shorter ones padded on the left, of longer ones the end.
fn last_8(id: &[u8]) -> u64 {
    let last = id.get(id.len().saturating_sub(8)..).unwrap_or_default();
    last.iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

async fn hex<I: AsRef<[u8]>, P: AsyncFn()>(
    column: &Column,
    len: usize,
    id: impl Fn(usize) -> I,
    pause: &mut Pause<P>,
) -> (Cells, usize) {
    let mut texts = HexTexts::default();
    for part in parts(len) {
        let count = part.len();
        part.for_each(|number| texts.push(id(number).as_ref()));
        pause.after(count).await;
    }
    let texts = texts.finish();
    let memory = texts.iter().map(|text| text.len() + size_of::<u32>()).sum();
    let strings = Strings::of_values(Arc::new(texts));
    let bits = (0..len as u64).collect();
    (cells(column, CellKind::String, bits, strings), memory)
}

async fn since_start<P: AsyncFn()>(view: &View<'_>, pause: &mut Pause<P>) -> Vec<u64> {
    let (starts, times) = (view.start_unix_nanos(), view.event_times_unix_nano());
    let firsts = view.event_starts();
    let mut bits = Vec::with_capacity(times.len());
    for part in parts(view.span_count()) {
        let before = bits.len();
        for row in part.clone() {
            let start = starts.get(row);
            let events = firsts.get(row) as usize..firsts.get(row + 1) as usize;
            bits.extend(events.map(|event| times.get(event).wrapping_sub(start)));
        }
        pause.after(part.len() + bits.len() - before).await;
    }
    bits
}

/// A column of traces.
pub(super) fn of_traces(facts: &[TraceFacts], strings: &Strings, column: &Column) -> Cells {
    let bits = |of: fn(&TraceFacts) -> u64| facts.iter().map(of).collect();
    let texts = |of| cells(column, CellKind::String, bits(of), strings.clone());
    match column {
        Column::TraceStart => numbers(column, CellKind::Int, bits(|facts| facts.start)),
        Column::TraceEnd => numbers(column, CellKind::Int, bits(|facts| facts.end)),
        Column::Intrinsic(Intrinsic::TraceRootName) => texts(|facts| facts.root_name.into()),
        Column::Intrinsic(Intrinsic::TraceRootService) => texts(|facts| facts.root_service.into()),
        _ => {
            let duration = bits(|facts| facts.end.wrapping_sub(facts.start));
            numbers(column, CellKind::Duration, duration)
        }
    }
}

/// A column of the trees.
pub(super) fn of_nested(nested: &[Nested], column: &Column) -> Cells {
    let number = |number: i32| i64::from(number).cast_unsigned();
    let bits = |of: fn(&Nested) -> i32| nested.iter().map(|node| number(of(node))).collect();
    let bits = match column {
        Column::Intrinsic(Intrinsic::NestedSetLeft) => bits(|node| node.left),
        Column::Intrinsic(Intrinsic::NestedSetRight) => bits(|node| node.right),
        Column::Intrinsic(Intrinsic::NestedSetParent) => bits(|node| node.parent),
        _ => bits(|node| node.children),
    };
    numbers(column, CellKind::Int, bits)
}
