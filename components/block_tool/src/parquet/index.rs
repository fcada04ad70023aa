//! Page indexes.

use super::thrift::Thrift;
use super::{Bounds, FileError};

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageAt {
    pub offset: u64,
    /// With its header.
    pub bytes: u64,
    pub first_row: u64,
}

/// Where the data pages of a chunk are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetIndex(pub Vec<PageAt>);

/// What the data pages of a chunk have in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnIndex {
    pub null_pages: Vec<bool>,
    /// Those of null pages mean nothing.
    pub bounds: Vec<Bounds>,
    /// 0 unordered, 1 ascending, 2 descending.
    pub order: i64,
    pub nulls: Option<Vec<u64>>,
}

impl OffsetIndex {
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let (index, _) = Thrift::read(bytes)?;
        let page = |page: &Thrift| {
            Ok(PageAt {
                offset: page.count(1, "the offset of a page")?,
                bytes: page.count(2, "the size of a page")?,
                first_row: page.count(3, "the first row of a page")?,
            })
        };
        let pages = index.list(1).unwrap_or_default().iter().map(page);
        Ok(Self(pages.collect::<Result<_, FileError>>()?))
    }
}

impl ColumnIndex {
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let (index, _) = Thrift::read(bytes)?;
        let list = |id| index.list(id).unwrap_or_default();
        let null_pages: Vec<bool> = list(1)
            .iter()
            .map(|page| *page == Thrift::Bool(true))
            .collect();
        let bytes = |value: &Thrift| match value {
            Thrift::Bytes(bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        let bounds = list(2).iter().zip(list(3)).map(|(min, max)| Bounds {
            min: bytes(min),
            max: bytes(max),
        });
        let nulls = index.list(5).map(|nulls| {
            let count = |value: &Thrift| match value {
                Thrift::Int(count) => u64::try_from(*count).unwrap_or(u64::MAX),
                _ => u64::MAX,
            };
            nulls.iter().map(count).collect()
        });
        Ok(Self {
            null_pages,
            bounds: bounds.collect(),
            order: index.int(4).unwrap_or_default(),
            nulls,
        })
    }
}
