//! Pages: header, body, levels and values.

mod codec;
mod column;
mod header;
mod raw;

pub use codec::Codec;
pub use column::{ColumnPage, DefLevels, RepLevels, Wanted};
pub(crate) use column::{RowRange, Shape};
pub(crate) use header::{Header, PageKind};
pub(crate) use raw::{RawPage, dictionary};
