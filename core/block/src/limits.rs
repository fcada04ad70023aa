//! Every maximum of this crate.

/// Bytes of a `meta.json`: that of a block with all dedicated columns takes about 5 KiB.
pub const MAX_META_BYTES: usize = 1 << 20;

/// Entries of `dedicatedColumns`. The slots of version 5 hold 75, but more may stand there.
pub const MAX_DEDICATED_COLUMNS: usize = 1_000;

/// Bloom shards of a block (block-format.md §4.1).
pub const MAX_BLOOM_SHARDS: u32 = 1_000;

/// Bits of a bloom shard that are looked at for one id; 7 when one id in a hundred may be found by mistake.
pub const MAX_BLOOM_HASHES: u64 = 64;

/// Bytes of the bits of one bloom shard; Tempo's default is 100 KiB.
pub const MAX_BLOOM_SHARD_BYTES: u64 = 256 << 20;

/// Row groups in an `index`.
pub const MAX_ROW_GROUPS: usize = 1 << 20;

/// Bytes of an `index`: 28 for a row group.
pub const MAX_INDEX_BYTES: usize = 32 << 20;

/// Bytes of a tenant index once decompressed: a meta takes about 250 as protobuf and 500 as JSON, so that half a million blocks fit in both forms.
pub const MAX_TENANT_INDEX_BYTES: usize = 256 << 20;

/// Blocks in a tenant index, live and compacted together.
pub const MAX_TENANT_INDEX_BLOCKS: usize = 1_000_000;

/// Bytes of a tenant's name.
pub const MAX_TENANT_BYTES: usize = 150;
