//! Answers as JSON, in the dialect of http-api.md §2: that of Go's jsonpb, because clients parse it.
//!
//! 64-bit integers are strings, bytes and ids base64 with padding, enums names; zero members are left
//! out, but a message that is set prints `{}`. Text is escaped as Go's encoding/json does, which
//! includes `<`, `>`, `&` and the two Unicode line separators. Written straight into a `String`.

mod llm;
mod query;
#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod tests;
mod text;
mod trace;

pub use llm::{to_json_llm, to_json_llm_pausing};
pub use query::{
    query_instant, query_range, search, search_tag_values, search_tag_values_llm,
    search_tag_values_v2, search_tags, search_tags_v2,
};
pub use trace::{to_json_v1, to_json_v1_pausing, to_json_v2, to_json_v2_pausing};
