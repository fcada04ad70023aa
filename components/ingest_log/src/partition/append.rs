//! The queue of records that wait for the disk.

use bytes::Bytes;
use vivace_shards::mailbox::{Promise, Reply, oneshot};
use vivace_shards::time::Instant;

use super::Partition;
use crate::Error;
use crate::frame::frame_bytes;
use crate::limits::MAX_PENDING_RECORDS;

/// One record on its way.
pub(super) struct Pending {
    pub(super) record: Vec<Bytes>,
    pub(super) payload_bytes: u64,
    pub(super) since: Instant,
    pub(super) reply: Reply<Result<u64, Error>>,
}

impl Pending {
    pub(super) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.payload_bytes)
    }
}

impl Partition {
    /// Puts a record in the queue, or says at once why not. The record is written even if the
    /// promise is dropped.
    pub(crate) fn enqueue(&self, record: Vec<Bytes>) -> Result<Promise<Result<u64, Error>>, Error> {
        let payload_bytes = record.iter().map(|part| part.len() as u64).sum();
        let refuse = |reason: &str, error| {
            self.metrics.refused.with_label_values(&[reason]).inc();
            Err(error)
        };
        if payload_bytes > self.config.max_record_bytes {
            let error = Error::TooLarge {
                bytes: payload_bytes,
                limit_bytes: self.config.max_record_bytes,
            };
            return refuse("too_large", error);
        }
        let mut state = self.state.borrow_mut();
        if state.closed {
            return refuse("closed", Error::Closed);
        }
        let taken = state.queue_bytes + frame_bytes(payload_bytes);
        if taken > self.config.max_pending_bytes || state.queue.len() >= MAX_PENDING_RECORDS {
            let error = Error::Busy {
                partition: self.id,
                pending_bytes: state.queue_bytes,
                limit_bytes: self.config.max_pending_bytes,
            };
            return refuse("busy", error);
        }
        let (reply, promise) = oneshot();
        state.queue_bytes = taken;
        state.queue.push_back(Pending {
            record,
            payload_bytes,
            since: Instant::now(),
            reply,
        });
        self.work.set();
        Ok(promise)
    }
}
