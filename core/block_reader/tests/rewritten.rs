//! The columns of Tempo's blocks, written again by the `parquet` crate in every way that it has: the same traces.

mod support;

use parquet::basic::Encoding;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use support::{Memory, conformance, load, now, rewrite, written};
use uuid::Uuid;
use vivace_block::Format;
use vivace_block::schema::Physical;
use vivace_block_reader::OpenBlock;
use vivace_block_reader::limits::REQUEST_BYTES;
use vivace_block_writer::Options;
use vivace_model::SpanBatch;

fn all(block: &OpenBlock, file: &Memory) -> Vec<SpanBatch> {
    let mut traces = block.traces(file);
    let mut out = Vec::new();
    while let Some(batch) = now(traces.next(async || {})).unwrap() {
        out.push(batch);
    }
    out
}

/// Gives each leaf the encoding of its type.
fn encode(
    block: &OpenBlock,
    mut properties: WriterPropertiesBuilder,
    of: impl Fn(Physical) -> Encoding,
) -> WriterPropertiesBuilder {
    for leaf in block.leaves() {
        let path: Vec<String> = leaf.path.split('.').map(str::to_owned).collect();
        properties = properties.set_column_encoding(path.into(), of(leaf.physical));
    }
    properties.set_dictionary_enabled(false)
}

fn variants(block: &OpenBlock, version: WriterVersion) -> Vec<WriterPropertiesBuilder> {
    let new = || WriterProperties::builder().set_writer_version(version);
    let small = |properties: WriterPropertiesBuilder| {
        properties
            .set_data_page_size_limit(2000)
            .set_write_batch_size(50)
    };
    let delta = |physical| match physical {
        Physical::ByteArray => Encoding::DELTA_BYTE_ARRAY,
        Physical::Int32 | Physical::Int64 => Encoding::DELTA_BINARY_PACKED,
        Physical::Double => Encoding::BYTE_STREAM_SPLIT,
        Physical::Boolean => Encoding::RLE,
    };
    let split = |physical| match physical {
        Physical::ByteArray => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Physical::Int32 | Physical::Int64 | Physical::Double => Encoding::BYTE_STREAM_SPLIT,
        Physical::Boolean => Encoding::PLAIN,
    };
    vec![
        new(),
        small(new()),
        small(new()).set_offset_index_disabled(true),
        new()
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true),
        // Falls back from codes to values in the middle of a chunk.
        small(new()).set_dictionary_page_size_limit(300),
        encode(block, small(new()), |_| Encoding::PLAIN),
        encode(block, small(new()), delta),
        encode(block, new(), split),
    ]
}

#[test]
fn every_encoding_page_version_and_page_size() {
    let Some((meta, data)) = conformance::block("vParquet5") else {
        return;
    };
    let file = Memory::new(data.clone());
    let block = now(OpenBlock::open(&meta, &file)).unwrap();
    let expected = all(&block, &file);
    assert_eq!(expected.len() as u64, meta.total_objects);
    let columns = rewrite::columns(&block, &file);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (number, properties) in variants(&block, version).into_iter().enumerate() {
            let name = format!("{version:?} variant {number}");
            let properties = properties.build();
            let (meta, data) = rewrite::write(&meta, &data, &columns, properties, 3);
            let file = Memory::new(data);
            let block = now(OpenBlock::open(&meta, &file)).expect(&name);
            assert_eq!(block.row_groups().len(), 3);
            let read = all(&block, &file);
            assert!(same(&expected, &read), "{name}");
            for batch in expected.iter().step_by(97) {
                let id = batch.view().trace_run(0).0;
                let found = now(block.find_trace(id, &file, async || {})).expect(&name);
                assert_eq!(
                    found.unwrap().batch.as_bytes(),
                    batch.as_bytes(),
                    "{name} {id}"
                );
            }
        }
    }
}

fn same(a: &[SpanBatch], b: &[SpanBatch]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.as_bytes() == b.as_bytes())
}

/// A row group of which not all is read: with bounds of the ids in one step, without them the ids first.
#[test]
fn parts_of_a_large_row_group() {
    let options = Options::new(Format::VParquet5, "tenant", Uuid::nil());
    let (built, data) = written::write(&[load::batch(7, 150_000)], &options);
    let file = Memory::new(data.clone());
    let block = now(OpenBlock::open(&built.meta, &file)).unwrap();
    let expected = all(&block, &file);
    let columns = rewrite::columns(&block, &file);
    for statistics in [EnabledStatistics::Page, EnabledStatistics::Chunk] {
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_data_page_size_limit(20_000)
            .set_write_batch_size(500)
            .set_statistics_enabled(statistics);
        let properties = encode(&block, properties, |_| Encoding::PLAIN).build();
        let (meta, data) = rewrite::write(&built.meta, &data, &columns, properties, 1);
        let file = Memory::new(data);
        let block = now(OpenBlock::open(&meta, &file)).unwrap();
        let whole = block.row_groups()[0].range();
        let whole = whole.end - whole.start;
        assert!(whole > 8 * REQUEST_BYTES, "{whole}");
        for batch in expected.iter().step_by(1531) {
            let id = batch.view().trace_run(0).0;
            file.requests.set(0);
            let steps = file.steps.get();
            let found = now(block.find_trace(id, &file, async || {}))
                .unwrap()
                .unwrap();
            assert_eq!(found.batch.as_bytes(), batch.as_bytes(), "{id}");
            assert_eq!(found.requests, file.requests.get());
            let expected = match statistics {
                EnabledStatistics::Page => 1,
                _ => 2,
            };
            assert_eq!(file.steps.get() - steps, expected);
            assert!((2..=12).contains(&found.requests), "{}", found.requests);
            assert!(
                found.bytes_read < whole * 7 / 8,
                "{} of {whole}",
                found.bytes_read
            );
        }
        assert!(same(&expected, &all(&block, &file)));
    }
}
