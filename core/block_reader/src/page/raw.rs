//! The parts of a page, not decoded yet.

use bytes::Bytes;
use vivace_block::schema::Physical;

use super::codec::Codec;
use super::column::Shape;
use super::header::{Header, PageKind};
use crate::encoding::decode::{self, Pick};
use crate::encoding::{hybrid::Hybrid, number};
use crate::error::Malformed;
use crate::thrift::Decoded;
use crate::values::{Budget, BytesDictionary, Dictionary, Values};

/// A data page: its levels decompressed, its values perhaps not yet.
pub(crate) struct RawPage {
    pub header: Header,
    rep: Bytes,
    def: Bytes,
    values: Bytes,
    codec: Codec,
    value_bytes: usize,
}

/// The bits that levels up to `max` take.
fn level_width(max: u8) -> u32 {
    u8::BITS - max.leading_zeros()
}

fn body(bytes: &Bytes, header: &Header) -> Decoded<Bytes> {
    let end = header.bytes + header.compressed;
    if end > bytes.len() {
        return Err(Malformed::new(format!(
            "a page of {end} bytes where {} are left",
            bytes.len()
        )));
    }
    let body = bytes.slice(header.bytes..end);
    match header.crc {
        Some(crc) if crc != crc32fast::hash(&body) => {
            Err(Malformed::new("a page whose checksum is wrong"))
        }
        _ => Ok(body),
    }
}

/// Levels of v1 stand behind their length.
fn prefixed(body: &mut Bytes) -> Decoded<Bytes> {
    let ends = || Malformed::new("a page that ends within its levels");
    let length = body.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let length = length.ok_or_else(ends)? as usize;
    let mut levels = body.split_off(4);
    if length > levels.len() {
        return Err(ends());
    }
    *body = levels.split_off(length);
    Ok(levels)
}

impl RawPage {
    /// The data page whose header `bytes` begin with.
    pub fn new(header: Header, bytes: &Bytes, codec: Codec, shape: Shape) -> Decoded<Self> {
        let mut values = body(bytes, &header)?;
        let (mut rep, mut def) = (Bytes::new(), Bytes::new());
        match header.kind {
            PageKind::Dictionary => Err(Malformed::new("a dictionary where values should be")),
            PageKind::DataV1 => {
                values = codec.decompress(&values, header.uncompressed)?;
                if shape.max_rep > 0 {
                    rep = prefixed(&mut values)?;
                }
                if shape.max_def > 0 {
                    def = prefixed(&mut values)?;
                }
                let value_bytes = values.len();
                let codec = Codec::None;
                Ok(Self {
                    header,
                    rep,
                    def,
                    values,
                    codec,
                    value_bytes,
                })
            }
            PageKind::DataV2 {
                rep_bytes,
                def_bytes,
                is_compressed,
                ..
            } => {
                let levels = rep_bytes + def_bytes;
                if levels > values.len() || levels > header.uncompressed {
                    return Err(Malformed::new("a page that ends within its levels"));
                }
                def = values.split_to(levels);
                rep = def.split_to(rep_bytes);
                let codec = if is_compressed { codec } else { Codec::None };
                let value_bytes = header.uncompressed - levels;
                Ok(Self {
                    header,
                    rep,
                    def,
                    values,
                    codec,
                    value_bytes,
                })
            }
        }
    }

    /// Rows that begin in the page, where the header says so and the levels are under a checksum. Otherwise they have to
    /// be counted: a broken level could make one row look like another.
    pub fn rows(&self) -> Option<u64> {
        match self.header.kind {
            PageKind::DataV2 { rows, .. } if self.header.crc.is_some() => Some(rows.into()),
            _ => None,
        }
    }

    pub fn rep_levels(&self, max_rep: u8) -> Decoded<Hybrid<'_>> {
        Hybrid::new(&self.rep, level_width(max_rep))
    }

    pub fn def_levels(&self, max_def: u8) -> Decoded<Hybrid<'_>> {
        Hybrid::new(&self.def, level_width(max_def))
    }

    /// The encoded values. Some writers compress no values to no bytes.
    pub fn values(&self) -> Decoded<Bytes> {
        if self.value_bytes == 0 {
            return Ok(Bytes::new());
        }
        self.codec.decompress(&self.values, self.value_bytes)
    }
}

/// The dictionary page whose header `bytes` begin with; of one of texts the first `most` entries will do.
pub(crate) fn dictionary(
    header: Header,
    bytes: &Bytes,
    codec: Codec,
    physical: Physical,
    most: usize,
) -> Decoded<Dictionary> {
    if header.kind != PageKind::Dictionary {
        return Err(Malformed::new("values where a dictionary should be"));
    }
    if !matches!(header.encoding, number::PLAIN | number::PLAIN_DICTIONARY) {
        return Err(Malformed::new(format!(
            "a dictionary in encoding {}",
            header.encoding
        )));
    }
    let body = body(bytes, &header)?;
    if physical == Physical::ByteArray && header.uncompressed > 0 && most < header.values {
        let mut entries = BytesDictionary::default();
        let enough = |page: &[u8]| entries.extend(page, most);
        let page = codec.decompress_until(&body, header.uncompressed, enough)?;
        return entries.finish(page, most).map(Dictionary::Bytes);
    }
    let page = match header.uncompressed {
        0 => Bytes::new(),
        len => codec.decompress(&body, len)?,
    };
    if physical == Physical::ByteArray {
        return BytesDictionary::parse(page, header.values).map(Dictionary::Bytes);
    }
    let mut values: Values = decode::none_of(physical);
    let pick = Pick {
        skip: 0,
        take: header.values,
    };
    // Numbers take at least a bit each in the page, which has its own limit.
    let mut budget = Budget::new(usize::MAX);
    decode::values(number::PLAIN, &page, pick, &mut budget, &mut values)?;
    Ok(Dictionary::Numbers(values))
}
