//! Load, data and measuring for Vivace: see bench/README.md.

pub mod data;
#[cfg(feature = "load")]
pub mod load;
#[cfg(feature = "load")]
pub mod scenario;
