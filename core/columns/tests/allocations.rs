//! Columns of live batches: some allocations for a column, none for a span.
//!
//! How many spans have an attribute is not known before, so buffers of attributes grow by doubling: for a hundred times the spans they
//! are allocated seven times more often, three buffers a column.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use vivace_allocations::{Counting, batch, measure};
use vivace_columns::{BatchChunk, Chunk as _, Column, Level};
use vivace_traceql::Intrinsic;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a future that never waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn columns() -> Vec<Column> {
    let attribute = |level, key: &str| Column::Attribute(level, Arc::from(key));
    vec![
        Column::SpanStart,
        Column::Intrinsic(Intrinsic::Name),
        Column::Intrinsic(Intrinsic::Duration),
        attribute(Level::Resource, "service.name"),
        attribute(Level::Span, "url.path"),
        attribute(Level::Span, "http.response.status_code"),
        attribute(Level::Span, "ratio"),
    ]
}

#[test]
fn columns_of_a_batch_are_made_without_an_allocation_per_span() {
    let columns = columns();
    let allocations = |traces| {
        let batch = batch(traces, 10);
        let (chunk, measured) = measure(|| {
            let mut chunk = BatchChunk::new(&batch, async || {});
            now(chunk.load(&columns, None)).unwrap();
            now(chunk.load_trace_ids()).unwrap();
            now(chunk.load_events()).unwrap();
            chunk
        });
        assert_eq!(u64::from(chunk.shape().traces()), traces);
        measured.allocations
    };
    let (small, large) = (allocations(20), allocations(2_000));
    assert!(large <= small + 4 * 3 * 7, "{small} {large}");
}

#[test]
fn trees_and_traces_are_made_without_an_allocation_per_span() {
    let columns = [
        Column::TraceStart,
        Column::Intrinsic(Intrinsic::TraceRootName),
        Column::Intrinsic(Intrinsic::NestedSetLeft),
        Column::Intrinsic(Intrinsic::NestedSetParent),
    ];
    let allocations = |traces| {
        let batch = batch(traces, 10);
        let (_chunk, measured) = measure(|| {
            let mut chunk = BatchChunk::new(&batch, async || {});
            now(chunk.load(&columns, None)).unwrap();
            chunk
        });
        measured.allocations
    };
    let (small, large) = (allocations(20), allocations(2_000));
    assert_eq!(small, large);
}
