//! What is asked for, and what came of it.

use bytes::Bytes;
use uuid::Uuid;
use vivace_block::dedicated::DedicatedColumn;
use vivace_block::{BlockMeta, Format};

/// What block to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// Version 4 or 5.
    pub format: Format,
    pub tenant: String,
    pub block_id: Uuid,
    /// As configured; what the format does not keep is left out (block-format.md §6).
    pub dedicated: Vec<DedicatedColumn>,
    /// Estimated bytes (block-format.md §3.1) above which a row group ends.
    pub row_group_bytes: u64,
    /// 1 to 22.
    pub zstd_level: i32,
    /// Share of ids that a bloom filter may find by mistake, above 0 and below 1.
    pub bloom_false_positive: f64,
    pub bloom_shard_bytes: u64,
}

impl Options {
    /// With Tempo's defaults.
    pub fn new(format: Format, tenant: &str, block_id: Uuid) -> Self {
        Self {
            format,
            tenant: tenant.to_owned(),
            block_id,
            dedicated: vivace_block::dedicated::default_columns(),
            row_group_bytes: 100_000_000,
            zstd_level: 3,
            bloom_false_positive: 0.01,
            bloom_shard_bytes: 102_400,
        }
    }
}

/// Where `data.parquet` goes.
#[allow(async_fn_in_trait, reason = "blocks are written by one thread")]
pub trait Sink {
    type Error;

    /// Takes the next bytes of the file: a column chunk, or the footer.
    async fn append(&mut self, bytes: Bytes) -> Result<(), Self::Error>;
}

/// The other objects of the block, to be stored after `data.parquet`: blooms, then index, then meta.
#[derive(Clone, Debug)]
pub struct Built {
    pub meta: BlockMeta,
    /// `bloom-0`, `bloom-1` and so on.
    pub blooms: Vec<Bytes>,
    /// `index`
    pub index: Bytes,
    /// Spans in the block.
    pub spans: u64,
    /// Spans left out because they were there already.
    pub duplicates: u64,
}
