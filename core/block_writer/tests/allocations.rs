//! Writing a block: allocations for leaves, pages and row groups, none for a span.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use uuid::Uuid;
use vivace_allocations::{Counting, batch, measure};
use vivace_block::Format;
use vivace_block_writer::{Options, Sink, write_block};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SPANS_PER_TRACE: u64 = 10;

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

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    type Error = Infallible;

    async fn append(&mut self, _bytes: Bytes) -> Result<(), Infallible> {
        Ok(())
    }
}

fn allocations(format: Format, traces: u64) -> u64 {
    let batches = [batch(traces, SPANS_PER_TRACE)];
    let options = Options::new(format, "tenant", Uuid::from_u128(7));
    let (built, measured) =
        measure(|| now(write_block(&batches, &options, &mut Nowhere, async || {})));
    let built = built.unwrap();
    assert_eq!(built.meta.total_objects, traces);
    assert_eq!(built.meta.total_records, 1);
    measured.allocations
}

/// The writer has a pool, tables and leaves first; then each page of a leaf takes some allocations, and a page has thousands of spans.
#[test]
fn pages_allocate_and_spans_do_not() {
    const SMALL: u64 = 500;
    const LARGE: u64 = 5_000;
    for format in [Format::VParquet4, Format::VParquet5] {
        let [small, large] = [SMALL, LARGE].map(|traces| allocations(format, traces));
        let for_a_span = (large - small) as f64 / ((LARGE - SMALL) * SPANS_PER_TRACE) as f64;
        assert!(for_a_span < 0.03, "{format}: {for_a_span}");
    }
}
