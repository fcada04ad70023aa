//! What readers and copiers of a batch of 1,000 spans with 15 attributes pay.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use vivace_bench::data::{Generator, Shape};
use vivace_model::{Owner, SpanBatch, SpanBatchBuilder, ValueView};
use vivace_protocol::otlp::{ScanOptions, Scanner};

const SPANS: usize = 1000;
const NOW: u64 = 1_795_335_883_175_355_314;

fn batch() -> SpanBatch {
    let shape = Shape {
        spans_per_request: SPANS,
        ..Shape::default()
    };
    let request = Generator::new(1, shape).next_request(NOW).body;
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions: 1,
    };
    let scanned = Scanner::new().scan("single-tenant", &request, &options);
    let mut batches = scanned.unwrap_or_default().batches;
    println!("request: {} bytes a span", request.len() / SPANS);
    let batch = batches.remove(0).1;
    println!("batch: {} bytes a span", batch.as_bytes().len() / SPANS);
    batch
}

fn span_batch(criterion: &mut Criterion) {
    let batch = batch();
    let mut group = criterion.benchmark_group("span_batch");
    group.throughput(Throughput::Elements(SPANS as u64));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| SpanBatch::verify(black_box(batch.as_bytes().clone())));
    });
    group.bench_function("find_traces", |bencher| {
        let ids: Vec<_> = batch.view().trace_runs().map(|(id, _)| id).collect();
        bencher.iter(|| {
            let view = batch.view();
            ids.iter()
                .filter_map(|id| view.find_trace(*id))
                .map(|rows| rows.len())
                .sum::<usize>()
        });
    });
    group.bench_function("read_every_attribute", |bencher| {
        bencher.iter(|| {
            let view = batch.view();
            let mut bytes = 0;
            for span in view.spans() {
                bytes += span.name().len();
                for (key, value) in span.attributes() {
                    bytes += key.len();
                    if let ValueView::String(text) = value {
                        bytes += text.len();
                    }
                }
            }
            bytes
        });
    });
    group.bench_function("compare_every_key", |bencher| {
        let view = batch.view();
        let keys = view.owned_attributes(Owner::Span).keys();
        bencher.iter(|| keys.iter().filter(|&key| key == black_box(17)).count());
    });
    let mut builder = SpanBatchBuilder::new();
    group.bench_function("copy_all_rows", |bencher| {
        bencher.iter(|| {
            let view = batch.view();
            builder
                .append_rows(&view, 0..view.span_count())
                .map(|()| builder.finish())
        });
    });
    group.bench_function("copy_and_sort", |bencher| {
        bencher.iter(|| {
            let view = batch.view();
            let half = view.span_count() / 2;
            builder
                .append_row_ranges(&view, [half..view.span_count(), 0..half])
                .map(|()| builder.finish())
        });
    });
    group.finish();
}

criterion_group!(benches, span_batch);
criterion_main!(benches);
