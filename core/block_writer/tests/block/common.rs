//! Making batches and blocks.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;
use vivace_block::Format;
use vivace_block::dedicated::{ColumnOption, DedicatedColumn, Kind, Scope, default_columns};
use vivace_block_writer::{Built, Options, Sink, write_block};
use vivace_model::{SpanBatch, SpanBatchBuilder};
use vivace_protocol::otlp::{ScanOptions, Scanner};

use crate::support::{self, Span};

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

pub fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")
}

/// A sink in memory.
#[derive(Default)]
pub struct File {
    pub bytes: Vec<u8>,
    pub appends: usize,
    /// Fails at this append.
    pub fails_at: Option<usize>,
}

impl Sink for File {
    type Error = String;

    async fn append(&mut self, bytes: Bytes) -> std::result::Result<(), String> {
        if self.fails_at == Some(self.appends) {
            return Err("the disk is full".to_owned());
        }
        self.appends += 1;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Runs a future that waits for nothing.
pub fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

pub fn options(format: Format) -> Options {
    Options::new(format, "single-tenant", Uuid::from_u128(7))
}

/// The default columns, and of every kind that they are not.
pub fn many_columns() -> Vec<DedicatedColumn> {
    let mut columns = default_columns();
    columns.push(DedicatedColumn {
        options: vec![ColumnOption::Blob],
        ..DedicatedColumn::new(Scope::Span, "big.blob", Kind::String)
    });
    columns.extend([
        DedicatedColumn::new(Scope::Event, "exception.type", Kind::String),
        DedicatedColumn::new(Scope::Event, "exception.code", Kind::Int),
        DedicatedColumn::new(Scope::Resource, "host.cpus", Kind::Int),
    ]);
    columns
}

pub fn write(batches: &[SpanBatch], options: &Options) -> (Built, Bytes) {
    let mut file = File::default();
    let built = finish(write_block(batches, options, &mut file, async || {}));
    (built.unwrap(), Bytes::from(file.bytes))
}

pub fn scan(request: &[u8]) -> Vec<SpanBatch> {
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions: 1,
    };
    let scanned = Scanner::new().scan("single-tenant", request, &options);
    let batches = scanned.unwrap().batches;
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// The spans of the conformance data.
pub fn conformance() -> Vec<SpanBatch> {
    let read = |number| {
        let path = shared().join(format!("conformance/otlp/{number:04}.pb"));
        std::fs::read(path).unwrap()
    };
    (0..28).flat_map(|number| scan(&read(number))).collect()
}

/// `data.parquet` of Tempo's block with the same spans.
pub fn tempo(format: Format) -> PathBuf {
    let folder = shared().join("conformance/blocks").join(format.as_str());
    let block = std::fs::read_dir(folder.join("single-tenant"))
        .unwrap()
        .next();
    block.unwrap().unwrap().path().join("data.parquet")
}

pub fn batch(spans: &[Span]) -> SpanBatch {
    let mut builder = SpanBatchBuilder::new();
    spans
        .iter()
        .for_each(|span| support::put(&mut builder, span));
    builder.finish().unwrap()
}
