//! How long the disk takes, queueing included.

use super::transfer::Write;
use crate::metrics::{DURATION_BUCKETS, LocalHistogram, Unit, local_histogram};

/// One thread's recorders.
pub(super) struct Stats {
    pub(super) read: LocalHistogram,
    pub(super) write: LocalHistogram,
    pub(super) write_sync: LocalHistogram,
}

impl Stats {
    pub(super) fn new() -> Self {
        let recorder = |operation| {
            local_histogram(
                "vivace_disk_operation_duration_seconds",
                "Time from handing an operation to the disk lane to its completion, by operation.",
                &[("operation", operation)],
                Unit::Seconds,
                DURATION_BUCKETS,
            )
        };
        Self {
            read: recorder("read"),
            write: recorder("write"),
            write_sync: recorder("write_sync"),
        }
    }

    pub(super) fn of_write(&self, write: &Write) -> &LocalHistogram {
        if write.sync {
            &self.write_sync
        } else {
            &self.write
        }
    }
}
