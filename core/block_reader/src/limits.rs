//! Every maximum of this crate.

/// A Parquet footer. Tempo's largest blocks (hundreds of row groups) have some MiB.
pub const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// Nodes of a schema, groups included; version 5 with all dedicated columns has 180. The `parquet` crate builds the tree
/// by recursion, so this bounds its stack too.
pub const MAX_SCHEMA_NODES: usize = 1024;

pub const MAX_ROW_GROUPS: usize = 65_536;

/// Chunks of all row groups together: what an open block keeps for each is some 50 bytes.
pub const MAX_CHUNKS: usize = 1 << 20;

/// Pages of all chunks together: what an open block keeps for each is 16 bytes.
pub const MAX_PAGES: usize = 1 << 22;

/// Entries of the footer's key-value metadata, which nobody reads.
pub const MAX_FOOTER_KEYS: usize = 1024;

/// How deep a Thrift value may be nested.
pub const MAX_THRIFT_DEPTH: usize = 16;

/// What the first read of the tail takes beyond the footer, in the hope of the page indexes, whatever the block's size.
pub const TAIL_EXTRA_BYTES: u64 = 64 << 10;

/// Besides, a byte for as many bytes of the block: page indexes grow with the pages. Our own take a 250th to a 700th,
/// Tempo's less; what is read too much of a large block is paid for by the second request that most don't need.
pub const TAIL_SHARE: u64 = 192;

/// The first read of the tail takes no more than this beyond the footer: more would cost what a second request does.
pub const MAX_TAIL_EXTRA_BYTES: u64 = REQUEST_BYTES;

/// What the first read of the tail takes when the meta does not know how long the footer is.
pub const UNKNOWN_FOOTER_BYTES: u64 = 128 << 10;

/// The page indexes of a file together.
pub const MAX_PAGE_INDEX_BYTES: u64 = 128 << 20;

/// A page header; Tempo's hold bounds of values, each cut to 16 bytes or as long as the value.
pub const MAX_PAGE_HEADER_BYTES: usize = 8 << 20;

/// A page, decompressed. Dictionaries have no other limit than the row group, which is some 100 MB.
pub const MAX_PAGE_BYTES: usize = 256 << 20;

/// Level slots of one page: eight bytes can claim two thousand million of them.
pub const MAX_PAGE_LEVELS: usize = 1 << 26;

/// What one trace may take in memory, counting each level slot and value.
pub const MAX_TRACE_BYTES: usize = 512 << 20;

/// What a request costs, in bytes that could be read in its place. The first byte comes from S3 after 10 to 30 ms, the
/// others at 50 to 100 MB/s: that is 0.5 to 3 MB. The lower half, as the requests of one step are under way at the same
/// time. Ranges with at most this much between them are read as one.
pub const REQUEST_BYTES: u64 = 2 << 20;

/// How large one read gets by joining ranges. From there on parts that are read at the same time are there sooner.
pub const MAX_JOINED_BYTES: u64 = 24 << 20;

/// Going through all traces: a row group of at most this size is read whole, of a larger one the pages in question.
pub const MAX_TRACES_READ_BYTES: u64 = 32 << 20;

/// Going through all traces: about as many level slots are decoded at once.
pub const WINDOW_SLOTS: u64 = 4 << 20;

/// Going through all traces: what several traces that are decoded at once may take in memory. One alone may take
/// [`MAX_TRACE_BYTES`].
pub const MAX_WINDOW_BYTES: usize = 128 << 20;
