//! Every limit of this crate.

/// Longest query text. HTTP refuses far shorter ones already (`max_query_expression_size_bytes`, 128 KiB unless configured).
pub const MAX_QUERY_BYTES: usize = 1 << 20;

/// Levels of a tree: what walks a tree by recursion (here and in the engine) needs no more stack than this many calls.
pub const MAX_DEPTH: usize = 256;

/// Terms of one `&&` or `||` chain that stay left-deep; a longer chain becomes a balanced tree, see `chain`.
pub const MAX_LEFT_CHAIN: usize = 64;

/// Parentheses open at once. They cost no stack; canonical texts of long chains have thousands.
pub const MAX_OPEN_PARENTHESES: usize = 50_000;

/// Characters of a token that an error repeats.
pub const MAX_ERROR_TOKEN_CHARS: usize = 40;

/// Characters of a canonical text that a validation error repeats.
pub const MAX_ERROR_TEXT_CHARS: usize = 500;

/// Longest unknown word that is compared with the known ones.
pub const MAX_SUGGESTION_CHARS: usize = 32;

/// Edits between an unknown word and the one that is suggested for it.
pub const MAX_SUGGESTION_DISTANCE: usize = 2;

/// Groups within groups of a regular expression.
pub const MAX_REGEX_NESTING: usize = 200;

/// `{n}` and nested products of it, as in RE2.
pub const MAX_REGEX_REPEAT: u32 = 1000;

/// Estimated states of one regular expression (see `regex::Pattern::states`); bounds the time to compile it.
pub const MAX_REGEX_STATES: u64 = 50_000;

/// Estimated states of all regular expressions of one query.
pub const MAX_REGEX_STATES_PER_QUERY: u64 = 500_000;

/// Bytes of a compiled regular expression; `MAX_REGEX_STATES` is reached first.
pub const MAX_REGEX_PROGRAM_BYTES: usize = 16 << 20;

/// Bytes of the cache that a running regular expression may fill, per thread that uses it.
pub const MAX_REGEX_CACHE_BYTES: usize = 1 << 20;

/// Values kept by `compare` unless the query says so, and the most it may ask for.
pub const DEFAULT_COMPARE_TOP: i64 = 10;
pub const MAX_COMPARE_TOP: i64 = 1000;

/// `by` fields of a metrics function; of one that needs a label of its own, one fewer.
pub const MAX_GROUP_BY: usize = 5;

/// Conditions of all groups of a tag filter together; with more the request is answered unfiltered.
pub const MAX_TAG_CONDITIONS: usize = 20_000;
