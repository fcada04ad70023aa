//! The same spans as live data and as blocks.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;
use vivace_block::Format;
use vivace_block::dedicated::{DedicatedColumn, Kind, Scope};
use vivace_block_reader::{OpenBlock, Ranges};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_columns::{Chunk, ChunkMemory, Column, GroupChunk};
use vivace_model::SpanBatch;
use vivace_traceql::Intrinsic;

use crate::data::{Data, Trace};

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

/// A file in memory.
#[derive(Default)]
pub struct File {
    written: BytesMut,
    bytes: Bytes,
    reads: Cell<u32>,
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

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

pub struct Block {
    open: Arc<OpenBlock>,
    file: File,
}

/// Attributes that blocks have columns for: `d` and `n` on spans, `d` on resources, `d` on events.
pub fn dedicated_columns() -> Vec<DedicatedColumn> {
    vec![
        DedicatedColumn::new(Scope::Span, "d", Kind::String),
        DedicatedColumn::new(Scope::Span, "n", Kind::Int),
        DedicatedColumn::new(Scope::Resource, "d", Kind::String),
        DedicatedColumn::new(Scope::Event, "d", Kind::String),
    ]
}

impl Block {
    pub fn write(batch: &SpanBatch, format: Format) -> Self {
        let mut file = File::default();
        let mut options = Options::new(format, "tenant", Uuid::from_u128(7));
        options.dedicated = dedicated_columns();
        options.zstd_level = 1;
        let batches = std::slice::from_ref(batch);
        let built = now(write_block(batches, &options, &mut file, async || {})).unwrap();
        file.bytes = file.written.split().freeze();
        let open = Arc::new(now(OpenBlock::open(&built.meta, &file)).unwrap());
        assert_eq!(open.row_groups().len(), 1);
        Self { open, file }
    }

    pub fn chunk(&self) -> GroupChunk<&File, impl AsyncFn()> {
        let rows = 0..self.open.row_groups()[0].rows;
        let (block, file) = (self.open.clone(), &self.file);
        now(GroupChunk::open(
            block,
            0,
            rows,
            file,
            ChunkMemory::alone(1 << 30),
            async || {},
        ))
        .unwrap()
    }
}

/// The traces with their spans in the order of a chunk.
pub fn in_order_of<C: Chunk>(data: &Data, mut chunk: C) -> Data {
    let columns = [Intrinsic::SpanId, Intrinsic::Kind].map(Column::Intrinsic);
    now(chunk.load(&columns, None)).unwrap();
    now(chunk.load_trace_ids()).unwrap();
    let number = |column: usize, span| chunk.cells(&columns[column]).unwrap().get(span).1;
    let ids = chunk.trace_ids().unwrap();
    let mut traces = Vec::new();
    for (trace, id) in ids.iter().enumerate() {
        let of_data = data.traces.iter().find(|trace| trace.id == id.0).unwrap();
        let span_at = |span: u32| {
            let (id, kind) = (number(0, span), number(1, span));
            let is_it = |one: &&crate::data::Span| one.id == id && one.kind as u64 == kind;
            of_data.spans.iter().find(is_it).unwrap().clone()
        };
        let spans: Vec<_> = chunk.shape().spans_of(trace as u32).map(span_at).collect();
        assert_eq!(spans.len(), of_data.spans.len());
        traces.push(Trace { id: id.0, spans });
    }
    assert_eq!(traces.len(), data.traces.len());
    Data {
        resources: data.resources.clone(),
        scopes: data.scopes.clone(),
        traces,
    }
}
