//! Every maximum of the scanner.

/// A longer request is refused; its offsets would not fit, nor would the batch of one huge span.
pub(super) const MAX_REQUEST_BYTES: usize = 64 << 20;

/// A batch that has grown this large is ended, and the rest of its partition goes into the next.
pub(super) const BATCH_CUT_BYTES: usize = 16 << 20;

/// Each partition gets its own copy of the resources and scopes that it uses. A request may not make more bytes to
/// read or write out of that than this many times its size, and `MAX_SPREAD_FREE_BYTES`.
pub(super) const MAX_SPREAD: usize = 32;

/// What every request may spread, however small it is.
pub(super) const MAX_SPREAD_FREE_BYTES: usize = 16 << 20;

/// What the scanner's own tables may hold on to between requests.
pub(super) const MAX_RETAINED_BYTES: usize = 4 << 20;

/// How far down an error is located.
pub(super) const MAX_PATH_DEPTH: usize = 24;

/// How much of a span's name an error quotes.
pub(super) const MAX_NAME_IN_MESSAGE: usize = 60;
