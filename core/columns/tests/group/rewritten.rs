//! Blocks of another writer: pages without checksums, small ones, with and without an offset index, dictionaries for numbers too.

use parquet::file::properties::{WriterProperties, WriterVersion};
use vivace_block::Format;

use crate::support::random::Random;
use crate::support::{Block, rewrite, written};
use crate::walk::check;

pub fn rewritten(format: Format, seed: u64, traces: u64, properties: WriterProperties) -> Block {
    let block = written(format, &[Random(seed).batch(traces)], 100_000_000);
    let columns = rewrite::columns(&block.open, &block.file);
    let (meta, data) = rewrite::write(&block.meta, &block.file.bytes, &columns, properties, 2);
    Block::new(&format!("rewritten {format}"), meta, data)
}

#[test]
fn other_layouts() {
    for format in [Format::VParquet4, Format::VParquet5] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for has_index in [true, false] {
                for has_dictionary in [true, false] {
                    let properties = WriterProperties::builder()
                        .set_writer_version(version)
                        .set_dictionary_enabled(has_dictionary)
                        .set_offset_index_disabled(!has_index)
                        .set_data_page_size_limit(2000)
                        .set_write_batch_size(50)
                        .build();
                    check(&rewritten(format, 51, 60, properties), &[u32::MAX, 40]);
                }
            }
        }
    }
}
