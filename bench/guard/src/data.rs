//! The spans that all loops run over: the same ones each time.

use std::convert::Infallible;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;
use vivace_bench::data::varied::{Window, chunk};
use vivace_block::Format;
use vivace_block_reader::{OpenBlock, Ranges};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_model::SpanBatch;
use vivace_protocol::otlp::{ScanOptions, Scanner};

use crate::limits::CHUNKS;
use crate::loops::Failure;

const SEED: u64 = 11;
/// An hour of 2027.
pub const WINDOW: Window = Window {
    from: 1_800_000_000_000_000_000,
    to: 1_800_003_600_000_000_000,
};
pub const TENANT: &str = "single-tenant";
pub const SCAN: ScanOptions = ScanOptions {
    max_attribute_bytes: 2048,
    partitions: 2,
};

/// Runs a future that never waits.
pub fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// Encoded OTLP requests.
pub fn requests() -> Vec<Vec<u8>> {
    (0..CHUNKS)
        .flat_map(|number| chunk(SEED, number, WINDOW.part(number, CHUNKS)))
        .collect()
}

/// The same spans as batches, one or two for each request.
pub fn batches() -> Result<Vec<SpanBatch>, Failure> {
    let mut scanner = Scanner::new();
    let mut all = Vec::new();
    for request in requests() {
        let scanned = scanner.scan(TENANT, &request, &SCAN)?;
        all.extend(scanned.batches.into_iter().map(|(_, batch)| batch));
    }
    Ok(all)
}

pub fn spans(batches: &[SpanBatch]) -> u64 {
    batches
        .iter()
        .map(|batch| batch.view().span_count() as u64)
        .sum()
}

/// A file in memory.
#[derive(Default)]
pub struct File {
    written: BytesMut,
    bytes: Bytes,
}

impl Sink for File {
    type Error = Infallible;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        self.written.extend_from_slice(&bytes);
        Ok(())
    }
}

impl Ranges for File {
    type Error = Infallible;

    /// The reader asks for nothing that its own footer does not name.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

/// A block with all spans in one row group, open.
pub struct Block {
    pub open: Arc<OpenBlock>,
    pub file: File,
}

pub fn options() -> Options {
    Options::new(Format::VParquet5, TENANT, Uuid::from_u128(7))
}

pub fn block() -> Result<Block, Failure> {
    let mut file = File::default();
    let built = now(write_block(&batches()?, &options(), &mut file, async || {}))?;
    file.bytes = file.written.split().freeze();
    let open = Arc::new(now(OpenBlock::open(&built.meta, &file))?);
    Ok(Block { open, file })
}
