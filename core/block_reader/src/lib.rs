//! Reads vParquet blocks over byte ranges; see README.md.

mod chunk;
mod encoding;
mod error;
mod fetch;
mod find;
pub mod limits;
mod open;
mod page;
mod ranges;
mod row;
mod thrift;
mod values;

pub use error::{Corrupt, Malformed, ReadError};
pub use find::Found;
pub use open::{Chunk, Leaf, OpenBlock, PageAt, Part, RowGroup};
pub use page::{Codec, ColumnPage};
pub use ranges::Ranges;
pub use values::{Budget, ByteArrays, BytesDictionary, Dictionary, Values};
