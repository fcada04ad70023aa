//! A batch made of some traces of a chunk says the same of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use vivace_block::Format;
use vivace_columns::{BatchChunk, Chunk, Column, Level, TraceCopy, plan_rows};
use vivace_model::{SpanBatch, SpanBatchBuilder};
use vivace_traceql::Intrinsic;

use crate::naive::{self, Keys, Texts, at};
use crate::support::random::Random;
use crate::support::{Block, now, recorded, written};
use crate::walk::{load_all, open};

/// What follows from other columns; the last four are as the writer took them: the order of siblings, trees without a root.
const FOLLOWING: [Column; 9] = [
    Column::TraceStart,
    Column::TraceEnd,
    Column::Intrinsic(Intrinsic::TraceDuration),
    Column::Intrinsic(Intrinsic::TraceRootName),
    Column::Intrinsic(Intrinsic::TraceRootService),
    Column::Intrinsic(Intrinsic::ChildCount),
    Column::Intrinsic(Intrinsic::NestedSetLeft),
    Column::Intrinsic(Intrinsic::NestedSetRight),
    Column::Intrinsic(Intrinsic::NestedSetParent),
];
const OF_ANY_WRITER: usize = 5;

/// Loaded at once, copied some at a time.
fn copied<C: Chunk>(chunk: &mut C, traces: &[u32], asked: &[Column]) -> Option<SpanBatch> {
    let mut builder = SpanBatchBuilder::new();
    let copy = TraceCopy::new(asked);
    now(copy.load(chunk, traces)).unwrap();
    for some in traces.chunks(7) {
        now(copy.copy(&*chunk, some, &mut builder, &async || {})).unwrap();
    }
    builder.finish()
}

/// Copies the traces that `choose` picks, chunk by chunk, and compares what is said of them.
fn check(
    block: &Block,
    keys: &Keys,
    spans: u32,
    following: &[Column],
    choose: impl Fn(u32) -> bool,
) {
    let mut columns = naive::columns(keys);
    let asked = columns.clone();
    columns.extend_from_slice(following);
    for group in 0..block.open.row_groups().len() {
        for rows in plan_rows(&block.open, group, spans) {
            let mut chunk = open(block, group, rows.clone());
            let traces: Vec<u32> = (0..chunk.shape().traces())
                .filter(|&one| choose(one))
                .collect();
            let Some(batch) = copied(&mut chunk, &traces, &asked) else {
                assert!(traces.is_empty());
                continue;
            };
            // What was loaded for some traces says nothing of others.
            let mut chunk = open(block, group, rows);
            load_all(&mut chunk, &columns, None);
            let mut copied = BatchChunk::new(&batch, async || {});
            load_all(&mut copied, &columns, None);
            let all: Vec<u32> = (0..copied.shape().traces()).collect();
            assert_eq!(all.len(), traces.len());
            let expected = naive::of_chunk(&chunk, keys, &traces);
            naive::assert_same(
                &block.name,
                &expected,
                &naive::of_chunk(&copied, keys, &all),
            );
            naive::assert_same(
                &block.name,
                &said(&chunk, &traces, following),
                &said(&copied, &all, following),
            );
        }
    }
}

/// By trace: what is said of it, and by span of its spans, sorted.
fn said<C: Chunk>(chunk: &C, traces: &[u32], columns: &[Column]) -> Texts {
    let mut texts = Texts::new();
    for &trace in traces {
        let mut of_trace = Vec::new();
        for span in chunk.shape().spans_of(trace) {
            let id = chunk.cells(&Column::Intrinsic(Intrinsic::SpanId)).unwrap();
            let mut text = format!("{:?}", at(id, span));
            for column in columns {
                let owner = if column.level() == Level::Trace {
                    trace
                } else {
                    span
                };
                text += &format!(" {:?}", at(chunk.cells(column).unwrap(), owner));
            }
            of_trace.push(text);
        }
        of_trace.sort();
        texts.insert(chunk.trace_ids().unwrap()[trace as usize], of_trace);
    }
    texts
}

fn keys_of(block: &Block) -> Keys {
    let mut keys = naive::keys(&block.traces());
    keys.insert((Level::Resource, "service.name".to_owned()));
    keys.insert((Level::Span, "no such key".to_owned()));
    keys
}

#[test]
fn recorded_blocks() {
    for block in recorded() {
        let keys = keys_of(&block);
        check(
            &block,
            &keys,
            u32::MAX,
            &FOLLOWING[..OF_ANY_WRITER],
            |trace| trace % 7 == 3,
        );
        check(&block, &keys, 1000, &FOLLOWING[..OF_ANY_WRITER], |_| true);
    }
}

/// Nothing that was not asked for is copied, but for what every copy has.
#[test]
fn only_what_is_asked_for() {
    let block = written(Format::VParquet5, &[Random(3).batch(40)], 100_000_000);
    let rows = 0..block.open.row_groups()[0].rows;
    let mut chunk = open(&block, 0, rows);
    let traces: Vec<u32> = (0..chunk.shape().traces()).collect();
    let asked = [
        Column::Attribute(Level::Span, "http.method".into()),
        Column::Attribute(Level::Event, "key 1".into()),
    ];
    let batch = copied(&mut chunk, &traces, &asked).unwrap();
    let keys = naive::keys(std::slice::from_ref(&batch));
    let expected: BTreeSet<(Level, String)> = [
        (Level::Resource, "service.name"),
        (Level::Span, "http.method"),
        (Level::Event, "key 1"),
    ]
    .map(|(level, key)| (level, key.to_owned()))
    .into();
    assert_eq!(keys, expected);
    for span in batch.view().spans() {
        assert_eq!((span.status_message(), span.trace_state()), ("", ""));
        assert_eq!(span.links().len(), 0);
        assert!(span.events().all(|event| event.name().is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_traces_with_any_keys(
        seed in any::<u64>(),
        version4 in any::<bool>(),
        spans in prop::sample::select(vec![61, 500, u32::MAX]),
        every in 1..5_u32,
        dropped in 0..4_usize,
    ) {
        let format = if version4 { Format::VParquet4 } else { Format::VParquet5 };
        let block = written(format, &[Random(seed).batch(60)], 40_000);
        let keys = keys_of(&block).into_iter().enumerate();
        let keys = keys.filter(|(number, _)| dropped == 0 || number % 4 != dropped);
        let keys: Keys = keys.map(|(_, key)| key).collect();
        check(&block, &keys, spans, &FOLLOWING, |trace| trace % every == 0);
    }
}
