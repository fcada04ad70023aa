//! Trace by id in a block that is open and whose bytes are in memory, and going through all traces.

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Memory, conformance, load, now, written};
use uuid::Uuid;
use vivace_block::Format;
use vivace_block_reader::OpenBlock;
use vivace_block_writer::Options;
use vivace_model::TraceId;

fn blocks() -> Vec<(String, vivace_block::BlockMeta, bytes::Bytes)> {
    let mut out = Vec::new();
    for format in ["vParquet4", "vParquet5"] {
        let (meta, data) = conformance::block(format).expect("conformance data beside the project");
        out.push((format!("tempo {format}"), meta, data));
    }
    let options = Options::new(Format::VParquet5, "tenant", Uuid::nil());
    let (built, data) = written::write(&conformance::batches(), &options);
    out.push(("ours vParquet5".to_owned(), built.meta, data));
    for spans in [100_000, 350_000] {
        let (built, data) = written::write(&[load::batch(1, spans)], &options);
        let megabytes = built.meta.size / 1_000_000;
        out.push((format!("ours of {megabytes} MB"), built.meta, data));
    }
    out
}

fn ids(block: &OpenBlock, file: &Memory) -> Vec<(TraceId, usize)> {
    let mut traces = block.traces(file);
    let mut ids = Vec::new();
    while let Some(batch) = now(traces.next(async || {})).unwrap() {
        let view = batch.view();
        ids.push((view.trace_run(0).0, view.span_count()));
    }
    ids
}

/// Nanoseconds that this process ran; other load of the machine does not count.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
    ran.unwrap_or(0)
}

fn find(criterion: &mut Criterion) {
    for (name, meta, data) in blocks() {
        let file = Memory::new(data);
        criterion.bench_function(&format!("{name}: open"), |bencher| {
            bencher.iter(|| now(OpenBlock::open(&meta, &file)).unwrap());
        });
        let block = now(OpenBlock::open(&meta, &file)).unwrap();
        let ids = ids(&block, &file);
        let largest = ids.iter().max_by_key(|(_, spans)| *spans).unwrap().0;
        let mut next = 0;
        criterion.bench_function(
            &format!("{name}: find a trace of {} traces", ids.len()),
            |bencher| {
                bencher.iter(|| {
                    next = (next + 997) % ids.len();
                    now(block.find_trace(ids[next].0, &file, async || {}))
                        .unwrap()
                        .unwrap()
                });
            },
        );
        criterion.bench_function(&format!("{name}: find the largest trace"), |bencher| {
            bencher.iter(|| {
                now(block.find_trace(largest, &file, async || {}))
                    .unwrap()
                    .unwrap()
            });
        });
        criterion.bench_function(&format!("{name}: all traces"), |bencher| {
            bencher.iter(|| {
                let mut traces = block.traces(&file);
                let mut spans = 0;
                while let Some(batch) = now(traces.next(async || {})).unwrap() {
                    spans += batch.view().span_count();
                }
                spans
            });
        });
        let some = || ids.iter().step_by(ids.len() / 1_000);
        let (began, rounds) = (cpu_nanos(), some().count());
        for (id, _) in some() {
            now(block.find_trace(*id, &file, async || {}))
                .unwrap()
                .unwrap();
        }
        println!(
            "{name}: {} ns of CPU a trace",
            (cpu_nanos() - began) / rounds as u64
        );
        println!(
            "{name}: {} bytes; open: {:?} bytes and requests, keeps {} bytes",
            meta.size,
            block.opening_cost(),
            block.memory_bytes()
        );
    }
}

criterion_group!(benches, find);
criterion_main!(benches);
