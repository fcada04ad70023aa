//! How many requests a cold look-up takes, and how much it reads.

mod support;

use bytes::Bytes;
use support::{Memory, conformance, load, now, written};
use uuid::Uuid;
use vivace_block::{BlockMeta, Format};
use vivace_block_reader::OpenBlock;
use vivace_block_writer::Options;
use vivace_model::TraceId;

/// What a cold look-up took, the bloom filter left out.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    open_requests: u32,
    open_bytes: u64,
    /// Times that requests of the look-up itself were waited for.
    steps: u32,
    requests: u32,
    bytes: u64,
}

fn ours(spans: u64, options: &Options) -> (BlockMeta, Bytes, Vec<TraceId>) {
    let batch = load::batch(spans, spans);
    let ids = batch.view().trace_runs().map(|(id, _)| id).collect();
    let (built, data) = written::write(&[batch], options);
    (built.meta, data, ids)
}

fn options() -> Options {
    Options::new(Format::VParquet5, "tenant", Uuid::nil())
}

/// The most of each that any of some traces takes.
fn most(meta: &BlockMeta, data: &Bytes, ids: &[TraceId]) -> Cost {
    let mut most = Cost::default();
    let step = (ids.len() / 23).max(1);
    for id in ids.iter().step_by(step).chain(ids.last()) {
        let file = Memory::new(data.clone());
        let block = now(OpenBlock::open(meta, &file)).unwrap();
        let opened = (file.requests.get(), file.bytes_read.get());
        assert_eq!(block.opening_cost(), (opened.1, opened.0));
        let steps = file.steps.get();
        let found = now(block.find_trace(*id, &file, async || {})).unwrap();
        let found = found.unwrap();
        assert_eq!(found.batch.view().trace_run(0).0, *id);
        assert_eq!(found.requests, file.requests.get() - opened.0);
        assert_eq!(found.bytes_read, file.bytes_read.get() - opened.1);
        most.open_requests = most.open_requests.max(opened.0);
        most.open_bytes = most.open_bytes.max(opened.1);
        most.steps = most.steps.max(file.steps.get() - steps);
        most.requests = most.requests.max(found.requests);
        most.bytes = most.bytes.max(found.bytes_read);
    }
    println!("block of {} bytes: {most:?}", meta.size);
    most
}

/// The most requests and bytes that reading the trace's rows takes. With bloom filter and footer two more.
#[test]
fn blocks_of_one_row_group() {
    for (spans, size, requests, bytes) in [
        (2_000, 100_000, 1, 160_000),
        (100_000, 5_500_000, 1, 6_000_000),
        (350_000, 18_500_000, 3, 20_500_000),
        (800_000, 42_000_000, 9, 24_000_000),
    ] {
        let (meta, data, ids) = ours(spans, &options());
        assert!(meta.size > size, "{} of {size}", meta.size);
        assert_eq!(meta.total_records, 1);
        let most = most(&meta, &data, &ids);
        assert_eq!((most.open_requests, most.steps), (1, 1), "{most:?}");
        assert!(most.requests <= requests, "{most:?}");
        assert!(most.bytes <= bytes, "{most:?}");
        assert!(most.open_bytes < 80_000 + size / 150, "{most:?}");
    }
}

#[test]
fn blocks_of_many_row_groups() {
    let mut options = options();
    options.row_group_bytes = 5_000_000;
    let (meta, data, ids) = ours(100_000, &options);
    assert!(meta.total_records > 2);
    let most = most(&meta, &data, &ids);
    assert_eq!((most.open_requests, most.requests), (1, 1), "{most:?}");
    assert!(most.bytes < meta.size / 2, "{most:?}");
}

#[test]
fn tempos_blocks() {
    for format in ["vParquet4", "vParquet5"] {
        let Some((meta, data)) = conformance::block(format) else {
            return;
        };
        let id = TraceId::from_hex("76469e66e2f3f596").unwrap();
        let most = most(&meta, &data, &[id]);
        assert_eq!((most.open_requests, most.requests), (1, 1), "{most:?}");
    }
}

#[test]
fn a_meta_that_does_not_know_the_footer() {
    let (mut meta, data, ids) = ours(2_000, &options());
    meta.footer_size = 0;
    let most = most(&meta, &data, &ids);
    assert_eq!((most.open_requests, most.requests), (1, 1), "{most:?}");
}

/// Row groups so small that a block is mostly indexes: more than the first read expects.
#[test]
fn large_page_indexes_are_read_behind_the_footer() {
    let mut options = options();
    options.row_group_bytes = 2_000;
    let (meta, data, ids) = ours(6_000, &options);
    assert!(meta.total_records > 100);
    let most = most(&meta, &data, &ids);
    assert_eq!((most.open_requests, most.requests), (2, 1), "{most:?}");
}
