//! What bounds the work between two pauses, and sizes.

/// Slots of levels, attributes or owners that are gone through between two pauses.
/// What decoding takes for a moment by slot: a value, and levels.
pub const BYTES_PER_SLOT: usize = 10;

pub(super) const SLOTS_PER_PAUSE: usize = 50_000;

/// Keys that are compared at once; the compiler makes one comparison of several.
pub(super) const KEYS_AT_ONCE: usize = 16;

/// What the shape takes for each span: its resource and its scope.
pub(super) const SHAPE_BYTES_PER_SPAN: usize = 8;
