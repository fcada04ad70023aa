//! `live_store` (configuration.md §5.3): recent traces.

use super::ring::{PartitionRing, Ring};
use super::storage::WalFormat;
use crate::block::block;
use crate::types::{Csv, Duration, mins, secs};

block! {
    /// How metrics queries read recent blocks.
    pub struct LiveStoreMetrics {
        /// From 0 to 1: which part of a block must be in the asked time to use its index of times.
        time_overlap_cutoff: f64 = 0.2;
    }
}

block! {
    /// Recent traces, from the ingest log until they are in backend blocks.
    pub struct LiveStore {
        ring: Ring = Ring { instance_interface_names: Csv::of(&["eth0"]), ..Ring::default() };
        partition_ring: PartitionRing;
        metrics: LiveStoreMetrics;
        /// Pause between two commits of the position in the log.
        commit_interval: Duration = secs(5);
        wal: WalFormat = WalFormat::at("/var/tempo/live-store/traces");
        /// Blocks that one query reads at once.
        query_block_concurrency: u32 = 10;
        /// For how long complete blocks stay queryable here.
        complete_block_timeout: Duration = mins(20);
        /// Blocks that are completed at once.
        complete_block_concurrency: u32 = 2;
        /// For how long a block that is no longer needed is kept for queries under way.
        block_reclaim_grace: Duration = mins(2);
        /// Folder of the mark that this process is to go.
        shutdown_marker_dir: String = "/var/tempo/live-store/shutdown-marker".into();
        /// Pause between two looks for traces and blocks to move on.
        flush_check_period: Duration = secs(5);
        /// Longest time to complete a block.
        flush_op_timeout: Duration = mins(5);
        /// A trace goes from memory to a block at this age.
        max_trace_live: Duration = secs(30);
        /// A trace goes from memory to a block when no span came for this time.
        max_trace_idle: Duration = secs(5);
        /// Most bytes of traces of one tenant in memory; above, reading the log pauses.
        max_live_traces_bytes: u64 = 250_000_000;
        /// A block is cut at this age.
        max_block_duration: Duration = secs(30);
        /// A block is cut at this size, in bytes.
        max_block_bytes: u64 = 52_428_800;
        /// Ready when behind the log by no more than this; 0 = at once.
        readiness_target_lag: Duration;
        /// Ready after this time anyway.
        readiness_max_wait: Duration = mins(30);
        /// Queries fail while too far behind the log, instead of answering with what is there.
        fail_on_high_lag: bool = true;
        /// Leave the partition ring at shutdown.
        remove_owner_on_shutdown: bool = true;
    }
}
