//! A file, by its footer.

use std::ops::Range;

use bytes::Bytes;

use super::{Chunk, ColumnIndex, FileError, Footer, OffsetIndex};
use crate::limits::{MAX_CHUNK_BYTES, MAX_FOOTER_BYTES, MAX_PAGE_INDEX_BYTES};
use crate::source::Source;

const MAGIC: &[u8] = b"PAR1";
/// Length and magic.
const TRAILER_BYTES: u64 = 8;

/// `data.parquet` of a block.
pub(crate) struct DataFile<'s> {
    source: &'s dyn Source,
    key: String,
    pub size: u64,
    pub footer_size: u64,
    pub footer: Footer,
}

impl<'s> DataFile<'s> {
    /// Reads the footer of a file of `size` bytes.
    pub fn open(source: &'s dyn Source, key: String, size: u64) -> Result<Self, FileError> {
        let at = |error: FileError| error.at(&key);
        let Some(trailer_at) = size.checked_sub(TRAILER_BYTES).filter(|at| *at >= 4) else {
            return Err(at(FileError::malformed(format!("a file of {size} bytes"))));
        };
        let trailer = read(source, &key, trailer_at..size)?;
        let (Some(length), true) = (trailer.first_chunk::<4>(), trailer.ends_with(MAGIC)) else {
            return Err(at(FileError::malformed("it does not end in PAR1")));
        };
        if read(source, &key, 0..4)? != MAGIC {
            return Err(at(FileError::malformed("it does not begin with PAR1")));
        }
        let footer_size = u64::from(u32::from_le_bytes(*length));
        if footer_size > MAX_FOOTER_BYTES || footer_size > trailer_at - 4 {
            let what = format!("a footer of {footer_size} bytes in a file of {size}");
            return Err(at(FileError::malformed(what)));
        }
        let bytes = read(source, &key, trailer_at - footer_size..trailer_at)?;
        let footer = Footer::parse(&bytes).map_err(|error| at(error.at("footer")))?;
        Ok(Self {
            source,
            footer,
            key,
            size,
            footer_size,
        })
    }

    /// The bytes of a range, all of them.
    pub fn read(&self, range: Range<u64>, most: u64) -> Result<Bytes, FileError> {
        if range.end > self.size || range.start > range.end {
            return Err(FileError::malformed(format!(
                "bytes {} to {} of a file of {}",
                range.start, range.end, self.size
            )));
        }
        if range.end - range.start > most {
            return Err(FileError::malformed(format!(
                "{} bytes: at most {most} are read",
                range.end - range.start
            )));
        }
        read(self.source, &self.key, range)
    }

    /// All pages of a chunk.
    pub fn chunk(&self, chunk: &Chunk) -> Result<Bytes, FileError> {
        self.read(chunk.range()?, MAX_CHUNK_BYTES)
    }

    pub fn offset_index(&self, chunk: &Chunk) -> Result<Option<OffsetIndex>, FileError> {
        let Some(range) = chunk.offset_index.clone() else {
            return Ok(None);
        };
        let bytes = self.read(range, MAX_PAGE_INDEX_BYTES)?;
        OffsetIndex::parse(&bytes).map(Some)
    }

    pub fn column_index(&self, chunk: &Chunk) -> Result<Option<ColumnIndex>, FileError> {
        let Some(range) = chunk.column_index.clone() else {
            return Ok(None);
        };
        let bytes = self.read(range, MAX_PAGE_INDEX_BYTES)?;
        ColumnIndex::parse(&bytes).map(Some)
    }
}

fn read(source: &dyn Source, key: &str, range: Range<u64>) -> Result<Bytes, FileError> {
    let expected = range.end - range.start;
    let bytes = source.read_range(key, range.clone())?;
    if bytes.len() as u64 != expected {
        return Err(FileError::malformed(format!(
            "{key}: {} bytes came of {expected} at {}",
            bytes.len(),
            range.start
        )));
    }
    Ok(bytes)
}
