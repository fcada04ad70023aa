//! Pages: headers and bodies.

use bytes::Bytes;

use super::FileError;
use super::footer::{self, Statistics};
use super::thrift::Thrift;
use crate::limits::{MAX_PAGE_BYTES, MAX_PAGE_SLOTS};

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dictionary,
    /// Of the first version of data pages: everything is compressed together.
    DataV1,
    /// Of the second: levels are not compressed.
    DataV2 {
        nulls: u64,
        rows: u64,
        rep_bytes: usize,
        def_bytes: usize,
        is_compressed: bool,
    },
}

/// A page header, with sizes within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub compressed: usize,
    pub uncompressed: usize,
    pub crc: Option<u32>,
    /// Level slots of data pages, entries of dictionaries.
    pub slots: usize,
    pub encoding: i64,
    pub statistics: Statistics,
}

/// A page as it stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub header: Header,
    /// Where the header begins, within the chunk.
    pub offset: u64,
    /// Bytes of the header.
    pub header_bytes: usize,
    /// As stored.
    pub body: Bytes,
}

impl Header {
    /// The header that `bytes` begin with, and its length.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), FileError> {
        let (page, length) = Thrift::read(bytes)?;
        let size = |value: u64, most: usize, what: &str| {
            let fits = usize::try_from(value).ok().filter(|&value| value <= most);
            fits.ok_or_else(|| {
                FileError::malformed(format!("{what} is {value}, at most {most} is possible"))
            })
        };
        let bytes_of = |id, what| size(page.count(id, what)?, MAX_PAGE_BYTES, what);
        let kind = page.int(1);
        let part = match kind {
            Some(0) => page.get(5),
            Some(2) => page.get(7),
            Some(3) => page.get(8),
            _ => return Err(FileError::malformed(format!("a page of type {kind:?}"))),
        };
        let part =
            part.ok_or_else(|| FileError::malformed("a page header without its second part"))?;
        let compressed = bytes_of(3, "the compressed size of a page")?;
        let level_bytes = |id, what| size(part.count(id, what)?, compressed, what);
        let kind = match kind {
            Some(0) => Kind::DataV1,
            Some(2) => Kind::Dictionary,
            _ => Kind::DataV2 {
                nulls: part.count(2, "the number of nulls of a page")?,
                rows: part.count(3, "the number of rows of a page")?,
                def_bytes: level_bytes(5, "the size of definition levels")?,
                rep_bytes: level_bytes(6, "the size of repetition levels")?,
                is_compressed: part.bool(7).unwrap_or(true),
            },
        };
        let (encoding, statistics) = match kind {
            Kind::DataV2 { .. } => (part.int(4), part.get(8)),
            Kind::DataV1 => (part.int(2), part.get(5)),
            Kind::Dictionary => (part.int(2), None),
        };
        let slots = part.count(1, "the number of values of a page")?;
        let header = Self {
            kind,
            compressed,
            uncompressed: bytes_of(2, "the size of a page")?,
            crc: page.int(4).map(|crc| crc as u32),
            slots: size(slots, MAX_PAGE_SLOTS, "the number of values of a page")?,
            encoding: encoding.unwrap_or(-1),
            statistics: statistics.map(footer::statistics).unwrap_or_default(),
        };
        Ok((header, length))
    }
}

impl Page {
    /// Levels, if they are not compressed with it, and the rest decompressed.
    pub fn decompress(&self, codec: i64) -> Result<Bytes, FileError> {
        let Header {
            kind, uncompressed, ..
        } = self.header;
        let levels = match kind {
            Kind::DataV2 {
                rep_bytes,
                def_bytes,
                ..
            } => rep_bytes + def_bytes,
            _ => 0,
        };
        let is_compressed = !matches!(
            kind,
            Kind::DataV2 {
                is_compressed: false,
                ..
            }
        );
        if !is_compressed || codec == 0 {
            return check_length(self.body.clone(), uncompressed);
        }
        let (levels, values) = self
            .body
            .split_at_checked(levels)
            .ok_or_else(|| FileError::malformed("levels longer than their page"))?;
        let len = uncompressed
            .checked_sub(levels.len())
            .ok_or_else(|| FileError::malformed("levels longer than their page"))?;
        let values = match (values.len(), codec) {
            // Nothing need not be a frame.
            (0, _) if len == 0 => Vec::new(),
            (_, 1) => {
                if snap::raw::decompress_len(values).ok() != Some(len) {
                    return Err(FileError::malformed(
                        "a SNAPPY page of another size than its header says",
                    ));
                }
                let decoded = snap::raw::Decoder::new().decompress_vec(values);
                decoded.map_err(|error| FileError::malformed(format!("SNAPPY: {error}")))?
            }
            (_, 6) => zstd::bulk::decompress(values, len)
                .map_err(|error| FileError::malformed(format!("ZSTD: {error}")))?,
            (_, other) => {
                return Err(FileError::malformed(format!(
                    "pages compressed with {}",
                    codec_name(other)
                )));
            }
        };
        check_length([levels, &values].concat().into(), uncompressed)
    }
}

fn check_length(bytes: Bytes, expected: usize) -> Result<Bytes, FileError> {
    match bytes.len() == expected {
        true => Ok(bytes),
        false => Err(FileError::malformed(format!(
            "a page of {} bytes whose header says {expected}",
            bytes.len()
        ))),
    }
}

/// The pages of a chunk, in order.
pub(crate) struct Pages {
    chunk: Bytes,
    at: usize,
}

impl Pages {
    pub fn new(chunk: Bytes) -> Self {
        Self { chunk, at: 0 }
    }

    /// Bytes that were taken.
    pub fn taken(&self) -> u64 {
        self.at as u64
    }

    /// The next page; none at the end.
    pub fn next(&mut self) -> Result<Option<Page>, FileError> {
        let rest = self.chunk.slice(self.at..);
        if rest.is_empty() {
            return Ok(None);
        }
        let offset = self.at as u64;
        let (header, header_bytes) = Header::read(&rest)?;
        let end = header_bytes + header.compressed;
        if end > rest.len() {
            return Err(FileError::malformed(format!(
                "a page of {} bytes where {} are left of the chunk",
                header.compressed,
                rest.len() - header_bytes
            )));
        }
        self.at += end;
        Ok(Some(Page {
            header,
            offset,
            header_bytes,
            body: rest.slice(header_bytes..end),
        }))
    }
}

pub(crate) fn codec_name(codec: i64) -> String {
    match codec {
        0 => "none".to_owned(),
        1 => "SNAPPY".to_owned(),
        2 => "GZIP".to_owned(),
        4 => "BROTLI".to_owned(),
        6 => "ZSTD".to_owned(),
        7 => "LZ4_RAW".to_owned(),
        other => format!("codec {other}"),
    }
}

pub(crate) fn encoding_name(encoding: i64) -> String {
    match encoding {
        0 => "PLAIN".to_owned(),
        2 => "PLAIN_DICTIONARY".to_owned(),
        3 => "RLE".to_owned(),
        5 => "DELTA_BINARY_PACKED".to_owned(),
        6 => "DELTA_LENGTH_BYTE_ARRAY".to_owned(),
        7 => "DELTA_BYTE_ARRAY".to_owned(),
        8 => "RLE_DICTIONARY".to_owned(),
        9 => "BYTE_STREAM_SPLIT".to_owned(),
        other => format!("encoding {other}"),
    }
}
