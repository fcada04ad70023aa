//! What goes into the ingest log: a header around a [`SpanBatch`].
//!
//! ```text
//! offset  bytes
//!      0  4    magic "VIVR": no protobuf message can begin with 'V', so upstream's records are told apart
//!      4  2    format version, 1
//!      6  2    flags: bit 0 = not for the metrics generator; a reader refuses flags it does not know
//!      8  8    when the spans were received, Unix nanoseconds
//!     16  4    length of the tenant id
//!     20  4    length of the batch
//!     24  n    tenant id, UTF-8
//!              zeros up to a multiple of 8
//!              the batch, to the end of the record
//! ```
//! All numbers are little-endian. The batch begins 8-byte aligned when the record does, so it is read
//! in place. There is no checksum: the log has one around the whole record.

mod foreign;
#[cfg(test)]
mod tests;

use bytes::{BufMut as _, Bytes, BytesMut};
use vivace_model::{SpanBatch, VerifyError};

pub use foreign::{ForeignRecord, ForeignTrace};

const MAGIC: [u8; 4] = *b"VIVR";
const VERSION: u16 = 1;
const FIXED: usize = 24;
const FLAG_SKIP_METRICS_GENERATION: u16 = 1;

/// What a record says about its spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub tenant: String,
    /// When the request with the spans was received.
    pub received_unix_nano: u64,
    /// The metrics generator leaves these spans out.
    pub skip_metrics_generation: bool,
}

/// A record of either format.
#[derive(Debug, Clone)]
pub enum Record {
    Vivace(Header, SpanBatch),
    /// Written by an upstream distributor; the tenant is the key of the log entry.
    Foreign(ForeignRecord),
}

/// Why a record can't be read. The same record never gets better.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordError {
    #[error("the record is empty")]
    Empty,
    #[error("the record is cut off: {have} bytes of {want}")]
    CutOff { have: usize, want: usize },
    #[error(
        "the record has format version {0}; this build reads version {VERSION}: it was written by a newer one"
    )]
    UnknownVersion(u16),
    #[error(
        "the record has flags {0:#06x} that this build does not know: it was written by a newer one"
    )]
    UnknownFlags(u16),
    #[error("the record's header is malformed: {0}")]
    Header(&'static str),
    #[error("the spans of the record are malformed: {0}")]
    Batch(#[from] VerifyError),
    #[error("the record is in the upstream format, where a SpanBatch record is needed")]
    Foreign,
    #[error("the record is neither in this format nor in the upstream one: {0}")]
    NeitherFormat(String),
}

impl RecordError {
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// The parts of a record, in order: the header, and the batch's own bytes.
pub fn encode(header: &Header, batch: &SpanBatch) -> Vec<Bytes> {
    let tenant = header.tenant.as_bytes();
    let flags = if header.skip_metrics_generation {
        FLAG_SKIP_METRICS_GENERATION
    } else {
        0
    };
    let length = (FIXED + tenant.len()).next_multiple_of(8);
    let mut out = BytesMut::with_capacity(length);
    out.put_slice(&MAGIC);
    out.put_u16_le(VERSION);
    out.put_u16_le(flags);
    out.put_u64_le(header.received_unix_nano);
    // A tenant id is some 150 bytes at most (write-path.md §2.1), a flatbuffer below 2 GiB.
    out.put_u32_le(tenant.len() as u32);
    out.put_u32_le(batch.as_bytes().len() as u32);
    out.put_slice(tenant);
    out.resize(length, 0);
    vec![out.freeze(), batch.as_bytes().clone()]
}

/// Reads a record of this format, checking all of it. An upstream record is [`RecordError::Foreign`].
pub fn decode(record: Bytes) -> Result<(Header, SpanBatch), RecordError> {
    match decode_any(record)? {
        Record::Vivace(header, batch) => Ok((header, batch)),
        Record::Foreign(_) => Err(RecordError::Foreign),
    }
}

/// [`decode`] of a record that still lies in pieces, as [`encode`] made it: nothing is copied then.
/// Pieces cut in any other way are joined first.
pub fn decode_parts(parts: &[Bytes]) -> Result<(Header, SpanBatch), RecordError> {
    if let [head, body] = parts
        && let Ok((header, begin, length)) = decode_header(head)
        && (begin, length) == (head.len(), body.len())
    {
        return Ok((header, SpanBatch::verify(body.clone())?));
    }
    decode(parts.concat().into())
}

/// Reads a record of either format, checking all of it (of an upstream record: its outer message).
pub fn decode_any(record: Bytes) -> Result<Record, RecordError> {
    if record.is_empty() {
        return Err(RecordError::Empty);
    }
    if !record.starts_with(&MAGIC) {
        return ForeignRecord::decode(record).map(Record::Foreign);
    }
    let (header, begin, length) = decode_header(&record)?;
    let want = begin + length;
    match record.len() {
        have if have < want => return Err(RecordError::CutOff { have, want }),
        have if have > want => return Err(RecordError::Header("there are bytes behind the batch")),
        _ => {}
    }
    let batch = SpanBatch::verify(record.slice(begin..want))?;
    Ok(Record::Vivace(header, batch))
}

/// Reads only the header of a record: also where the batch begins, and its length.
pub fn decode_header(record: &[u8]) -> Result<(Header, usize, usize), RecordError> {
    let cut_off = |want| RecordError::CutOff {
        have: record.len(),
        want,
    };
    let fixed = record.get(..FIXED).ok_or_else(|| cut_off(FIXED))?;
    if fixed[..4] != MAGIC {
        return Err(RecordError::Header(
            "it does not begin with the format's magic",
        ));
    }
    let u16_at = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let u32_at = |at: usize| usize::from(u16_at(at)) | usize::from(u16_at(at + 2)) << 16;
    if u16_at(4) != VERSION {
        return Err(RecordError::UnknownVersion(u16_at(4)));
    }
    let flags = u16_at(6);
    if flags & !FLAG_SKIP_METRICS_GENERATION != 0 {
        return Err(RecordError::UnknownFlags(flags));
    }
    let tenant_end = FIXED + u32_at(16);
    let begin = tenant_end.next_multiple_of(8);
    let tenant = record
        .get(FIXED..tenant_end)
        .ok_or_else(|| cut_off(begin))?;
    let tenant = std::str::from_utf8(tenant)
        .map_err(|_| RecordError::Header("the tenant id is not UTF-8"))?;
    let header = Header {
        tenant: tenant.to_owned(),
        received_unix_nano: u32_at(8) as u64 | (u32_at(12) as u64) << 32,
        skip_metrics_generation: flags & FLAG_SKIP_METRICS_GENERATION != 0,
    };
    Ok((header, begin, u32_at(20)))
}
