//! The metrics of cutting, building and uploading, under the names that Tempo's live-store has for them
//! (observability.md §2.3), there with zeros from the start.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use vivace_shards::metrics::{Busy, DURATION_BUCKETS, counter, counter_vec, gauge, histogram};

use crate::sections::Reason;

/// 64 KiB to 4 GiB.
const SIZE_BUCKETS: &[f64] = &[
    65536.0,
    1048576.0,
    16777216.0,
    67108864.0,
    268435456.0,
    1073741824.0,
    4294967296.0,
];

pub(crate) struct Metrics {
    /// Records of a section back from log or live store, and by tenant.
    pub cut: Busy,
    /// Batches to a block in a local file.
    pub write: Busy,
    /// The shard's part of uploads; the store works elsewhere.
    pub upload: Busy,
    pub blocks_cut: IntCounterVec,
    pub completed: IntCounter,
    pub completion_failed: IntCounter,
    pub completion_retries: IntCounter,
    pub completion_retries_failed: IntCounter,
    pub completion_seconds: Histogram,
    pub completion_bytes: Histogram,
    pub flushed: IntCounter,
    pub flush_failed: IntCounter,
    pub flush_retries: IntCounter,
    pub flush_retries_failed: IntCounter,
    pub flush_seconds: Histogram,
    pub flush_bytes: Histogram,
    pub cleared: IntCounterVec,
    pub waiting: IntGauge,
    pub backlog_bytes: IntGauge,
    pub spans: IntCounter,
    pub duplicates: IntCounter,
    pub undecodable: IntCounter,
}

impl Metrics {
    pub fn register() -> Self {
        let blocks_cut = counter_vec(
            "tempo_live_store_blocks_cut_total",
            "Sections of the log cut, by reason.",
            &["reason"],
        );
        for reason in [Reason::Age, Reason::Size, Reason::Immediate] {
            blocks_cut.with_label_values(&[reason.as_str()]);
        }
        let cleared = counter_vec(
            "tempo_live_store_blocks_cleared_total",
            "Sections and local blocks removed.",
            &["block_type"],
        );
        for kind in ["wal", "complete"] {
            cleared.with_label_values(&[kind]);
        }
        Self {
            cut: Busy::new("cut"),
            write: Busy::new("write"),
            upload: Busy::new("upload"),
            blocks_cut,
            cleared,
            completed: counter(
                "tempo_live_store_blocks_completed_total",
                "Blocks completed.",
            ),
            completion_failed: counter(
                "tempo_live_store_failed_completions_total",
                "Block completions that failed.",
            ),
            completion_retries: counter(
                "tempo_live_store_completion_retries_total",
                "Block completions tried again.",
            ),
            completion_retries_failed: counter(
                "tempo_live_store_completion_failed_retries_total",
                "Repeated block completions that failed.",
            ),
            completion_seconds: histogram(
                "tempo_live_store_completion_duration_seconds",
                "Time to complete a block.",
                DURATION_BUCKETS,
            ),
            completion_bytes: histogram(
                "tempo_live_store_completion_size_bytes",
                "Size of completed blocks.",
                SIZE_BUCKETS,
            ),
            flushed: counter(
                "tempo_live_store_local_blocks_flushed_total",
                "Blocks uploaded.",
            ),
            flush_failed: counter(
                "tempo_live_store_local_failed_flushes_total",
                "Uploads that failed.",
            ),
            flush_retries: counter(
                "tempo_live_store_local_flush_retries_total",
                "Uploads tried again.",
            ),
            flush_retries_failed: counter(
                "tempo_live_store_local_flush_failed_retries_total",
                "Repeated uploads that failed.",
            ),
            flush_seconds: histogram(
                "tempo_live_store_local_flush_duration_seconds",
                "Time to upload a block.",
                DURATION_BUCKETS,
            ),
            flush_bytes: histogram(
                "tempo_live_store_local_flush_size_bytes",
                "Size of uploaded blocks.",
                SIZE_BUCKETS,
            ),
            waiting: gauge(
                "tempo_live_store_complete_queue_length",
                "Sections that wait to become blocks.",
            ),
            backlog_bytes: gauge(
                "vivace_block_builder_backlog_bytes",
                "Bytes of spans that are not in blocks yet.",
            ),
            spans: counter(
                "vivace_block_builder_spans_total",
                "Spans written to blocks.",
            ),
            duplicates: counter(
                "vivace_block_builder_duplicate_spans_total",
                "Spans left out of blocks because the same trace had them already.",
            ),
            undecodable: counter(
                "vivace_block_builder_undecodable_records_total",
                "Records that could not be decoded and were put aside.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_from_the_first_scrape() {
        let _metrics = Metrics::register();
        let text = vivace_shards::metrics::render();
        for line in [
            "tempo_live_store_local_blocks_flushed_total 0",
            "tempo_live_store_blocks_completed_total 0",
            r#"tempo_live_store_blocks_cut_total{reason="max_block_duration"} 0"#,
            "tempo_live_store_complete_queue_length 0",
            "tempo_live_store_completion_duration_seconds_count 0",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in {text}");
        }
    }
}
