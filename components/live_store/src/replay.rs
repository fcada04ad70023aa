//! Filling the store from the log after a start.

use crate::error::{BoxError, Error};
use crate::limits::BAD_RECORD_LINES_PER_SECOND;
use crate::store::Store;
use bytes::Bytes;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use vivace_limits::Throttle;
use vivace_protocol::record;
use vivace_shards::time::Instant;

/// The records of one partition in order of their offsets.
pub trait RecordSource {
    /// The next record's offset and payload; None at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<(u64, Bytes)>, BoxError>>;
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records taken in.
    pub records: u64,
    pub spans: u64,
    /// Payload bytes of all records.
    pub bytes: u64,
    /// Records that were there already.
    pub known: u64,
    /// Records that could not be decoded: counted, logged and skipped, for one bad record must not keep the good ones away.
    pub undecodable: u64,
    pub first_undecodable: Option<(u64, String)>,
    /// The offset after the last record seen.
    pub next_offset: Option<u64>,
}

impl Store {
    /// Takes in all records of a source, one at a time, within the store's memory: older batches give up their bytes as newer ones come.
    /// An error says at which offset the source failed; what was read until then is in.
    pub async fn replay(
        &self,
        partition: u32,
        source: &mut impl RecordSource,
    ) -> Result<Replayed, Error> {
        let mut report = Replayed::default();
        let mut lines = Throttle::new(BAD_RECORD_LINES_PER_SECOND);
        loop {
            let next = source.next().await.map_err(|source| Error::Replay {
                partition,
                offset: report.next_offset.unwrap_or(0),
                source,
            })?;
            let Some((offset, payload)) = next else { break };
            report.next_offset = Some(offset + 1);
            report.bytes += payload.len() as u64;
            match record::decode(payload) {
                Ok((header, batch)) => {
                    let spans = batch.view().span_count() as u64;
                    match self.take_in(partition, offset, &header.tenant, batch) {
                        Some(new) => {
                            report.records += 1;
                            report.spans += spans;
                            self.count_created(&header.tenant, new);
                        }
                        None => report.known += 1,
                    }
                }
                Err(error) => {
                    report.undecodable += 1;
                    self.inner.shared.undecodable();
                    if let Some(kept_back) = lines.pass(Instant::now().as_nanos()) {
                        tracing::error!(partition, offset, %error, kept_back, "a record of the log cannot be decoded and is skipped");
                    }
                    report
                        .first_undecodable
                        .get_or_insert_with(|| (offset, error.to_string()));
                }
            }
            vivace_shards::breathe().await;
        }
        self.warn_if_index_is_full();
        Ok(report)
    }

    fn count_created(&self, tenant: &str, new: u64) {
        let state = self.inner.state.borrow();
        let number = state.find_tenant(tenant).unwrap_or(u32::MAX);
        if let Some(Some(tenant)) = state.tenants.get(number as usize) {
            tenant.shared.traces_created.fetch_add(new, Relaxed);
        }
    }

    /// Replay takes in more than the index may hold rather than lose acknowledged spans; that happens when the limit was lowered.
    fn warn_if_index_is_full(&self) {
        let limit = self.inner.config.max_index_bytes;
        let state = self.inner.state.borrow();
        if state.index_has_room(1, limit).is_err() {
            let used = state.index_bytes();
            tracing::warn!(
                used,
                limit,
                "the trace index is full after replay: ingest is refused until blocks are written"
            );
        }
    }
}
