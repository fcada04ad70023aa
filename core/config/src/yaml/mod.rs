//! A small spanned YAML tree: what the reader of the configuration works on.
//!
//! The grammar is granit-parser's; this module adds what configuration files written for Tempo rely on: YAML 1.1
//! scalars, merge keys, refused duplicates, and a place (line and column) for every value.

mod node;
mod parse;
mod print;
pub mod scalar;

pub use node::{Entry, Mark, Node, Scalar, Style, Value, shorten};
pub use parse::{Parsed, parse};
pub use print::{diff, print};
