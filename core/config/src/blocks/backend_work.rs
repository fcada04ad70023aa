//! `backend_scheduler`, `backend_worker` (configuration.md §7.2, §7.3): compaction, retention, redaction.

use super::grpc_client::Backoff;
use super::ring::WorkerRing;
use crate::block::block;
use crate::types::{Duration, hours, mins, secs};

block! {
    /// How blocks are compacted and kept.
    pub struct Compaction {
        /// Blocks whose ends are in the same window are compacted together.
        compaction_window: Duration = hours(1);
        /// Most traces of a compacted block.
        max_compaction_objects: u64 = 6_000_000;
        /// Most bytes of a compacted block.
        max_block_bytes: u64 = 107_374_182_400;
        /// Blocks are kept for this time.
        block_retention: Duration = hours(336);
        /// Blocks that went into others are kept for this time.
        compacted_block_retention: Duration = hours(1);
        /// Tenants whose old blocks are deleted at once.
        retention_concurrency: u32 = 10;
        /// Longest time for one tenant before the next.
        max_time_per_tenant: Duration = mins(5);
        /// Pause between two rounds.
        compaction_cycle: Duration = secs(30);
    }
}

block! {
    /// Finds what to delete.
    pub struct RetentionProvider {
        /// Pause between two looks.
        interval: Duration = hours(1);
    }
}

block! {
    /// Finds what to compact.
    pub struct CompactionProvider {
        /// Pause between two measurements.
        measure_interval: Duration = mins(1);
        compaction: Compaction;
        /// Most jobs of a tenant in one round.
        max_jobs_per_tenant: u32 = 1000;
        /// Least blocks of a job.
        min_input_blocks: u32 = 2;
        /// Most blocks of a job.
        max_input_blocks: u32 = 4;
        /// Blocks of this level are not compacted again; 0 = any are.
        max_compaction_level: u32;
        /// Least pause between two rounds.
        min_cycle_interval: Duration = secs(30);
    }
}

block! {
    /// Finds what to redact.
    pub struct RedactionProvider {
        /// Pause between two looks.
        poll_interval: Duration = secs(2);
        /// Pause before blocks are looked at again.
        rescan_delay: Duration = mins(5);
        /// Most such looks.
        max_rescan_generations: u32 = 5;
    }
}

block! {
    /// Where jobs come from.
    pub struct Providers {
        retention: RetentionProvider;
        compaction: CompactionProvider;
        redaction: RedactionProvider;
    }
}

block! {
    /// The list of jobs.
    pub struct Work {
        /// Jobs that are done are forgotten after this time.
        prune_age: Duration = hours(1);
        /// Jobs that are not done after this time count as failed.
        dead_job_timeout: Duration = hours(24);
    }
}

block! {
    /// Gives out jobs on blocks.
    pub struct BackendScheduler {
        work: Work;
        /// Pause between two rounds of tidying up.
        maintenance_interval: Duration = mins(1);
        /// Pause between two writes of the list of jobs to the store.
        backend_flush_interval: Duration = mins(1);
        provider: Providers;
        /// Longest wait of a worker for a job.
        job_timeout: Duration = secs(15);
        /// Folder of the list of jobs.
        local_work_path: String = "/var/tempo".into();
    }
}

block! {
    /// Does jobs on blocks.
    pub struct BackendWorker {
        /// Host and port of the backend-scheduler.
        backend_scheduler_addr: String;
        backoff: Backoff = Backoff { max_period: mins(1), max_retries: 0, ..Backoff::default() };
        compaction: Compaction;
        /// Name of the ring.
        override_ring_key: String = "backend-worker".into();
        ring: WorkerRing;
        /// Longest wait for the job under way at shutdown.
        finish_on_shutdown_timeout: Duration = secs(30);
    }
}
