//! Every maximum of this crate.

/// How deep arrays and key-value lists may be nested in one attribute value: `[1]` has depth 1.
pub const MAX_VALUE_DEPTH: usize = 32;

/// A batch never gets larger than this; the span that would do it is refused with `BatchFull`.
/// Well below the 2 GiB of the format, so that no offset in it can overflow.
pub const MAX_BATCH_BYTES: usize = 1 << 30;

/// What a builder may hold on to between batches, so that one huge request does not stay in memory for ever.
pub const MAX_RETAINED_BYTES: usize = 8 << 20;

/// Distinct strings of one batch: a key and its type share 32 bits.
pub const MAX_STRINGS: usize = 1 << 28;
