//! Settings of one shard's live-store.

use crate::tracker::Ages;
use std::time::Duration;

/// Budget that is assumed when the process has no memory limit.
const BUDGET_WITHOUT_LIMIT: u64 = 512 << 20;

#[derive(Clone, Debug)]
pub struct Config {
    pub ages: Ages,
    /// Bytes of batches this shard keeps in memory. Older ones are read back from the log.
    pub max_live_bytes: u64,
    /// Bytes of the trace index of this shard. When it is full, ingest is refused.
    pub max_index_bytes: u64,
    /// The availability zone in `tempo_live_store_partition_owned`.
    pub zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self::for_budget(0)
    }
}

impl Config {
    /// Shares of one shard's memory budget (0: there is none): 3/8 for batches, 1/8 for the index. What is left is for requests,
    /// queries and background work. The ages are Tempo's defaults (write-path.md §7.1).
    pub fn for_budget(budget_bytes: u64) -> Self {
        let budget = if budget_bytes == 0 {
            BUDGET_WITHOUT_LIMIT
        } else {
            budget_bytes
        };
        Self {
            ages: Ages {
                max_trace_idle: Duration::from_secs(5),
                max_trace_live: Duration::from_secs(30),
                flush_check_period: Duration::from_secs(5),
            },
            max_live_bytes: budget / 8 * 3,
            max_index_bytes: budget / 8,
            zone: String::new(),
        }
    }
}
