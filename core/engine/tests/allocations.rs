//! Searches: some allocations for a chunk, none for a span.

use std::convert::Infallible;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;
use vivace_allocations::{Counting, batch, measure};
use vivace_block::Format;
use vivace_block_reader::{OpenBlock, Ranges};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_columns::{BatchChunk, Chunk, ChunkMemory, GroupChunk};
use vivace_engine::{Dedicated, Plan, Scope, find};
use vivace_model::SpanBatch;
use vivace_traceql::parse;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Conditions alone, and what each looks at.
const SIMPLE: [&str; 6] = [
    r#"{ span.http.request.method = "http.request.method 3" }"#,
    r#"{ span.db.system = "db.system 3" }"#,
    r#"{ span.url.path =~ "url.path 1.*" }"#,
    "{ span.http.response.status_code > 240 && duration > 1ms }",
    "{ span.ratio < 7.5 || span.rows = 211 }",
    r#"{ resource.service.name = "service 2" && status = error }"#,
];
/// Run trace by trace, on every trace. How many allocations a trace of 100 spans may take, and how many more one of ten times as many:
/// lists of `by` and some of structural operators grow by doubling, the others are as long as they have to be.
const BY_TRACE: [(&str, u64, u64); 3] = [
    ("{ kind = server } >> { duration > 1ms }", 17, 5),
    ("{ duration > 1ms } | count() > 2", 8, 0),
    (
        "{ duration > 1ms } | by(resource.service.name) | avg(duration) > 1ms",
        40,
        25,
    ),
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

#[derive(Default)]
struct File {
    written: BytesMut,
    bytes: Bytes,
}

impl Sink for File {
    type Error = Infallible;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        self.written.extend_from_slice(&bytes);
        Ok(())
    }
}

impl Ranges for File {
    type Error = Infallible;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

fn block(batch: SpanBatch) -> (Arc<OpenBlock>, File) {
    let mut file = File::default();
    let options = Options::new(Format::VParquet5, "tenant", Uuid::from_u128(7));
    let batches = [batch];
    let built = now(write_block(&batches, &options, &mut file, async || {})).unwrap();
    file.bytes = file.written.split().freeze();
    let open = now(OpenBlock::open(&built.meta, &file)).unwrap();
    (Arc::new(open), file)
}

fn plan(query: &str) -> Plan {
    let query = parse(query).unwrap();
    Plan::new(query.search_pipeline().unwrap(), &[], &Dedicated::default()).unwrap()
}

/// Spans that pass, and allocations of the search.
fn search(plan: &Plan, chunk: &mut impl Chunk) -> (u64, u64) {
    let (found, measured) = measure(|| now(find(plan, chunk, &Scope::default(), &async || {})));
    let spans = found.unwrap().selection.spans.iter().count() as u64;
    assert!(spans > 0);
    (spans, measured.allocations)
}

/// Allocations of a search that loads what it needs, and of one that finds it loaded.
fn of_chunk(plan: &Plan, mut chunk: impl Chunk) -> [u64; 2] {
    let (found, first) = search(plan, &mut chunk);
    let (again, second) = search(plan, &mut chunk);
    assert_eq!(found, again);
    [first, second]
}

fn of_batch(plan: &Plan, batch: &SpanBatch) -> [u64; 2] {
    of_chunk(plan, BatchChunk::new(batch, async || {}))
}

fn of_block(plan: &Plan, batch: SpanBatch) -> [u64; 2] {
    let (open, file) = block(batch);
    let rows = 0..open.row_groups()[0].rows;
    let chunk = GroupChunk::open(
        open,
        0,
        rows,
        &file,
        ChunkMemory::alone(1 << 30),
        async || {},
    );
    of_chunk(plan, now(chunk).unwrap())
}

/// For a hundred times the spans. Buffers of columns grow by doubling, and blocks have more pages.
const LOADING: u64 = 100;

#[test]
fn conditions_allocate_nothing_per_span() {
    for query in SIMPLE {
        let plan = plan(query);
        let [of_small, of_large] = [20, 2_000].map(|traces| of_batch(&plan, &batch(traces, 10)));
        assert!(
            of_large[0] < of_small[0] + LOADING,
            "{query}: {of_small:?} {of_large:?}"
        );
        assert_eq!(of_small[1], of_large[1], "{query}");
    }
}

#[test]
fn conditions_over_blocks_allocate_nothing_per_span() {
    for query in SIMPLE {
        let plan = plan(query);
        let [of_small, of_large] = [20, 2_000].map(|traces| of_block(&plan, batch(traces, 10)));
        assert!(
            of_large[0] < of_small[0] + LOADING,
            "{query}: {of_small:?} {of_large:?}"
        );
        assert_eq!(of_small[1], of_large[1], "{query}");
    }
}

/// Each trace that a condition leaves has lists of its own.
#[test]
fn pipelines_allocate_per_trace_but_not_per_span() {
    const TRACES: u64 = 50;
    for (query, most, growth) in BY_TRACE {
        let plan = plan(query);
        let of = |spans| of_batch(&plan, &batch(TRACES, spans))[1] / TRACES;
        let (small, large) = (of(100), of(1_000));
        assert!(small <= most, "{query}: {small}");
        assert!(large <= small + growth, "{query}: {small} {large}");
    }
}
