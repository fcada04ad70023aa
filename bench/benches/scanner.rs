//! OTLP protobuf to span batches: 1,000 spans with 15 attributes of 12 services, fresh ids, spread over partitions.
//! Divide by 1,000 for a span. `decode_with_prost` is there for comparison: it only makes objects.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;
use vivace_bench::data::{Generator, Shape};
use vivace_protocol::otlp::{ScanOptions, Scanner};

const SPANS: usize = 1000;
const NOW: u64 = 1_795_335_883_175_355_314;

fn requests(count: usize) -> Vec<Vec<u8>> {
    let shape = Shape {
        spans_per_request: SPANS,
        ..Shape::default()
    };
    let mut generator = Generator::new(1, shape);
    (0..count)
        .map(|_| generator.next_request(NOW).body)
        .collect()
}

fn scanner(criterion: &mut Criterion) {
    let requests = requests(16);
    let mut group = criterion.benchmark_group("scanner");
    group.throughput(Throughput::Elements(SPANS as u64));
    for partitions in [1, 2, 16] {
        let options = ScanOptions {
            max_attribute_bytes: 2048,
            partitions,
        };
        let mut scanner = Scanner::new();
        let mut next = requests.iter().cycle();
        group.bench_function(format!("{partitions}_partitions"), |bencher| {
            bencher.iter(|| {
                let request = next.next().map_or(&[][..], |request| request);
                let scanned = scanner.scan("single-tenant", black_box(request), &options);
                assert_eq!(
                    scanned.as_ref().map(|scanned| scanned.accepted_spans),
                    Ok(SPANS as u64)
                );
                scanned
            });
        });
    }
    let mut next = requests.iter().cycle();
    group.bench_function("decode_with_prost", |bencher| {
        bencher.iter(|| {
            let request = next.next().map_or(&[][..], |request| request);
            ExportTraceServiceRequest::decode(black_box(request)).unwrap_or_default()
        });
    });
    group.finish();
}

criterion_group!(benches, scanner);
criterion_main!(benches);
