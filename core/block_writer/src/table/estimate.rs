//! How large a row group is taken to be, by which it ends (block-format.md §3.1). Not what it takes in the file: the
//! same number for the same spans in every writer.

use vivace_block::Format;

/// The estimate of a format.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Estimate {
    Version4,
    Version5,
}

/// An attribute.
pub(crate) const ATTRIBUTE: u64 = 7;
/// An element of an array after the first.
pub(crate) const ELEMENT: u64 = 1;

impl Estimate {
    pub(crate) fn new(format: Format) -> Self {
        match format {
            Format::VParquet5 => Self::Version5,
            Format::VParquet3 | Format::VParquet4 => Self::Version4,
        }
    }

    /// A row without what is in it.
    pub(crate) fn row(self) -> u64 {
        match self {
            Self::Version4 => 7,
            // With the 16 bytes of the id.
            Self::Version5 => 7 + 16,
        }
    }

    /// A resource with its `attributes` bytes of generic attributes.
    pub(crate) fn resource(self, attributes: u64) -> u64 {
        match self {
            Self::Version4 => 10 + attributes,
            Self::Version5 => 31 + attributes,
        }
    }

    pub(crate) fn scope(self, attributes: u64) -> u64 {
        match self {
            Self::Version4 => 2,
            Self::Version5 => 6 + attributes,
        }
    }

    /// A span with `ids` bytes of ids, without events and links.
    pub(crate) fn span(self, ids: usize, attributes: u64) -> u64 {
        match self {
            Self::Version4 => 14 + attributes,
            Self::Version5 => 45 + ids as u64 + attributes,
        }
    }

    /// An event with `count` attributes of `attributes` bytes.
    pub(crate) fn event(self, count: u64, attributes: u64) -> u64 {
        match self {
            Self::Version4 => 4 + 4 * count,
            Self::Version5 => 14 + attributes,
        }
    }

    pub(crate) fn link(self, ids: usize, attributes: u64) -> u64 {
        match self {
            Self::Version4 => 0,
            Self::Version5 => 5 + ids as u64 + attributes,
        }
    }
}
