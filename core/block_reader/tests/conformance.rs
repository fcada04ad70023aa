//! Tempo's own blocks: every trace, equal to what was sent and to what Tempo answered.

mod support;

use support::canonical::{answer, answer_of, spans};
use support::{Memory, conformance, now};
use vivace_block_reader::{OpenBlock, Ranges};
use vivace_model::TraceId;

fn open(meta: &vivace_block::BlockMeta, ranges: &Memory) -> OpenBlock {
    now(OpenBlock::open(meta, ranges)).unwrap()
}

fn find(
    block: &OpenBlock,
    ranges: &impl Ranges,
    id: TraceId,
) -> Option<vivace_block_reader::Found> {
    now(block.find_trace(id, ranges, async || {})).unwrap()
}

const FORMATS: [&str; 2] = ["vParquet4", "vParquet5"];

#[test]
fn every_trace_is_as_it_was_sent() {
    let blocks: Vec<_> = FORMATS.into_iter().filter_map(conformance::block).collect();
    if blocks.is_empty() {
        return;
    }
    let batches = conformance::batches();
    let traces = conformance::traces(&batches);
    let opened: Vec<_> = blocks
        .into_iter()
        .map(|(meta, data)| {
            let ranges = Memory::new(data);
            (open(&meta, &ranges), ranges)
        })
        .collect();
    for (block, _) in &opened {
        assert_eq!(block.rows(), traces.len() as u64);
    }
    for (id, fragments) in &traces {
        let expected = spans(&answer(fragments));
        for (block, ranges) in &opened {
            let found = find(block, ranges, *id).unwrap_or_else(|| panic!("{id}"));
            assert_eq!(
                expected,
                spans(&answer_of(&found.batch)),
                "{} {id}",
                block.format()
            );
        }
    }
}

#[test]
fn recorded_answers() {
    for format in FORMATS {
        let Some((meta, data)) = conformance::block(format) else {
            return;
        };
        let ranges = Memory::new(data);
        let block = open(&meta, &ranges);
        let answers = conformance::trace_answers();
        assert!(answers.len() >= 60);
        for (path, expected) in answers {
            let id = path.rsplit('/').next().unwrap().parse().unwrap();
            let found = find(&block, &ranges, id).unwrap_or_else(|| panic!("{format} {path}"));
            assert_eq!(
                spans(&expected),
                spans(&answer_of(&found.batch)),
                "{format} {path}"
            );
        }
    }
}

#[test]
fn ids_that_are_not_there() {
    for format in FORMATS {
        let Some((meta, data)) = conformance::block(format) else {
            return;
        };
        let ranges = Memory::new(data);
        let block = open(&meta, &ranges);
        for byte in 0..=255 {
            let id = TraceId([byte; 16]);
            assert!(find(&block, &ranges, id).is_none(), "{format} {id}");
        }
    }
}

#[test]
fn a_cold_look_up_takes_two_requests() {
    for format in FORMATS {
        let Some((meta, data)) = conformance::block(format) else {
            return;
        };
        let ranges = Memory::new(data);
        let block = open(&meta, &ranges);
        let id = TraceId::from_hex("76469e66e2f3f596").unwrap();
        let found = find(&block, &ranges, id).unwrap();
        assert_eq!(ranges.requests.get(), 2);
        assert_eq!((block.opening_cost().1, found.requests), (1, 1));
        assert_eq!(
            block.opening_cost().0 + found.bytes_read,
            ranges.bytes_read.get()
        );
    }
}
