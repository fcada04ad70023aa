//! The log's own metrics. Sizes and counts are summed over the process.

use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use vivace_shards::metrics::{
    Busy, DURATION_BUCKETS, LocalHistogram, Unit, counter, counter_vec, gauge, gauge_vec,
    local_histogram,
};

/// One set for each shard: histograms are recorded without sharing.
pub(crate) struct Metrics {
    /// From records to frames, and those to the disk.
    pub(crate) busy: Busy,
    append_seconds: LocalHistogram,
    sync_seconds: LocalHistogram,
    group_records: LocalHistogram,
    group_bytes: LocalHistogram,
    pub(crate) records: IntCounter,
    pub(crate) bytes: IntCounter,
    pub(crate) refused: IntCounterVec,
    pub(crate) write_failures: IntCounter,
    pub(crate) segments: IntGauge,
    pub(crate) disk_bytes: IntGauge,
    pub(crate) disk_full: IntGauge,
    pub(crate) corrupt_ranges: IntCounter,
    pub(crate) corrupt_records: IntCounter,
    pub(crate) torn_tails: IntCounter,
    pub(crate) deleted_segments: IntCounterVec,
    pub(crate) deleted_bytes: IntCounterVec,
    pub(crate) end_offset: IntGaugeVec,
    pub(crate) committed: IntGaugeVec,
    pub(crate) commits: IntCounter,
}

const SIZE_BUCKETS: &[f64] = &[
    1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0,
];
const COUNT_BUCKETS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0,
];

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let histogram = |name, help, unit, buckets| local_histogram(name, help, &[], unit, buckets);
        Metrics {
            busy: Busy::new("log"),
            append_seconds: histogram(
                "vivace_ingest_log_append_duration_seconds",
                "Time from a record's arrival at its partition to its acknowledgement.",
                Unit::Seconds,
                DURATION_BUCKETS,
            ),
            sync_seconds: histogram(
                "vivace_ingest_log_write_sync_duration_seconds",
                "Time of one group's write and fdatasync.",
                Unit::Seconds,
                DURATION_BUCKETS,
            ),
            group_records: histogram(
                "vivace_ingest_log_group_records",
                "Records that shared one sync.",
                Unit::Plain,
                COUNT_BUCKETS,
            ),
            group_bytes: histogram(
                "vivace_ingest_log_group_bytes",
                "Bytes written before one sync.",
                Unit::Plain,
                SIZE_BUCKETS,
            ),
            records: counter(
                "vivace_ingest_log_records_total",
                "Records acknowledged as durable.",
            ),
            bytes: counter(
                "vivace_ingest_log_bytes_total",
                "Bytes of frames made durable.",
            ),
            refused: counter_vec(
                "vivace_ingest_log_refused_records_total",
                "Records refused, by reason.",
                &["reason"],
            ),
            write_failures: counter(
                "vivace_ingest_log_write_failures_total",
                "Groups whose write or fdatasync failed; none of their records was acknowledged.",
            ),
            segments: gauge("vivace_ingest_log_segments", "Segment files."),
            disk_bytes: gauge(
                "vivace_ingest_log_disk_bytes",
                "Bytes of segment files, reserved space of the newest ones included.",
            ),
            disk_full: gauge(
                "vivace_ingest_log_disk_full",
                "Partitions that cannot get their next segment.",
            ),
            corrupt_ranges: counter(
                "vivace_ingest_log_corrupt_ranges_total",
                "Damaged ranges found in segments.",
            ),
            corrupt_records: counter(
                "vivace_ingest_log_corrupt_records_total",
                "Records lost in damaged ranges.",
            ),
            torn_tails: counter(
                "vivace_ingest_log_torn_tails_total",
                "Unacknowledged ends cut off at a start.",
            ),
            deleted_segments: counter_vec(
                "vivace_ingest_log_deleted_segments_total",
                "Segments deleted by retention, by reason.",
                &["reason"],
            ),
            deleted_bytes: counter_vec(
                "vivace_ingest_log_deleted_bytes_total",
                "Bytes deleted by retention, by reason.",
                &["reason"],
            ),
            end_offset: gauge_vec(
                "vivace_ingest_log_end_offset",
                "Offset of the next record, by partition.",
                &["partition"],
            ),
            committed: gauge_vec(
                "vivace_ingest_log_committed_offset",
                "Next offset a consumer group wants, by partition and group.",
                &["partition", "group"],
            ),
            commits: counter(
                "vivace_ingest_log_commits_total",
                "Offsets committed by consumer groups.",
            ),
        }
    }

    pub(crate) fn appended(&self, took: Duration) {
        self.append_seconds.record_duration(took);
    }

    pub(crate) fn synced(&self, took: Duration, records: usize, bytes: u64) {
        self.sync_seconds.record_duration(took);
        self.group_records.record(records as u64);
        self.group_bytes.record(bytes);
        self.records.inc_by(records as u64);
        self.bytes.inc_by(bytes);
    }
}
