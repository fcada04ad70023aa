//! A block that a command is about.

use uuid::Uuid;
use vivace_block::keys::{self, BlockObject};
use vivace_block::schema::Schema;
use vivace_block::{BlockMeta, Format, dedicated};

use crate::source::{Source, SourceError};

/// Where a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub tenant: String,
    pub block: Uuid,
}

impl Place {
    pub fn key(&self, object: BlockObject) -> String {
        keys::block_object(&self.tenant, self.block, object)
    }
}

/// Why a block cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{key}: there is no such object, and no {other} either")]
    NoMeta { key: String, other: &'static str },
    #[error("{key}: {error}")]
    Meta {
        key: String,
        error: vivace_block::MetaError,
    },
    #[error("{key}: {error}")]
    Format {
        key: String,
        error: vivace_block::UnknownFormat,
    },
    #[error(
        "{key}: the columns of {format} are not known here; those of vParquet4 and vParquet5 are"
    )]
    OldFormat { key: String, format: Format },
    #[error("{0}: there is no such object")]
    Missing(String),
    #[error(transparent)]
    File(#[from] crate::parquet::FileError),
    #[error("{0}")]
    Read(String),
}

impl BlockError {
    /// Whether another try may help: only where bytes did not come.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::File(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// The meta of a block, live or compacted.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub meta: BlockMeta,
    pub compacted: bool,
}

pub(crate) fn read_meta(source: &dyn Source, place: &Place) -> Result<Found, BlockError> {
    for (object, compacted) in [
        (BlockObject::Meta, false),
        (BlockObject::CompactedMeta, true),
    ] {
        let key = place.key(object);
        if let Some(bytes) = source.read(&key)? {
            let meta = BlockMeta::from_json(&bytes);
            return match meta {
                Ok(meta) => Ok(Found { meta, compacted }),
                Err(error) => Err(BlockError::Meta { key, error }),
            };
        }
    }
    Err(BlockError::NoMeta {
        key: place.key(BlockObject::Meta),
        other: keys::COMPACTED_META,
    })
}

/// The leaves that the block must have, by format and dedicated columns of its meta.
pub(crate) fn schema(place: &Place, meta: &BlockMeta) -> Result<(Format, Schema), BlockError> {
    let key = || place.key(BlockObject::Meta);
    match meta.known_format() {
        Ok(format @ Format::VParquet5) => {
            let assigned = dedicated::assign(format, &meta.dedicated_columns);
            Ok((format, Schema::version5(&assigned)))
        }
        Ok(format @ Format::VParquet4) => Ok((format, Schema::version4())),
        Ok(format) => Err(BlockError::OldFormat { key: key(), format }),
        Err(error) => Err(BlockError::Format { key: key(), error }),
    }
}
