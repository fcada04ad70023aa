//! Blocks of our own writer, in memory.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use vivace_block_writer::{Built, Options, Sink, write_block};
use vivace_model::SpanBatch;

use super::now;

#[derive(Default)]
struct Buffer(BytesMut);

impl Sink for Buffer {
    type Error = Infallible;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

/// The block and its `data.parquet`.
pub fn write(batches: &[SpanBatch], options: &Options) -> (Built, Bytes) {
    let mut sink = Buffer::default();
    let built = now(write_block(batches, options, &mut sink, async || {})).unwrap();
    (built, sink.0.freeze())
}
