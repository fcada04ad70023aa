//! What a block is: schema, meta, bloom filter, index, tenant index, keys; see README.md.

pub mod bloom;
pub mod dedicated;
mod dedicated_json;
mod format;
pub mod id;
pub mod index;
pub mod keys;
pub mod limits;
mod meta;
mod meta_json;
pub mod nested;
pub mod schema;
pub mod tenant_index;
mod time;
mod well_known;

pub use format::{Format, UnknownFormat};
pub use meta::{BlockMeta, MetaError};
pub use time::ZERO_TIME;
pub use well_known::WellKnown;
