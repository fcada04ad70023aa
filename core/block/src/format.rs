//! The formats of blocks that Vivace knows (block-format.md §2, §3.4).

use thiserror::Error;

/// A block format. All three are read; blocks are written in version 5 or 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Read for trace by id only.
    VParquet3,
    VParquet4,
    VParquet5,
}

/// A format that is not known, as it stands in a meta.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("block format {0:?} is not supported; vParquet3, vParquet4 and vParquet5 are")]
pub struct UnknownFormat(pub String);

impl Format {
    /// As it stands in `meta.json`; case counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VParquet3 => "vParquet3",
            Self::VParquet4 => "vParquet4",
            Self::VParquet5 => "vParquet5",
        }
    }

    /// The reverse of `as_str`. Previews of a format are not the format.
    pub fn parse(text: &str) -> Result<Self, UnknownFormat> {
        [Self::VParquet3, Self::VParquet4, Self::VParquet5]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
