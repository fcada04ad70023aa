//! A point that all shards pass together, so that none takes away what another still needs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vivace_shards::shutdown::Signal;
use vivace_shards::time::timeout;

/// Passed once by each of a number of shards.
pub struct Barrier {
    missing: AtomicUsize,
    passed: Signal,
}

impl Barrier {
    /// For this many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            missing: AtomicUsize::new(shards),
            passed: Signal::new(),
        }
    }

    /// This shard is here. Resolves when all are, or after `limit`: a shard that failed never comes.
    pub async fn pass(&self, limit: Duration) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.passed.trigger("all shards are here");
        }
        if timeout(limit, self.passed.wait()).await.is_err() {
            tracing::warn!(
                ?limit,
                "not all shards have come as far; going on without them"
            );
        }
    }
}
