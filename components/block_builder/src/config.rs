//! Settings of one shard's block builder.

use std::path::PathBuf;
use std::time::Duration;

use vivace_block::Format;
use vivace_block::dedicated::DedicatedColumn;

/// When sections are cut, and where blocks lie until they are uploaded.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of blocks that are being built and uploaded. What it holds is made again from the log after a start.
    pub folder: PathBuf,
    /// Pause between two looks at ages (`live_store.flush_check_period`).
    pub check_period: Duration,
    /// A partition without new records for this time is idle (`live_store.max_trace_idle`).
    pub max_trace_idle: Duration,
    /// How long a section waits for its traces to end (`live_store.max_trace_live`).
    pub max_trace_live: Duration,
    /// An idle section is cut at this age (`live_store.max_block_duration`), a busy one `max_trace_live` later.
    pub max_block_duration: Duration,
    /// A section is cut before its records would be larger (`live_store.max_block_bytes`, or less by memory).
    pub max_block_bytes: u64,
    /// Longest time of one attempt to upload a block (`live_store.flush_op_timeout`).
    pub upload_timeout: Duration,
}

/// How a tenant's blocks are written.
#[derive(Clone, Debug)]
pub struct BlockOptions {
    pub format: Format,
    pub dedicated: Vec<DedicatedColumn>,
    pub row_group_bytes: u64,
    pub zstd_level: i32,
    pub bloom_false_positive: f64,
    pub bloom_shard_bytes: u64,
}
