//! Reads vParquet blocks over byte ranges; see README.md.

mod chunk;
mod columns;
mod encoding;
mod error;
mod fetch;
mod find;
mod find_many;
pub mod limits;
mod open;
mod page;
mod ranges;
mod row;
mod thrift;
mod traces;
mod values;

pub use chunk::ColumnReader;
pub use error::{Corrupt, Malformed, ReadError};
pub use fetch::Fetched;
pub use find::Found;
pub use find_many::FoundTraces;
pub use open::{Chunk, Leaf, OldColumn, OpenBlock, PageAt, Part, RowGroup};
pub use page::{Codec, ColumnPage, DefLevels, RepLevels, Wanted};
pub use ranges::Ranges;
pub use traces::Traces;
pub use values::{Budget, ByteArrays, BytesDictionary, Dictionary, Values};
