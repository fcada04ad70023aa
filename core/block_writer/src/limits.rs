//! Every maximum of this crate.

/// Slots (values, and places without one) after which a page of spans, attributes, events or links ends, at the next
/// end of a row. With a third of it a trace is found in a block of 6 MB with 30 % less CPU, but writing takes 5 to 25 % more,
/// and blocks grow by 1.3 to 1.8 % (by 15 % where values repeat with a long period).
pub const PAGE_SLOTS: usize = 49_152;

/// The same for what a row has once: a reader finds a trace by its id with few bytes.
pub const PAGE_ROWS: usize = 1_000;

/// Bytes of texts without a dictionary after which a page ends early, at the next end of a row.
pub const PAGE_BYTES: usize = 1 << 20;

/// Bytes of a bound in statistics and column indexes. A longer lower bound is cut, an upper one cut and raised.
pub const BOUND_BYTES: usize = 16;

/// Bytes of a page compressed between two pauses: some 200 us of work.
pub const COMPRESSED_AT_ONCE: usize = 64 << 10;

/// Spans between two pauses: some 50 us of work.
pub const SPANS_PER_PAUSE: u32 = 64;

/// Levels of a page from which they are compressed as a frame of their own: fewer gain nothing by it.
pub const FRAMED_BYTES: usize = 512;

/// Texts sorted between two pauses: some 500 us of work. Sorted in smaller parts, dictionaries of texts that begin alike
/// are a tenth larger.
pub const SORTED_AT_ONCE: usize = 8192;

/// Bytes of the same place of all numbers of a page from which they are a block of their own.
pub const STREAM_BYTES: usize = 4096;
