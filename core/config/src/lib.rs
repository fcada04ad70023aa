//! Vivace's configuration: Tempo's YAML and flags, typed, with Vivace's own keys. See README.md.

mod block;
pub mod blocks;
mod error;
mod field;
mod limits;
mod removed;
pub mod types;
pub mod yaml;

pub use blocks::root::Config;
pub use error::{Error, Problem, Problems};
pub use field::{Block, Field, KeyInfo, Reader, Secrets};
