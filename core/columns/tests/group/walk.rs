//! Every column of every field that occurs, in whole row groups and in parts of them.

use std::ops::Range;

use proptest::prelude::*;
use vivace_block::Format;
use vivace_columns::{Bitmap, Chunk, ChunkMemory, Column, GroupChunk, Level, plan_rows};

use crate::naive::{self, Keys, Texts};
use crate::support::random::Random;
use crate::support::{Block, Memory, now, recorded, written};

pub const BUDGET: usize = 1 << 30;

pub fn open(block: &Block, group: usize, rows: Range<u32>) -> GroupChunk<&Memory, impl AsyncFn()> {
    let pause = async || {};
    now(GroupChunk::open(
        block.open.clone(),
        group,
        rows,
        &block.file,
        ChunkMemory::alone(BUDGET),
        pause,
    ))
    .unwrap()
}

pub fn load_all<C: Chunk>(chunk: &mut C, columns: &[Column], keep: Option<&Bitmap>) {
    now(chunk.load(columns, keep)).unwrap();
    now(chunk.load_events()).unwrap();
    now(chunk.load_links()).unwrap();
    now(chunk.load_trace_ids()).unwrap();
}

/// All rows in chunks of about so many spans.
fn read(block: &Block, keys: &Keys, spans: u32) -> Texts {
    let columns = naive::columns(keys);
    let mut texts = Texts::new();
    for group in 0..block.open.row_groups().len() {
        let plan = plan_rows(&block.open, group, spans);
        let rows = block.open.row_groups()[group].rows;
        assert_eq!(plan.first().map(|range| range.start), Some(0));
        assert_eq!(plan.last().map(|range| range.end), Some(rows));
        assert!(plan.windows(2).all(|pair| pair[0].end == pair[1].start));
        for rows in plan {
            let mut chunk = open(block, group, rows);
            load_all(&mut chunk, &columns, None);
            assert!(chunk.memory_bytes() > 0 && chunk.bytes_read() > 0);
            let traces: Vec<u32> = (0..chunk.shape().traces()).collect();
            texts.extend(naive::of_chunk(&chunk, keys, &traces));
        }
    }
    texts
}

pub fn check(block: &Block, spans: &[u32]) {
    let traces = block.traces();
    let mut keys = naive::keys(&traces);
    keys.insert((Level::Resource, "service.name".to_owned()));
    for level in [
        Level::Resource,
        Level::Scope,
        Level::Span,
        Level::Event,
        Level::Link,
    ] {
        keys.insert((level, "no such key".to_owned()));
    }
    let expected = naive::of_traces(&traces, &keys);
    for &spans in spans {
        naive::assert_same(&block.name, &expected, &read(block, &keys, spans));
    }
}

#[test]
fn recorded_blocks() {
    for block in recorded() {
        check(&block, &[u32::MAX, 1000, 61]);
    }
}

#[test]
fn some_traces_only() {
    let mut blocks = recorded();
    let batch = Random(11).batch(120);
    blocks.push(written(Format::VParquet5, &[batch], 100_000_000));
    for block in blocks {
        let traces = block.traces();
        let keys = naive::keys(&traces);
        let mut expected = naive::of_traces(&traces, &keys);
        let mut chunk = open(&block, 0, 3..block.open.row_groups()[0].rows);
        let count = chunk.shape().traces();
        let kept: Vec<u32> = (count / 3..count / 2).step_by(2).collect();
        let mut keep = Bitmap::empty(count);
        kept.iter().for_each(|&trace| keep.insert(trace));
        let columns = naive::columns(&keys);
        // One column for more traces than the others.
        now(chunk.load(&columns[..1], None)).unwrap();
        load_all(&mut chunk, &columns, Some(&keep));
        let found = naive::of_chunk(&chunk, &keys, &kept);
        expected.retain(|id, _| found.contains_key(id));
        assert_eq!(expected.len(), kept.len());
        naive::assert_same(&block.name, &expected, &found);
        // Nobody else has a value.
        let cells = chunk.cells(&columns[3]).unwrap();
        assert_eq!(naive::at(cells, 0), vivace_traceql::Static::Nil);
        let mut none = open(&block, 0, 0..2);
        load_all(&mut none, &columns, Some(&Bitmap::empty(2)));
        assert_eq!(
            naive::at(none.cells(&columns[3]).unwrap(), 0),
            vivace_traceql::Static::Nil
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_batches(
        seed: u64,
        traces in 1..40_u64,
        row_group_bytes in prop_oneof![Just(100_000_000_u64), 200..20_000_u64],
        spans in 1..200_u32,
        is_v5: bool,
    ) {
        let format = if is_v5 { Format::VParquet5 } else { Format::VParquet4 };
        let batch = Random(seed).batch(traces);
        check(&written(format, &[batch], row_group_bytes), &[u32::MAX, spans]);
    }
}

#[test]
fn few_requests_for_all_columns() {
    let batch = Random(5).batch(50);
    let block = written(Format::VParquet5, &[batch], 100_000_000);
    let keys = naive::keys(&block.traces());
    let rows = block.open.row_groups()[0].rows;
    let mut chunk = open(&block, 0, 0..rows);
    block.file.requests.set(0);
    // Whether there are such keys, then the rest.
    now(chunk.load(&naive::columns(&keys), None)).unwrap();
    assert!(block.file.requests.get() <= 2);
    let read = chunk.bytes_read();
    now(chunk.load(&naive::columns(&keys), None)).unwrap();
    assert_eq!(read, chunk.bytes_read());
}

/// Of keys that a row group does not have nothing but the dictionary of keys is read.
#[test]
fn keys_that_are_not_there_cost_nothing() {
    let batch = Random(6).batch(2000);
    let block = written(Format::VParquet5, &[batch], 100_000_000);
    let rows = block.open.row_groups()[0].rows;
    let missing = Column::Attribute(Level::Span, "no such key".into());
    let mut chunk = open(&block, 0, 0..rows);
    let opened = chunk.bytes_read();
    block.file.requests.set(0);
    now(chunk.load(std::slice::from_ref(&missing), None)).unwrap();
    assert!(chunk.cells(&missing).unwrap().is_empty());
    assert_eq!(block.file.requests.get(), 1);
    assert!(chunk.bytes_read() - opened < 1000);
    assert!(now(chunk.strings_of(&missing)).unwrap().unwrap().is_empty());
    assert_eq!(block.file.requests.get(), 2);
}
