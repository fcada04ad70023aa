//! How much of what was needed was in memory, and what lookups read.

use prometheus::{IntCounter, IntCounterVec, IntGauge};
use vivace_shards::metrics::{counter, counter_vec, gauge};

pub(crate) struct Metrics {
    /// Role `bloom` or `parquet-footer`; outcome `hit` or `miss`.
    pub cache: IntCounterVec,
    pub cache_bytes: IntGauge,
    pub blocks_inspected: IntCounter,
    pub filtered: IntCounter,
    pub reads: IntCounter,
    pub read_bytes: IntCounter,
    pub vanished: IntCounter,
}

impl Metrics {
    pub fn register() -> Self {
        let cache = counter_vec(
            "vivace_querier_cache_requests_total",
            "Bloom filters and opened blocks looked for in memory, by outcome.",
            &["role", "outcome"],
        );
        for role in ["bloom", "parquet-footer"] {
            for outcome in ["hit", "miss"] {
                cache.with_label_values(&[role, outcome]);
            }
        }
        Self {
            cache,
            cache_bytes: gauge(
                "vivace_querier_cache_bytes",
                "Bytes of bloom filters and opened blocks in memory.",
            ),
            blocks_inspected: counter(
                "vivace_querier_blocks_inspected_total",
                "Blocks that lookups looked into.",
            ),
            filtered: counter(
                "vivace_querier_blocks_filtered_total",
                "Blocks that bloom filters kept lookups out of.",
            ),
            reads: counter(
                "vivace_querier_backend_reads_total",
                "Objects and ranges read from the store.",
            ),
            read_bytes: counter(
                "vivace_querier_backend_read_bytes_total",
                "Bytes read from the store.",
            ),
            vanished: counter(
                "vivace_querier_blocks_vanished_total",
                "Blocks that were deleted between listing and reading.",
            ),
        }
    }
}
