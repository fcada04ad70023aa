//! Columns that are a leaf each: each owner has one value (block-format.md §9.4).

use std::sync::Arc;

use vivace_block::schema::Column as Leaf;
use vivace_traceql::Intrinsic;

use super::places::Extent;
use super::source::LeafData;
use super::strings::{hex_texts, number_bits, span_id, texts};
use crate::cells::{CellKind, Cells};
use crate::column::Column;
use crate::strings::Strings;

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// Its bits.
    Number(CellKind),
    Text,
    /// A number of eight bytes.
    SpanId,
    /// Hex without leading zeros.
    TraceId,
}

/// The leaf of a column. None: there is none, or it is an attribute.
pub(super) fn leaf_of(column: &Column) -> Option<(Leaf, Make)> {
    let number = Make::Number;
    Some(match column {
        Column::SpanStart => (Leaf::SpanStartUnixNano, number(CellKind::Int)),
        Column::TraceStart => (Leaf::TraceStartUnixNano, number(CellKind::Int)),
        Column::TraceEnd => (Leaf::TraceEndUnixNano, number(CellKind::Int)),
        Column::TraceState => (Leaf::TraceState, Make::Text),
        Column::Attribute(..) => return None,
        Column::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration => (Leaf::SpanDurationNano, number(CellKind::Duration)),
            Intrinsic::Name => (Leaf::SpanName, Make::Text),
            Intrinsic::Status => (Leaf::StatusCode, number(CellKind::Status)),
            Intrinsic::StatusMessage => (Leaf::StatusMessage, Make::Text),
            Intrinsic::Kind => (Leaf::Kind, number(CellKind::Kind)),
            Intrinsic::SpanId => (Leaf::SpanId, Make::SpanId),
            Intrinsic::ParentId => (Leaf::ParentSpanId, Make::SpanId),
            Intrinsic::ChildCount => (Leaf::ChildCount, number(CellKind::Int)),
            Intrinsic::Parent => return None,
            Intrinsic::TraceId => (Leaf::TraceId, Make::TraceId),
            Intrinsic::TraceDuration => (Leaf::TraceDurationNano, number(CellKind::Duration)),
            Intrinsic::TraceRootName => (Leaf::RootSpanName, Make::Text),
            Intrinsic::TraceRootService => (Leaf::RootServiceName, Make::Text),
            Intrinsic::EventName => (Leaf::EventName, Make::Text),
            Intrinsic::EventTimeSinceStart => {
                (Leaf::EventTimeSinceStartNano, number(CellKind::Duration))
            }
            Intrinsic::LinkTraceId => (Leaf::LinkTraceId, Make::TraceId),
            Intrinsic::LinkSpanId => (Leaf::LinkSpanId, Make::SpanId),
            Intrinsic::InstrumentationName => (Leaf::ScopeName, Make::Text),
            Intrinsic::InstrumentationVersion => (Leaf::ScopeVersion, Make::Text),
            Intrinsic::NestedSetLeft => (Leaf::NestedSetLeft, number(CellKind::Int)),
            Intrinsic::NestedSetRight => (Leaf::NestedSetRight, number(CellKind::Int)),
            Intrinsic::NestedSetParent => (Leaf::ParentId, number(CellKind::Int)),
        },
    })
}

/// The cells of a leaf that was read without levels. None: it has another type, or not one value for each owner.
pub(super) fn cells(data: LeafData, make: Make, extent: &Extent) -> Option<Cells> {
    let count = data.page.values.len();
    if count != extent.owners.len() {
        return None;
    }
    Some(match make {
        Make::Number(kind) => {
            let bits = number_bits(data.page.values)?;
            extent.dense(kind, bits, Strings::none())
        }
        Make::Text => {
            let (numbers, strings) = texts(data.page.values, data.dictionary)?;
            extent.dense(CellKind::String, numbers, strings)
        }
        Make::SpanId => {
            let bits = (0..count).map(|index| span_id(data.bytes(index))).collect();
            extent.dense(CellKind::SpanId, bits, Strings::none())
        }
        Make::TraceId => {
            let texts = hex_texts((0..count).map(|index| data.bytes(index)));
            let strings = Strings::of_values(Arc::new(texts));
            extent.dense(CellKind::String, (0..count as u64).collect(), strings)
        }
    })
}
