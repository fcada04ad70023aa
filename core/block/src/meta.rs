//! `meta.json` (block-format.md §2).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::dedicated::DedicatedColumn;
use crate::{Format, UnknownFormat};

/// What a block says of itself. Times are those of Go: the zero time is the year 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMeta {
    /// As it stands there: an unknown format is kept, so that lists can be rewritten; see [`BlockMeta::known_format`].
    pub format: String,
    pub block_id: Uuid,
    pub tenant_id: String,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    /// Rows, which are traces.
    pub total_objects: u64,
    /// Bytes of `data.parquet`.
    pub size: u64,
    pub compaction_level: u32,
    /// Always 0.
    pub index_page_size: u32,
    /// At least the number of row groups.
    pub total_records: u32,
    /// Objects `bloom-<n>`; 0 stands for 10.
    pub bloom_shards: u32,
    /// Bytes of the Parquet footer without its frame of 8; 0 = not known.
    pub footer_size: u32,
    pub dedicated_columns: Vec<DedicatedColumn>,
    /// 1 for blocks written once; metrics queries read no others.
    pub replication_factor: u32,
}

impl BlockMeta {
    /// The format, if it is one that Vivace reads.
    pub fn known_format(&self) -> Result<Format, UnknownFormat> {
        Format::parse(&self.format)
    }

    /// `bloom_shards` with its legacy default.
    pub fn bloom_shard_count(&self) -> u32 {
        match self.bloom_shards {
            0 => 10,
            count => count,
        }
    }
}
