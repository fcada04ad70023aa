//! Pages for operators and probes (http-api.md §9).

mod table;

pub use table::ascii_table;
