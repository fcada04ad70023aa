//! Finds traces in blocks; see README.md.

mod cache;
mod error;
mod limits;
mod lookup;
mod metrics;
mod source;

pub use cache::Caches;
pub use error::Error;
pub use lookup::{Found, Lookup, Querier};
pub use source::{Blocks, StoreError};
