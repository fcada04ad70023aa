//! What the block builder needs of others.

use std::any::Any;
use std::ops::Range;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_model::SpanBatch;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A record of the log.
#[derive(Debug)]
pub enum Record {
    Spans {
        tenant: Box<str>,
        batch: SpanBatch,
    },
    /// Bytes that are no record this version can read.
    Undecodable {
        offset: u64,
        payload: Bytes,
        why: String,
    },
}

/// The records of a section.
pub struct Records {
    pub all: Vec<Record>,
    /// Whatever was done to make room for them; dropped when they are.
    pub room: Box<dyn Any>,
}

/// The log of the shard's partitions, and the live copies of its records.
pub trait Source {
    /// A number of the log's own: with another log, equal offsets are other records.
    fn log_id(&self) -> u64;

    /// Makes durable that the section that begins at the committed offset will end at `to`: whatever happens, the next
    /// attempt cuts it alike, so that its blocks have the same names and the same content.
    fn plan(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, Result<(), BoxError>>;

    /// The records with these offsets, in order. Gaps come from damage only.
    fn read(
        &self,
        partition: u32,
        offsets: Range<u64>,
    ) -> LocalBoxFuture<'_, Result<Records, BoxError>>;

    /// Makes durable that everything below `to` is in blocks: the log need not keep it.
    fn commit(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, Result<(), BoxError>>;

    /// Lookups find everything below `to` in blocks: the live copies may go.
    fn release(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, ()>;
}

/// An object on its way; it appears when it is finished. Dropping it gives it up.
pub trait UploadStream {
    fn write(&mut self, bytes: Bytes) -> LocalBoxFuture<'_, Result<(), BoxError>>;
    fn finish(self: Box<Self>) -> LocalBoxFuture<'static, Result<(), BoxError>>;
}

/// Where blocks go.
pub trait Bucket {
    /// The meta of a block that is there, live or compacted.
    fn existing<'a>(
        &'a self,
        tenant: &'a str,
        block: Uuid,
    ) -> LocalBoxFuture<'a, Result<Option<BlockMeta>, BoxError>>;

    /// Begins a large object.
    fn upload<'a>(
        &'a self,
        key: &'a str,
    ) -> LocalBoxFuture<'a, Result<Box<dyn UploadStream>, BoxError>>;

    /// Writes a small object, durably.
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> LocalBoxFuture<'a, Result<(), BoxError>>;

    /// From now on every lookup of this process sees the block.
    fn publish(&self, meta: BlockMeta);
}
