//! Every maximum of this crate, together.

/// Longest configuration text that is read, in bytes (after environment expansion).
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;
/// Most YAML nodes of one file.
pub const MAX_NODES: usize = 4_000_000;
/// Most YAML nodes that anchors and aliases copy. Bounds what nested aliases can blow up to.
pub const MAX_ALIASED_NODES: usize = 200_000;
/// Deepest nesting of one file, aliases expanded. Bounds the recursion of every reader of the tree.
pub const MAX_DEPTH: usize = 64;
/// Most problems that are reported for one file; more are cut off with a note.
pub const MAX_PROBLEMS: usize = 100;
/// Deepest nesting of `${…}` inside `${…}`.
pub const MAX_EXPANSION_DEPTH: usize = 32;
