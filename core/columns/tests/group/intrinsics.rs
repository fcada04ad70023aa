//! What assembled traces don't have: numbers of the tree, columns of traces, statistics.

use std::collections::{BTreeMap, BTreeSet};

use vivace_block::Format;
use vivace_columns::{Chunk, Column, ServiceStats};
use vivace_model::{SpanBatch, TraceId};
use vivace_traceql::{Intrinsic, Static};

use crate::naive::at;
use crate::support::random::Random;
use crate::support::{Block, now, recorded, written};
use crate::walk::open;

const TREE: [Intrinsic; 4] = [
    Intrinsic::NestedSetLeft,
    Intrinsic::NestedSetRight,
    Intrinsic::NestedSetParent,
    Intrinsic::ChildCount,
];

/// By trace, span id and kind: numbers of the tree.
type Trees = BTreeMap<(TraceId, String, String), Vec<Static>>;

fn trees(block: &Block) -> Trees {
    let mut all = Trees::new();
    for (group, at_group) in block.open.row_groups().iter().enumerate() {
        let mut chunk = open(block, group, 0..at_group.rows);
        let mut columns: Vec<Column> = TREE.map(Column::Intrinsic).into();
        columns.push(Column::Intrinsic(Intrinsic::SpanId));
        columns.push(Column::Intrinsic(Intrinsic::Kind));
        now(chunk.load(&columns, None)).unwrap();
        now(chunk.load_trace_ids()).unwrap();
        for trace in 0..chunk.shape().traces() {
            let id = chunk.trace_ids().unwrap()[trace as usize];
            for span in chunk.shape().spans_of(trace) {
                let of = |column: &Column| at(chunk.cells(column).unwrap(), span);
                let values = columns[..4].iter().map(of).collect();
                let key = (
                    id,
                    format!("{:?}", of(&columns[4])),
                    format!("{:?}", of(&columns[5])),
                );
                all.insert(key, values);
            }
        }
    }
    all
}

#[test]
fn both_versions_have_the_same_tree() {
    let batch = Random(21).batch(60);
    let blocks = [Format::VParquet4, Format::VParquet5];
    let [four, five] =
        blocks.map(|format| trees(&written(format, std::slice::from_ref(&batch), 5000)));
    assert_eq!(four.len(), batch.view().span_count());
    let children = |values: &Vec<Static>| values[3] != Static::Int(0);
    assert!(five.values().any(children));
    assert_eq!(four, five);
    if let [four, five] = &recorded()[..] {
        let (four, five) = (trees(four), trees(five));
        assert!(four.len() > 1000 && five.values().any(children));
        assert_eq!(four.len(), five.len());
        // Where there is no root Tempo stores numbers of children that are none of the trace's.
        let has_numbers = |(_, values): &(_, &Vec<Static>)| values[0] != Static::Int(0);
        let with_root: BTreeSet<TraceId> = four
            .iter()
            .filter(has_numbers)
            .map(|(key, _)| key.0)
            .collect();
        for (key, values) in four.iter().filter(|(key, _)| with_root.contains(&key.0)) {
            // Spans that start together stand in another order, so that the other numbers differ.
            assert_eq!(values[3], five[key][3], "{key:?}");
        }
    }
}

fn of_trace(batch: &SpanBatch) -> (u64, u64, BTreeMap<String, (u32, u32)>) {
    let view = batch.view();
    let start = view
        .spans()
        .map(|span| span.start_unix_nano())
        .min()
        .unwrap();
    let end = view.spans().map(|span| span.end_unix_nano()).max().unwrap();
    let mut stats: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for span in view.spans() {
        let mut attributes = span.resource().attributes();
        let name = attributes.find_map(|(key, value)| match (key, value) {
            ("service.name", vivace_model::ValueView::String(text)) => Some(text.to_owned()),
            _ => None,
        });
        let of_service = stats.entry(name.unwrap_or_default()).or_default();
        of_service.0 += 1;
        of_service.1 += u32::from(span.status_code() == 2);
    }
    (start, end, stats)
}

#[test]
fn columns_and_statistics_of_traces() {
    let batch = Random(22).batch(60);
    let formats = [Format::VParquet4, Format::VParquet5];
    let mut blocks: Vec<Block> = formats
        .map(|format| written(format, std::slice::from_ref(&batch), 3000))
        .into();
    blocks.extend(recorded());
    for block in blocks {
        let mut traces = block.traces().into_iter();
        for (group, at_group) in block.open.row_groups().iter().enumerate() {
            let mut chunk = open(&block, group, 0..at_group.rows);
            let columns = [
                Column::TraceStart,
                Column::TraceEnd,
                Column::Intrinsic(Intrinsic::TraceDuration),
                Column::Intrinsic(Intrinsic::TraceRootName),
                Column::Intrinsic(Intrinsic::TraceRootService),
            ];
            now(chunk.load(&columns, None)).unwrap();
            for trace in 0..at_group.rows {
                let of = |column: usize| at(chunk.cells(&columns[column]).unwrap(), trace);
                let expected = traces.next().unwrap();
                let (start, end, stats) = of_trace(&expected);
                assert_eq!(of(0), Static::Int(start.cast_signed()), "{}", block.name);
                assert_eq!(of(1), Static::Int(end.cast_signed()), "{}", block.name);
                assert_eq!(
                    of(2),
                    Static::Duration((end - start).cast_signed()),
                    "{}",
                    block.name
                );
                let view = expected.view();
                let names: Vec<Static> = view
                    .spans()
                    .filter(|span| span.parent_span_id().is_none())
                    .map(|span| Static::String(span.name().into()))
                    .chain([Static::String("".into())])
                    .collect();
                assert!(names.contains(&of(3)), "{}", block.name);
                assert!(matches!(of(4), Static::String(_)));
                let found = now(chunk.service_stats(trace)).unwrap();
                let expected: Vec<ServiceStats> = stats
                    .into_iter()
                    .map(|(service, (spans, errors))| ServiceStats {
                        service: service.into(),
                        spans,
                        errors,
                    })
                    .collect();
                assert_eq!(found, expected, "{}", block.name);
            }
        }
        assert!(traces.next().is_none());
    }
}
