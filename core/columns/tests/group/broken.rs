//! Broken files: an error or some values, never a panic. Limits are kept.
//!
//! `VIVACE_FUZZ_ITERATIONS` sets how many files are tried.

use bytes::Bytes;
use parquet::file::properties::WriterProperties;
use vivace_block::Format;
use vivace_block_reader::{OpenBlock, ReadError};
use vivace_columns::{Chunk, ChunkMemory, Column, GroupChunk, Level, LoadError};
use vivace_traceql::Intrinsic;

use crate::naive;
use crate::rewritten::rewritten;
use crate::support::random::Random;
use crate::support::{Block, Memory, now, recorded, written};
use crate::walk::BUDGET;

fn columns(block: &Block) -> Vec<Column> {
    let mut columns = naive::columns(&naive::keys(&block.traces()));
    columns.extend([
        Column::Intrinsic(Intrinsic::ChildCount),
        Column::Intrinsic(Intrinsic::NestedSetLeft),
        Column::Intrinsic(Intrinsic::TraceRootName),
        Column::TraceStart,
    ]);
    columns
}

async fn read_all(
    block: &Block,
    columns: &[Column],
    data: Vec<u8>,
    budget: usize,
) -> Result<(), LoadError<std::convert::Infallible>> {
    let file = Memory {
        bytes: data.into(),
        requests: Default::default(),
    };
    let open = OpenBlock::open(&block.meta, &file).await?;
    let open = std::sync::Arc::new(open);
    for group in 0..open.row_groups().len() {
        let rows = 0..open.row_groups()[group].rows;
        let chunk = GroupChunk::open(
            open.clone(),
            group,
            rows,
            &file,
            ChunkMemory::alone(budget),
            async || {},
        );
        let mut chunk = chunk.await?;
        // Each on its own: one that is broken must not hide the others.
        let mut result = Ok(());
        for column in columns {
            result = result.and(chunk.load(std::slice::from_ref(column), None).await);
            if let Some(cells) = chunk.cells(column) {
                (0..cells.owners).for_each(|owner| drop(naive::at(cells, owner)));
            }
        }
        result = result.and(chunk.load_trace_ids().await);
        result = result.and(chunk.service_stats(0).await.map(drop));
        for level in [Level::Resource, Level::Span, Level::Event, Level::Link] {
            result = result.and(chunk.load_table(level).await);
            result = result.and(chunk.keys(level).await.map(drop));
        }
        // One fetch may bring more than was reckoned with; then nothing more is read.
        let fetched = chunk.bytes_read() as usize;
        assert!(chunk.memory_bytes() - fetched <= budget);
        result?;
    }
    Ok(())
}

/// Changes some bytes.
fn scramble(data: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(data.len() as u64) as usize;
        match random.below(3) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
            _ => {
                let end = (at + random.below(9) as usize).min(data.len());
                data[at..end].fill(random.next() as u8);
            }
        }
    }
}

#[test]
fn changed_and_cut_bytes() {
    let iterations: u64 =
        std::env::var("VIVACE_FUZZ_ITERATIONS").map_or(150, |text| text.parse().unwrap());
    let mut blocks: Vec<Block> = [Format::VParquet4, Format::VParquet5]
        .map(|format| written(format, &[Random(41).batch(25)], 100_000_000))
        .into();
    blocks.extend(recorded());
    // Without checksums broken levels and values are decoded.
    blocks.extend([Format::VParquet4, Format::VParquet5].map(|format| {
        let properties = WriterProperties::builder().set_data_page_size_limit(2000);
        rewritten(format, 46, 25, properties.set_write_batch_size(50).build())
    }));
    let mut random = Random(42);
    for block in &blocks {
        let columns = columns(block);
        let is_small = block.file.bytes.len() < 1 << 20;
        let mut failed = 0;
        let rounds = if is_small {
            iterations
        } else {
            iterations / 15
        };
        for _ in 0..rounds {
            let mut data = block.file.bytes.to_vec();
            scramble(&mut data, &mut random);
            if random.one_in(10) {
                data.truncate(random.below(data.len() as u64) as usize);
            }
            if let Err(error) = now(read_all(block, &columns, data, BUDGET)) {
                failed += 1;
                let text = error.to_string();
                assert!(text.contains("data.parquet: "), "{text}");
                assert!(!error.is_retryable());
            }
        }
        assert!(failed > 0);
        assert!(now(read_all(block, &columns, block.file.bytes.to_vec(), BUDGET)).is_ok());
    }
}

#[test]
fn too_little_memory() {
    let block = written(Format::VParquet5, &[Random(43).batch(60)], 100_000_000);
    let columns = columns(&block);
    for budget in [0, 1000, 20_000, 100_000] {
        let result = now(read_all(
            &block,
            &columns,
            block.file.bytes.to_vec(),
            budget,
        ));
        let error = result.unwrap_err();
        assert!(matches!(error, LoadError::TooMuch { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("the {budget} bytes")),
            "{error}"
        );
    }
}

#[test]
fn rows_that_are_not_there() {
    let block = written(Format::VParquet5, &[Random(44).batch(5)], 100_000_000);
    let cases = [(0, 0..1000), (7, 0..1)];
    for (group, rows) in cases {
        let opened = GroupChunk::open(
            block.open.clone(),
            group,
            rows,
            &block.file,
            ChunkMemory::alone(BUDGET),
            async || {},
        );
        let error = now(opened).err().unwrap();
        assert!(matches!(error, LoadError::NoRows { .. }), "{error}");
    }
    let empty = GroupChunk::open(
        block.open.clone(),
        0,
        2..2,
        &block.file,
        ChunkMemory::alone(BUDGET),
        async || {},
    );
    assert_eq!(now(empty).unwrap().shape().spans(), 0);
}

#[test]
fn bytes_that_are_missing_are_an_error() {
    let block = written(Format::VParquet5, &[Random(45).batch(5)], 100_000_000);
    let file = Memory {
        bytes: Bytes::new(),
        requests: Default::default(),
    };
    let opened = GroupChunk::open(
        block.open.clone(),
        0,
        0..1,
        &file,
        ChunkMemory::alone(BUDGET),
        async || {},
    );
    let error = now(opened).err().unwrap();
    assert!(
        matches!(error, LoadError::Read(ReadError::Corrupt { .. })),
        "{error}"
    );
}
