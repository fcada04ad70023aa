//! Making batches, running futures, and cells as plain values.

use std::path::Path;

use vivace_columns::{BatchChunk, CellKind, Cells, Chunk, Column, Kinds, Strings};
use vivace_model::{SpanBatch, SpanBatchBuilder};
use vivace_protocol::otlp::{ScanOptions, Scanner};

use crate::support::{self, Span};

/// Runs a future that waits for nothing.
pub fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

pub fn batch(spans: &[Span]) -> SpanBatch {
    let mut builder = SpanBatchBuilder::new();
    for span in spans {
        support::put(&mut builder, span);
    }
    builder.finish().unwrap()
}

/// The spans of the conformance data, as batches.
pub fn conformance() -> Vec<SpanBatch> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/otlp");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions: 1,
    };
    let scan = |path| {
        let request = std::fs::read(path).unwrap();
        let scanned = Scanner::new().scan("single-tenant", &request, &options);
        scanned.unwrap().batches
    };
    (paths.into_iter().flat_map(scan).map(|(_, batch)| batch)).collect()
}

/// A value as a query sees it; doubles by their bits.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Text(String),
    Int(i64),
    Float(u64),
    Bool(bool),
    Duration(i64),
    Status(u64),
    Kind(u64),
    SpanId(u64),
    /// What elements are can't be told of an empty one.
    Array(Vec<Val>),
}

fn text(strings: &Strings, number: u64) -> String {
    assert!((number as usize) < strings.len());
    String::from_utf8(strings.get(number).to_vec()).unwrap()
}

/// What bits mean; None: nil.
pub fn val(kind: CellKind, bits: u64, elements: &[u64], strings: &Strings) -> Option<Val> {
    let list = |of: fn(u64) -> Val| {
        let (start, len) = ((bits & 0xffff_ffff) as usize, (bits >> 32) as usize);
        Val::Array(
            elements[start..start + len]
                .iter()
                .map(|one| of(*one))
                .collect(),
        )
    };
    Some(match kind {
        CellKind::Nil => return None,
        CellKind::String => Val::Text(text(strings, bits)),
        CellKind::Int => Val::Int(bits.cast_signed()),
        CellKind::Float => Val::Float(bits),
        CellKind::Bool => {
            assert!(bits < 2);
            Val::Bool(bits == 1)
        }
        CellKind::Duration => Val::Duration(bits.cast_signed()),
        CellKind::Status => Val::Status(bits),
        CellKind::Kind => Val::Kind(bits),
        CellKind::SpanId => Val::SpanId(bits),
        CellKind::StringArray => match list(|number| Val::Int(number.cast_signed())) {
            Val::Array(numbers) => Val::Array(
                (numbers.into_iter())
                    .map(|number| match number {
                        Val::Int(number) => Val::Text(text(strings, number.cast_unsigned())),
                        other => other,
                    })
                    .collect(),
            ),
            other => other,
        },
        CellKind::IntArray => list(|bits| Val::Int(bits.cast_signed())),
        CellKind::FloatArray => list(Val::Float),
        CellKind::BoolArray => list(|bits| Val::Bool(bits == 1)),
    })
}

/// A column by owner, after checking that it is built as `Cells` says.
pub fn decode(cells: &Cells) -> Vec<Option<Val>> {
    if let Kinds::Each(kinds) = &cells.kinds {
        assert_eq!(kinds.len(), cells.bits.len());
    }
    match &cells.at {
        None => assert_eq!(cells.bits.len(), cells.owners as usize),
        Some(at) => {
            assert_eq!(at.len(), cells.bits.len());
            assert!(at.is_sorted_by(|a, b| a < b));
            assert!(at.last().is_none_or(|last| *last < cells.owners));
            let mut stored = 0..cells.len();
            assert!(stored.all(|cell| cells.kind(cell) != CellKind::Nil));
        }
    }
    let value = |owner| {
        let (kind, bits) = cells.get(owner);
        val(kind, bits, &cells.elements, &cells.strings)
    };
    (0..cells.owners).map(value).collect()
}

/// Loads a column.
pub fn load<P: AsyncFn()>(chunk: &mut BatchChunk<P>, column: &Column) -> Vec<Option<Val>> {
    assert!(chunk.cells(column).is_none());
    finish(chunk.load(std::slice::from_ref(column), None)).unwrap();
    let cells = chunk.cells(column).unwrap();
    assert_eq!(cells.level, column.level());
    decode(cells)
}

/// Every intrinsic, and what has no name in queries.
pub fn intrinsics() -> Vec<Column> {
    use vivace_traceql::Intrinsic::*;
    let all = [
        Duration,
        Name,
        Status,
        StatusMessage,
        Kind,
        SpanId,
        ParentId,
        ChildCount,
        Parent,
        TraceId,
        TraceDuration,
        TraceRootName,
        TraceRootService,
        EventName,
        EventTimeSinceStart,
        LinkTraceId,
        LinkSpanId,
        InstrumentationName,
        InstrumentationVersion,
        NestedSetLeft,
        NestedSetRight,
        NestedSetParent,
    ];
    let others = [
        Column::SpanStart,
        Column::TraceStart,
        Column::TraceEnd,
        Column::TraceState,
    ];
    all.map(Column::Intrinsic)
        .into_iter()
        .chain(others)
        .collect()
}
