//! Loading columns of a chunk of a block that is open and whose bytes are in memory.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use vivace_block::Format;
use vivace_columns::{Chunk, ChunkMemory, Column, GroupChunk, Level};
use vivace_model::{Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId, Value};
use vivace_traceql::Intrinsic;

#[path = "../tests/group/support.rs"]
#[allow(dead_code, reason = "tests use all of it")]
mod support;

use support::random::Random;
use support::{Block, now, written};

const TRACES: u64 = 10_000;
const SPANS_PER_TRACE: u64 = 20;

/// Spans like those of services: six attributes, two of them with columns of their own.
fn batch() -> SpanBatch {
    let mut random = Random(1);
    let mut builder = SpanBatchBuilder::new();
    let b = &mut builder;
    let mut resources = Vec::new();
    for number in 0..8 {
        for (key, value) in [
            ("service.name", "service"),
            ("k8s.pod.name", "pod"),
            ("region", "zone"),
        ] {
            let key = b.intern(key);
            let value = b.intern(&format!("{value} {number}"));
            b.attribute(Owner::Resource, key, Value::string(value));
        }
        resources.push(b.resource(0, StringId(0), &[]).unwrap());
    }
    let scope = b.intern("scope");
    let scope = b.scope(scope, StringId(0), 0, StringId(0)).unwrap();
    for _ in 0..TRACES {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random.next().to_be_bytes());
        id[8..].copy_from_slice(&random.next().to_be_bytes());
        for number in 0..SPANS_PER_TRACE {
            let texts = [
                ("http.method", 4),
                ("url.path", 200),
                ("db.system", 3),
                ("user", 5000),
            ];
            for (key, values) in texts {
                let key = b.intern(key);
                let value = b.intern(&format!("value {}", random.below(values)));
                b.attribute(Owner::Span, key, Value::string(value));
            }
            for key in ["http.status_code", "rows"] {
                let key = b.intern(key);
                b.attribute(
                    Owner::Span,
                    key,
                    Value::int(random.below(300).cast_signed()),
                );
            }
            if random.one_in(4) {
                let key = b.intern("ratio");
                b.attribute(Owner::Span, key, Value::double(random.below(100) as f64));
            }
            let start = 1_700_000_000_000_000_000 + random.below(1 << 40);
            let name = b.intern(&format!("operation {}", random.below(50)));
            let row = SpanRow {
                trace_id: TraceId(id),
                span_id: SpanId(random.next().to_be_bytes()),
                parent_span_id: (number > 0).then(|| SpanId(random.next().to_be_bytes())),
                name,
                kind: random.below(6) as i32,
                start_unix_nano: start,
                end_unix_nano: start + random.below(1 << 30),
                status_code: random.below(3) as i32,
                status_message: StringId(0),
                trace_state: StringId(0),
                flags: 0,
                dropped_attributes_count: 0,
                dropped_events_count: 0,
                dropped_links_count: 0,
                resource: resources[random.below(8) as usize],
                scope,
            };
            b.end_span(row).unwrap();
        }
    }
    builder.finish().unwrap()
}

fn open(block: &Block) -> GroupChunk<&support::Memory, impl AsyncFn()> {
    let rows = 0..block.open.row_groups()[0].rows;
    let pause = async || {};
    now(GroupChunk::open(
        block.open.clone(),
        0,
        rows,
        &block.file,
        ChunkMemory::alone(1 << 30),
        pause,
    ))
    .unwrap()
}

/// Nanoseconds that this process ran; other load of the machine does not count. Some kernels count in steps of milliseconds.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
    ran.unwrap_or(0)
}

/// CPU time of a span over many rounds: the chunk opened, and opened with columns loaded.
fn print_nanos(block: &Block, name: &str, columns: &[Column]) {
    let spans = u64::from(open(block).shape().spans());
    let rounds = 20_000_000 / spans;
    let nanos = |columns: &[Column]| {
        let began = cpu_nanos();
        for _ in 0..rounds {
            let mut chunk = open(block);
            now(chunk.load(columns, None)).unwrap();
            black_box(chunk);
        }
        (cpu_nanos() - began) as f64 / (rounds * spans) as f64
    };
    let (opened, loaded) = (nanos(&[]), nanos(columns));
    println!(
        "{}: {name}: {opened:.1} ns of CPU a span to open, {:.1} to load",
        block.name,
        loaded - opened
    );
}

fn load(criterion: &mut Criterion) {
    let batch = batch();
    let attribute = |level, key: &str| Column::Attribute(level, Arc::from(key));
    let cases = [
        ("duration", vec![Column::Intrinsic(Intrinsic::Duration)]),
        ("name", vec![Column::Intrinsic(Intrinsic::Name)]),
        ("dedicated string", vec![attribute(Level::Span, "url.path")]),
        (
            "dedicated int",
            vec![attribute(Level::Span, "http.status_code")],
        ),
        (
            "service name",
            vec![attribute(Level::Resource, "service.name")],
        ),
        ("generic string", vec![attribute(Level::Span, "user")]),
        ("generic double", vec![attribute(Level::Span, "ratio")]),
        (
            "two generic",
            vec![
                attribute(Level::Span, "user"),
                attribute(Level::Span, "rows"),
            ],
        ),
        ("no such key", vec![attribute(Level::Span, "nothing")]),
        (
            "child count",
            vec![Column::Intrinsic(Intrinsic::ChildCount)],
        ),
    ];
    let mut blocks: Vec<Block> = [Format::VParquet4, Format::VParquet5]
        .map(|format| written(format, std::slice::from_ref(&batch), 1 << 40))
        .into();
    blocks.extend(support::recorded());
    for block in &blocks {
        let spans = open(block).shape().spans();
        println!("{}: {spans} spans", block.name);
        criterion.bench_function(&format!("{}: open", block.name), |bencher| {
            bencher.iter(|| black_box(open(block)));
        });
        for (name, columns) in &cases {
            print_nanos(block, name, columns);
            criterion.bench_function(
                &format!("{}: open and load {name}", block.name),
                |bencher| {
                    bencher.iter(|| {
                        let mut chunk = open(block);
                        now(chunk.load(columns, None)).unwrap();
                        black_box(chunk)
                    });
                },
            );
        }
        criterion.bench_function(&format!("{}: table of spans", block.name), |bencher| {
            bencher.iter(|| {
                let mut chunk = open(block);
                now(chunk.load_table(Level::Span)).unwrap();
                black_box(chunk)
            });
        });
    }
}

criterion_group!(benches, load);
criterion_main!(benches);
