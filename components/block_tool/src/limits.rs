//! Every maximum of this crate.

/// A Parquet footer.
pub const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// The page index of one chunk.
pub const MAX_PAGE_INDEX_BYTES: u64 = 64 << 20;

/// A page, compressed or not. Dictionaries have no other limit than the row group, which is some 100 MB.
pub const MAX_PAGE_BYTES: usize = 512 << 20;

/// Level slots of one page.
pub const MAX_PAGE_SLOTS: usize = 1 << 26;

/// A chunk of a column, which is held in memory while its row group is verified.
pub const MAX_CHUNK_BYTES: u64 = 2 << 30;

/// How deep a Thrift value may be nested.
pub const MAX_THRIFT_DEPTH: usize = 16;

/// Any object of a block other than its data.
pub const MAX_OBJECT_BYTES: u64 = 512 << 20;

/// Bloom shards that are looked at.
pub const MAX_BLOOM_SHARDS: u32 = vivace_block::limits::MAX_BLOOM_SHARDS;

/// Places named for a check that failed; more are only counted.
pub const MAX_FINDINGS: usize = 10;

/// Rows verified at a time.
pub const ROWS_AT_A_TIME: usize = 64;

/// Bytes of a dictionary page's header that `inspect` reads, for the number of entries in it.
pub const DICTIONARY_HEADER_BYTES: u64 = 128;
