//! Counting: allocations for groups and intervals, none for a span.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use vivace_allocations::{Counting, batch, measure};
use vivace_columns::{BatchChunk, Bitmap, Chunk as _, Selection};
use vivace_query_metrics::{MetricsPlan, MetricsRequest};
use vivace_traceql::parse;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: u64 = 1_800_000_000_000_000_000;
const QUERIES: [&str; 8] = [
    "{ } | rate()",
    "{ } | rate() by (resource.service.name)",
    "{ } | count_over_time() by (span.url.path, span.http.response.status_code)",
    "{ } | min_over_time(span.ratio) by (name)",
    "{ } | avg_over_time(duration) by (kind)",
    "{ } | sum_over_time(span.rows)",
    "{ } | quantile_over_time(duration, .5, .99) by (span.db.system)",
    "{ } | histogram_over_time(duration)",
];

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

/// Allocations of counting all spans of a batch twice into one partial result. All spans lie in one interval, so that there are as many
/// groups and points of any size.
fn allocations(query: &str, traces: u64) -> [u64; 2] {
    let request = MetricsRequest {
        start: START - 1,
        end: START + 3_600_000_000_000,
        step: 3_600_000_000_001,
        is_instant: false,
        exemplars: 0,
        max_series: 0,
    };
    let plan = MetricsPlan::new(&parse(query).unwrap(), request, false).unwrap();
    let mut chunk = BatchChunk::new(&batch(traces, 10), async || {});
    now(chunk.load(&plan.leaves()[0].columns(), None)).unwrap();
    let selection = Selection::of(Bitmap::full(chunk.shape().spans()));
    let mut partials = plan.new_partials();
    let counts = [0, 1].map(|_| {
        let counting = plan.observe(0, &mut partials, &chunk, &selection, 1.0, &async || {});
        let (done, measured) = measure(|| now(counting));
        done.unwrap();
        measured.allocations
    });
    let (series, is_partial) = partials.series();
    assert!(series > 0 && !is_partial);
    counts
}

#[test]
fn nothing_is_allocated_per_span() {
    for query in QUERIES {
        let (small, large) = (allocations(query, 20), allocations(query, 2_000));
        assert_eq!(small, large, "{query}");
    }
}
