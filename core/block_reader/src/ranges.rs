//! Where bytes come from.

use std::ops::Range;

use bytes::Bytes;
use futures_util::future::try_join_all;

/// Reads of `data.parquet` of one block.
#[allow(
    async_fn_in_trait,
    reason = "one thread runs a read from start to end; nothing needs the future to be Send"
)]
pub trait Ranges {
    type Error: std::error::Error + 'static;

    /// The bytes of a range, all of them: a shorter answer is taken for a truncated file.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, Self::Error>;

    /// Several ranges, in order. Unless implemented otherwise, all are under way at the same time.
    async fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Self::Error> {
        try_join_all(ranges.iter().map(|range| self.read(range.clone()))).await
    }
}

impl<R: Ranges> Ranges for &R {
    type Error = R::Error;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Self::Error> {
        R::read(self, range).await
    }

    async fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Self::Error> {
        R::read_many(self, ranges).await
    }
}
