//! `data.parquet`, read apart from the reader that queries use: a mistake of that one must not hide a mistake of the
//! writer. Page headers, footers and indexes are read here; levels and values of pages are decoded by the `parquet`
//! crate.

mod decode;
mod error;
mod file;
mod footer;
mod index;
mod page;
mod thrift;

pub(crate) use decode::{Decoded, Decoder, Values};
pub(crate) use error::FileError;
pub(crate) use file::DataFile;
pub(crate) use footer::{Bounds, Chunk, FileLeaf, Footer, Logical, Node, RowGroup};
pub(crate) use index::{ColumnIndex, OffsetIndex};
pub(crate) use page::{Header, Kind, Page, Pages, codec_name, encoding_name};
#[cfg(test)]
pub(crate) use thrift::Thrift;

/// Numbers of physical types in Parquet.
pub(crate) mod physical {
    pub const BOOLEAN: i64 = 0;
    pub const INT32: i64 = 1;
    pub const INT64: i64 = 2;
    pub const DOUBLE: i64 = 5;
    pub const BYTE_ARRAY: i64 = 6;
}

/// Numbers of encodings in Parquet.
pub(crate) mod encoding {
    pub const PLAIN_DICTIONARY: i64 = 2;
    pub const RLE_DICTIONARY: i64 = 8;
}
