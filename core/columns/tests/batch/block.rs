//! What the block writer writes of a batch, read back as columns.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

use bytes::Bytes;
use uuid::Uuid;
use vivace_block::Format;
use vivace_block::schema::Column as Leaf;
use vivace_block_reader::{
    Budget, ByteArrays, Dictionary, Fetched, OpenBlock, Part, Ranges, Values,
};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_columns::{BatchChunk, Chunk, Column, ServiceStats};
use vivace_model::SpanBatch;
use vivace_traceql::Intrinsic;

use crate::common::{Val, finish, load};

#[derive(Default)]
struct File(Vec<u8>);

impl Sink for File {
    type Error = Infallible;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

impl Ranges for File {
    type Error = Infallible;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        let range = range.start as usize..range.end as usize;
        Ok(Bytes::copy_from_slice(&self.0[range]))
    }
}

/// A block in memory.
struct Block {
    file: File,
    open: OpenBlock,
}

impl Block {
    fn write(batch: &SpanBatch) -> Self {
        let mut file = File::default();
        let options = Options::new(Format::VParquet5, "tenant", Uuid::from_u128(7));
        let batches = std::slice::from_ref(batch);
        let built = finish(write_block(batches, &options, &mut file, async || {})).unwrap();
        let open = finish(OpenBlock::open(&built.meta, &file)).unwrap();
        assert_eq!(open.row_groups().len(), 1);
        Self { file, open }
    }

    /// By row, all values of a leaf that every span (every service of the statistics, every trace) has.
    fn leaf<T>(&self, leaf: Leaf, of: impl Fn(&Values, usize) -> T) -> Vec<Vec<T>> {
        let is_it = |other: &vivace_block_reader::Leaf| other.part == Part::Column(leaf);
        let position = self.open.leaves().iter().position(is_it).unwrap();
        let group = &self.open.row_groups()[0];
        let mut fetched = Fetched::default();
        let all = 0..group.rows;
        let (leaves, ranges) = ([position], &self.file);
        let fetch = self
            .open
            .fetch(group, &leaves, all.clone(), ranges, &mut fetched);
        finish(fetch).unwrap();
        let reader = self.open.column(group, position, &fetched).unwrap();
        let page = reader.read(all, &mut Budget::of_trace()).unwrap();
        let values = match page.values {
            Values::Codes(codes) => resolve(&codes, &reader.dictionary().unwrap().unwrap()),
            values => values,
        };
        assert_eq!(page.slots, values.len());
        let mut rows: Vec<Vec<T>> = Vec::new();
        for slot in 0..page.slots {
            if page.rep_levels.get(slot).is_none_or(|level| *level == 0) {
                rows.push(Vec::new());
            }
            rows.last_mut().unwrap().push(of(&values, slot));
        }
        rows
    }

    fn ints(&self, leaf: Leaf) -> Vec<Vec<i64>> {
        self.leaf(leaf, |values, at| values.int(at).unwrap())
    }

    fn texts(&self, leaf: Leaf) -> Vec<Vec<Vec<u8>>> {
        self.leaf(leaf, |values, at| match values {
            Values::Bytes(bytes) => bytes.get(at).unwrap().to_vec(),
            other => panic!("{other:?}"),
        })
    }
}

fn resolve(codes: &[u32], dictionary: &Dictionary) -> Values {
    match dictionary {
        Dictionary::Bytes(bytes) => {
            let texts = codes.iter().map(|code| bytes.get(*code).unwrap());
            Values::Bytes(texts.collect::<ByteArrays>())
        }
        Dictionary::Numbers(values) => {
            let numbers = codes.iter().map(|code| values.int(*code as usize).unwrap());
            Values::I64(numbers.collect())
        }
    }
}

/// Compares what chunk and block must have in common.
pub fn check(batch: &SpanBatch) {
    let block = Block::write(batch);
    let mut chunk = BatchChunk::new(batch, async || {});
    check_traces(&mut chunk, &block);
    check_stats(&mut chunk, &block);
    check_trees(&mut chunk, &block, batch);
}

fn check_traces<P: AsyncFn()>(chunk: &mut BatchChunk<P>, block: &Block) {
    let text = |bytes: Vec<u8>| Some(Val::Text(String::from_utf8(bytes).unwrap()));
    for (leaf, intrinsic) in [
        (Leaf::TraceIdText, Intrinsic::TraceId),
        (Leaf::RootSpanName, Intrinsic::TraceRootName),
        (Leaf::RootServiceName, Intrinsic::TraceRootService),
    ] {
        let expected: Vec<_> = block.texts(leaf).into_iter().flatten().map(text).collect();
        assert_eq!(load(chunk, &Column::Intrinsic(intrinsic)), expected);
    }
    let duration = Column::Intrinsic(Intrinsic::TraceDuration);
    for (leaf, column, of) in [
        (
            Leaf::TraceStartUnixNano,
            Column::TraceStart,
            Val::Int as fn(i64) -> Val,
        ),
        (Leaf::TraceEndUnixNano, Column::TraceEnd, Val::Int),
        (Leaf::TraceDurationNano, duration, Val::Duration),
    ] {
        let numbers = block.ints(leaf).into_iter().flatten();
        let expected: Vec<_> = numbers.map(|number| Some(of(number))).collect();
        assert_eq!(load(chunk, &column), expected, "{column:?}");
    }
}

fn check_stats<P: AsyncFn()>(chunk: &mut BatchChunk<P>, block: &Block) {
    let names = block.texts(Leaf::StatsServiceName);
    let spans = block.ints(Leaf::StatsSpanCount);
    let errors = block.ints(Leaf::StatsErrorCount);
    for (trace, names) in names.into_iter().enumerate() {
        let counts = spans[trace].iter().zip(&errors[trace]);
        let one = |(name, (spans, errors)): (Vec<u8>, (&i64, &i64))| ServiceStats {
            service: String::from_utf8(name).unwrap().into(),
            spans: *spans as u32,
            errors: *errors as u32,
        };
        let expected: Vec<_> = names.into_iter().zip(counts).map(one).collect();
        assert_eq!(finish(chunk.service_stats(trace as u32)).unwrap(), expected);
    }
}

/// Spans are found by id and kind: a block has them in another order.
fn check_trees<P: AsyncFn()>(chunk: &mut BatchChunk<P>, block: &Block, batch: &SpanBatch) {
    let view = batch.view();
    let (ids, kinds) = (block.texts(Leaf::SpanId), block.ints(Leaf::Kind));
    for (leaf, intrinsic) in [
        (Leaf::NestedSetLeft, Intrinsic::NestedSetLeft),
        (Leaf::NestedSetRight, Intrinsic::NestedSetRight),
        (Leaf::ParentId, Intrinsic::NestedSetParent),
        (Leaf::ChildCount, Intrinsic::ChildCount),
    ] {
        let numbers = block.ints(leaf);
        let found = load(chunk, &Column::Intrinsic(intrinsic));
        for (trace, (_, rows)) in view.trace_runs().enumerate() {
            let spans = ids[trace].iter().zip(&kinds[trace]).zip(&numbers[trace]);
            let spans = spans.map(|((id, kind), number)| ((id.clone(), *kind), *number));
            let of_span: BTreeMap<_, _> = spans.collect();
            let mut met = std::collections::BTreeSet::new();
            for row in rows {
                let span = view.span(row);
                let key = (span.span_id().0.to_vec(), i64::from(span.kind()));
                let expected = Some(Val::Int(of_span[&key]));
                assert_eq!(found[row], expected, "{intrinsic:?} of row {row}");
                met.insert(key);
            }
            assert_eq!(met.len(), of_span.len());
        }
    }
}
