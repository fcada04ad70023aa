//! Encodings of Parquet: how values and levels become the body of a page.

mod delta;
mod hybrid;
mod plain;

pub(crate) use delta::{delta_byte_array, delta_length_byte_array};
pub(crate) use hybrid::{Codes, codes, levels, varint, width_of};
pub(crate) use plain::{booleans, dictionary_entry};
