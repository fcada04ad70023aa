//! What our writer wrote, read back: every trace, equal in everything that the format keeps.

mod support;

use proptest::prelude::*;
use support::canonical::{answer_of, spans};
use support::random::Random;
use support::{Memory, now, written};
use uuid::Uuid;
use vivace_block::dedicated::{DedicatedColumn, Kind, Scope, default_columns};
use vivace_block::{Format, index::RowGroupIndex};
use vivace_block_reader::OpenBlock;
use vivace_block_writer::Options;
use vivace_model::{SpanBatch, SpanBatchBuilder, TraceId};

/// One trace of a batch as a batch of its own.
fn only(batch: &SpanBatch, id: TraceId) -> SpanBatch {
    let view = batch.view();
    let mut builder = SpanBatchBuilder::new();
    builder
        .append_rows(&view, view.find_trace(id).unwrap())
        .unwrap();
    builder.finish().unwrap()
}

fn check(format: Format, seed: u64, traces: u64, row_group_bytes: u64) {
    let batch = Random(seed).batch(traces);
    let mut options = Options::new(format, "tenant", Uuid::from_u128(seed.into()));
    options.dedicated = default_columns();
    options.dedicated.push(DedicatedColumn::new(
        Scope::Event,
        "exception.type",
        Kind::String,
    ));
    options.row_group_bytes = row_group_bytes;
    let (built, data) = written::write(std::slice::from_ref(&batch), &options);
    let file = Memory::new(data);
    let mut block = now(OpenBlock::open(&built.meta, &file)).unwrap();
    block.use_index(RowGroupIndex::parse(&built.index).unwrap().last_ids());
    let mut all = block.traces(&file);
    for (id, _) in batch.view().trace_runs() {
        let expected = spans(&answer_of(&only(&batch, id)));
        let found = now(block.find_trace(id, &file, async || {}))
            .unwrap()
            .unwrap();
        assert_eq!(expected, spans(&answer_of(&found.batch)), "{format} {id}");
        let next = now(all.next(async || {})).unwrap().unwrap();
        assert_eq!(next.as_bytes(), found.batch.as_bytes(), "{format} {id}");
    }
    assert!(now(all.next(async || {})).unwrap().is_none());
    assert!(
        now(block.find_trace(TraceId([7; 16]), &file, async || {}))
            .unwrap()
            .is_none()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_batches(
        seed: u64,
        traces in 1..40_u64,
        row_group_bytes in prop_oneof![Just(100_000_000_u64), 200..20_000_u64],
        is_v5: bool,
    ) {
        let format = if is_v5 { Format::VParquet5 } else { Format::VParquet4 };
        check(format, seed, traces, row_group_bytes);
    }
}

#[test]
fn many_row_groups() {
    check(Format::VParquet5, 1, 300, 1000);
    check(Format::VParquet4, 2, 300, 1000);
}
