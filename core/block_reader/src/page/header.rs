//! Page headers.

use crate::error::Malformed;
use crate::limits::{MAX_PAGE_BYTES, MAX_PAGE_HEADER_BYTES, MAX_PAGE_LEVELS};
use crate::thrift::{Decoded, Thrift, kind};

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    Dictionary,
    /// Levels with their lengths before them, all compressed together.
    DataV1,
    /// Levels of known lengths, not compressed.
    DataV2 {
        rows: u32,
        rep_bytes: usize,
        def_bytes: usize,
        is_compressed: bool,
    },
}

/// A page header; sizes are within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: PageKind,
    /// Bytes of the header itself.
    pub bytes: usize,
    pub compressed: usize,
    pub uncompressed: usize,
    pub crc: Option<u32>,
    /// Level slots of data pages, values of dictionaries.
    pub values: usize,
    pub encoding: i32,
}

#[derive(Default)]
struct Inner {
    values: Option<u64>,
    encoding: Option<i64>,
    level_encodings: [Option<i64>; 2],
    rows: Option<u64>,
    level_bytes: [Option<u64>; 2],
    is_compressed: Option<bool>,
}

fn missing(what: &'static str) -> Malformed {
    Malformed::new(format!("a page header without {what}"))
}

fn size(value: Option<u64>, most: usize, what: &'static str) -> Decoded<usize> {
    let value = value.ok_or_else(|| missing(what))?;
    usize::try_from(value)
        .ok()
        .filter(|&value| value <= most)
        .ok_or_else(|| {
            Malformed::new(format!(
                "a page with {what} {value}: at most {most} is possible"
            ))
        })
}

fn inner(thrift: &mut Thrift<'_>, is_v2: bool) -> Decoded<Inner> {
    let mut inner = Inner::default();
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match (is_v2, field.id, field.kind) {
            (_, 1, kind::I32) => inner.values = Some(thrift.count()?),
            (false, 2, kind::I32) | (true, 4, kind::I32) => inner.encoding = Some(thrift.int()?),
            (false, 3, kind::I32) => inner.level_encodings[0] = Some(thrift.int()?),
            (false, 4, kind::I32) => inner.level_encodings[1] = Some(thrift.int()?),
            (true, 3, kind::I32) => inner.rows = Some(thrift.count()?),
            (true, 5, kind::I32) => inner.level_bytes[1] = Some(thrift.count()?),
            (true, 6, kind::I32) => inner.level_bytes[0] = Some(thrift.count()?),
            (true, 7, kind::TRUE | kind::FALSE) => {
                inner.is_compressed = Some(field.kind == kind::TRUE);
            }
            (_, _, kind) => thrift.skip(kind)?,
        }
    }
    Ok(inner)
}

impl Header {
    /// The header that `bytes` begin with.
    pub fn parse(bytes: &[u8]) -> Decoded<Self> {
        let mut thrift = Thrift::new(&bytes[..bytes.len().min(MAX_PAGE_HEADER_BYTES)]);
        let (mut number, mut uncompressed, mut compressed, mut crc) = (None, None, None, None);
        let (mut v1, mut dictionary, mut v2) = (None, None, None);
        let mut last = 0;
        while let Some(field) = thrift.field(&mut last)? {
            match (field.id, field.kind) {
                (1, kind::I32) => number = Some(thrift.int()?),
                (2, kind::I32) => uncompressed = Some(thrift.count()?),
                (3, kind::I32) => compressed = Some(thrift.count()?),
                (4, kind::I32) => crc = Some(thrift.int()? as u32),
                (5, kind::STRUCT) => v1 = Some(inner(&mut thrift, false)?),
                (7, kind::STRUCT) => dictionary = Some(inner(&mut thrift, false)?),
                (8, kind::STRUCT) => v2 = Some(inner(&mut thrift, true)?),
                (_, kind) => thrift.skip(kind)?,
            }
        }
        let uncompressed = size(uncompressed, MAX_PAGE_BYTES, "an uncompressed size of")?;
        let (kind, inner) = match number.ok_or_else(|| missing("a type"))? {
            0 => (PageKind::DataV1, v1),
            2 => (PageKind::Dictionary, dictionary),
            3 => {
                let inner = v2.ok_or_else(|| missing("its second part"))?;
                let kind = PageKind::DataV2 {
                    rows: size(inner.rows, MAX_PAGE_LEVELS, "a number of rows of")? as u32,
                    rep_bytes: size(
                        inner.level_bytes[0],
                        uncompressed,
                        "repetition level bytes of",
                    )?,
                    def_bytes: size(
                        inner.level_bytes[1],
                        uncompressed,
                        "definition level bytes of",
                    )?,
                    is_compressed: inner.is_compressed.unwrap_or(true),
                };
                (kind, Some(inner))
            }
            other => return Err(Malformed::new(format!("a page of type {other}"))),
        };
        let inner = inner.ok_or_else(|| missing("its second part"))?;
        const RLE: i64 = crate::encoding::number::RLE as i64;
        if kind == PageKind::DataV1
            && inner
                .level_encodings
                .iter()
                .flatten()
                .any(|&encoding| encoding != RLE)
        {
            return Err(Malformed::new("levels in an encoding other than RLE"));
        }
        Ok(Self {
            kind,
            bytes: thrift.position(),
            compressed: size(compressed, MAX_PAGE_BYTES, "a compressed size of")?,
            uncompressed,
            crc,
            values: size(inner.values, MAX_PAGE_LEVELS, "a number of values of")?,
            encoding: inner
                .encoding
                .and_then(|encoding| i32::try_from(encoding).ok())
                .ok_or_else(|| missing("an encoding"))?,
        })
    }
}
