//! Canonical text (traceql.md §2.9): one rendering per query.
//!
//! It reads as the same tree again, but for what the language cannot write: `minInt` as a literal, infinities and NaN, an empty
//! attribute key, and an unscoped key that starts with a digit. Of thresholds of metrics a whole float reads as an integer and a
//! duration as seconds.

mod expr;
mod field;
mod go;
mod metrics;
mod spanset;
mod statics;

pub use go::{duration as go_duration, float as go_float};
