//! The live store's way to the log: replay at start, and reading back what it no longer holds.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_block_builder::BlockBuilder;
use vivace_ingest_log::{Error as LogError, Handle as Log, Reader};
use vivace_live_store::{BoxError, RecordReader, RecordSource};

/// Reads single records.
pub struct LogReader(pub Log);

impl RecordReader for LogReader {
    fn read(
        &self,
        partition: u32,
        offset: u64,
    ) -> LocalBoxFuture<'_, Result<Option<Bytes>, BoxError>> {
        async move {
            match self.0.read_one(partition, offset).await {
                Ok(entry) => Ok(Some(entry.payload)),
                Err(LogError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        .boxed_local()
    }
}

/// All records of a partition from some offset on, until its end at this moment. The block builder is told of each.
pub struct LogRecords {
    pub reader: Reader,
    pub partition: u32,
    pub blocks: BlockBuilder,
}

impl RecordSource for LogRecords {
    async fn next(&mut self) -> Result<Option<(u64, Bytes)>, BoxError> {
        let Some(entry) = self.reader.next().await? else {
            return Ok(None);
        };
        let bytes = entry.payload.len() as u64;
        self.blocks.observe(self.partition, entry.offset, bytes);
        Ok(Some((entry.offset, entry.payload)))
    }
}
