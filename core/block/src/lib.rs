//! What a block is: schema, meta, bloom filter, index, tenant index, keys; see README.md.

pub mod dedicated;
mod format;
mod meta;
pub mod schema;
mod well_known;

pub use format::{Format, UnknownFormat};
pub use meta::BlockMeta;
pub use well_known::WellKnown;
