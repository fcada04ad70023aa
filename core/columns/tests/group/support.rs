//! Blocks in memory.

#[path = "../../../block_reader/tests/support/random.rs"]
#[allow(dead_code, reason = "shared with others, who use all of it")]
pub mod random;
#[path = "../../../block_reader/tests/support/rewrite.rs"]
pub mod rewrite;
#[path = "../../../block_reader/tests/support/written.rs"]
pub mod written;

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use uuid::Uuid;
use vivace_block::dedicated::{ColumnOption, DedicatedColumn, Kind, Scope, default_columns};
use vivace_block::{BlockMeta, Format};
use vivace_block_reader::{OpenBlock, Ranges};
use vivace_block_writer::Options;
use vivace_model::SpanBatch;

/// A file in memory, which counts what is asked of it.
pub struct Memory {
    pub bytes: Bytes,
    pub requests: Cell<u32>,
}

impl Ranges for Memory {
    type Error = Infallible;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        self.requests.set(self.requests.get() + 1);
        let len = self.bytes.len() as u64;
        let (start, end) = (range.start.min(len), range.end.min(len));
        Ok(self.bytes.slice(start as usize..end as usize))
    }
}

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

pub struct Block {
    pub name: String,
    pub meta: BlockMeta,
    pub file: Memory,
    pub open: Arc<OpenBlock>,
}

impl Block {
    pub fn new(name: &str, meta: BlockMeta, data: Bytes) -> Self {
        let file = Memory {
            bytes: data,
            requests: Cell::new(0),
        };
        let open = Arc::new(now(OpenBlock::open(&meta, &file)).unwrap());
        Self {
            name: name.to_owned(),
            meta,
            file,
            open,
        }
    }

    /// Traces with spans.
    pub fn traces(&self) -> Vec<SpanBatch> {
        let mut traces = self.open.traces(&self.file);
        let mut all = Vec::new();
        while let Some(batch) = now(traces.next(async || {})).unwrap() {
            all.push(batch);
        }
        all
    }
}

/// The recorded blocks beside the project; none where they are not there.
pub fn recorded() -> Vec<Block> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/blocks");
    let block = |format: &str| {
        let tenant = folder.join(format).join("single-tenant");
        let block = std::fs::read_dir(tenant).ok()?.next()?.unwrap().path();
        let meta = std::fs::read(block.join("meta.json")).unwrap();
        let data = std::fs::read(block.join("data.parquet")).unwrap();
        let meta = BlockMeta::from_json(&meta).unwrap();
        Some(Block::new(format, meta, data.into()))
    };
    ["vParquet4", "vParquet5"]
        .into_iter()
        .filter_map(block)
        .collect()
}

/// Tempo's columns, and some of events and blobs.
pub fn columns() -> Vec<DedicatedColumn> {
    let mut columns = default_columns();
    let event = DedicatedColumn::new(Scope::Event, "exception.type", Kind::String);
    let mut blob = DedicatedColumn::new(Scope::Span, "key 1", Kind::String);
    blob.options.push(ColumnOption::Blob);
    let mut array = DedicatedColumn::new(Scope::Resource, "key 2", Kind::Int);
    array.options.push(ColumnOption::Array);
    columns.extend([event, blob, array]);
    columns
}

pub fn written(format: Format, batches: &[SpanBatch], row_group_bytes: u64) -> Block {
    let mut options = Options::new(format, "tenant", Uuid::from_u128(7));
    options.dedicated = columns();
    options.row_group_bytes = row_group_bytes;
    let (built, data) = written::write(batches, &options);
    Block::new(&format!("written {format}"), built.meta, data)
}
