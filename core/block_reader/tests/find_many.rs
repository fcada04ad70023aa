//! Several traces at once are the same as one after the other.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use support::{Memory, conformance, load, now, written};
use uuid::Uuid;
use vivace_block::{BlockMeta, Format};
use vivace_block_reader::OpenBlock;
use vivace_block_writer::Options;
use vivace_model::{SpanBatch, TraceId};

/// Every trace, as going through the block gives them.
fn all(meta: &BlockMeta, data: &Bytes) -> Vec<(TraceId, SpanBatch)> {
    let file = Memory::new(data.clone());
    let block = now(OpenBlock::open(meta, &file)).unwrap();
    let mut traces = block.traces(&file);
    let mut all = Vec::new();
    while let Some(batch) = now(traces.next(async || {})).unwrap() {
        all.push((batch.view().trace_run(0).0, batch));
    }
    all
}

/// `ids` may have some that the block has not.
fn check(meta: &BlockMeta, data: &Bytes, all: &[(TraceId, SpanBatch)], ids: &[TraceId]) {
    let file = Memory::new(data.clone());
    let block = now(OpenBlock::open(meta, &file)).unwrap();
    let expected = all.iter().filter(|(id, _)| ids.contains(id));
    let expected: Vec<&SpanBatch> = expected.map(|(_, batch)| batch).collect();
    let found = now(block.find_traces(ids, &file, async || {})).unwrap();
    assert_eq!(found.batches.len(), expected.len());
    for (found, expected) in found.batches.iter().zip(expected) {
        assert_eq!(found.as_bytes(), expected.as_bytes());
    }
}

fn with_unknown(mut ids: Vec<TraceId>) -> Vec<TraceId> {
    ids.extend([TraceId([0; 16]), TraceId([7; 16]), TraceId([255; 16])]);
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn any_traces_of_tempos_blocks() {
    for format in ["vParquet4", "vParquet5"] {
        let Some((meta, data)) = conformance::block(format) else {
            return;
        };
        let all = all(&meta, &data);
        check(&meta, &data, &all, &[]);
        check(&meta, &data, &all, &with_unknown(Vec::new()));
        for step in [1, 7, 100, 2000] {
            let some = all.iter().skip(step / 2).step_by(step);
            let some = some.map(|(id, _)| *id).collect();
            check(&meta, &data, &all, &with_unknown(some));
        }
    }
}

#[test]
fn pages_are_read_once() {
    let batch = load::batch(7, 10_000);
    let options = Options {
        row_group_bytes: 100_000,
        ..Options::new(Format::VParquet5, "tenant", Uuid::nil())
    };
    let (built, data) = written::write(&[batch], &options);
    let ids: Vec<TraceId> = all(&built.meta, &data).iter().map(|one| one.0).collect();
    let file = Memory::new(data.clone());
    let block = now(OpenBlock::open(&built.meta, &file)).unwrap();
    let before = file.bytes_read.get();
    let found = now(block.find_traces(&ids, &file, async || {})).unwrap();
    assert_eq!(found.batches.len(), ids.len());
    assert!(block.row_groups().len() > 1);
    assert_eq!(found.bytes_read, file.bytes_read.get() - before);
    assert!(found.bytes_read <= 2 * data.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn any_traces_of_our_own_blocks(
        seed in any::<u64>(),
        picked in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        version4 in any::<bool>(),
    ) {
        let format = if version4 { Format::VParquet4 } else { Format::VParquet5 };
        let options = Options {
            row_group_bytes: 30_000,
            ..Options::new(format, "tenant", Uuid::nil())
        };
        let (built, data) = written::write(&[load::batch(seed, 1_000)], &options);
        let all = all(&built.meta, &data);
        let some = picked.iter().map(|index| index.get(&all).0).collect();
        check(&built.meta, &data, &all, &with_unknown(some));
    }
}
