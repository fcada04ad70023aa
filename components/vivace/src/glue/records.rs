//! The live store's way to the log: replay at start, and reading back what it no longer holds.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
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

/// All records of a partition from some offset on, until its end at this moment.
pub struct LogRecords(pub Reader);

impl RecordSource for LogRecords {
    async fn next(&mut self) -> Result<Option<(u64, Bytes)>, BoxError> {
        let entry = self.0.next().await?;
        Ok(entry.map(|entry| (entry.offset, entry.payload)))
    }
}
