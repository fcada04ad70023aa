//! `ingest_log`: the durable log between receivers and stores. Vivace's own block.

use crate::block::{block, choice};
use crate::types::{Duration, GIB, MIB, Size};

choice! {
    /// What keeps the log.
    pub enum LogBackend {
        /// Files of this process, on this machine. No other server is needed.
        Embedded = "embedded",
        /// A Kafka cluster (`ingest.kafka`). Not available in this version.
        Kafka = "kafka",
        /// An object store. Not available in this version.
        ObjectStore = "object_store",
    }
}

block! {
    /// The log in files.
    pub struct EmbeddedLog {
        /// Folder of the log; empty = `ingest-log` in the folder of `storage.trace.wal.path`.
        path: String;
        /// Size of one preallocated segment file.
        segment_size: Size = Size(64 * MIB);
        /// Number of partitions; 0 = one per shard when the log is first made. Fixed from then on.
        partitions: u32;
        /// Most bytes of the log. Spans leave it when their blocks are in the bucket; when that fails for so long that the
        /// log has grown to this, writes are refused with a hint to retry. 0 = no limit but the disk.
        max_bytes: Size = Size(10 * GIB);
        /// Deliberate wait of a record for others, before they are synced to disk together; at most 5ms. 0 suits most
        /// disks: whatever comes during one sync shares the next.
        max_commit_interval: Duration;
        /// Most bytes that are synced to disk together.
        max_commit_bytes: Size = Size(8 * MIB);
        /// Largest record; a larger one is refused.
        max_record_size: Size = Size(32 * MIB);
        /// Writes are refused, with a hint to retry, while the disk has less room than this.
        min_free_bytes: Size = Size(256 * MIB);
    }
}

block! {
    /// The durable log between receivers and stores.
    pub struct IngestLog {
        /// What keeps the log.
        backend: LogBackend;
        embedded: EmbeddedLog;
    }
}
