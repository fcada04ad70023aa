//! Load, data and measuring for Vivace: see bench/README.md.

pub mod data;
pub mod load;
pub mod scenario;
