//! Pages: their header, checksum and compression.

use bytes::Bytes;
use parquet::basic::Encoding;

use super::compressor::{Compressor, What};
use crate::EncodeError;
use crate::encode::varint;
use crate::pause::Pause;

/// Field types of the compact protocol of Thrift.
const FALSE: u8 = 2;
const I32: u8 = 5;
const STRUCT: u8 = 12;

/// `PageType` of the format.
const DATA_PAGE: i32 = 0;
const DICTIONARY_PAGE: i32 = 2;

/// What a page is besides its body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Data {
        slots: u32,
        encoding: Encoding,
        /// Bytes of each of the streams that the body ends with, or 0.
        stream: usize,
        /// Little repeats in the values.
        is_noise: bool,
    },
    Dictionary {
        entries: u32,
    },
}

/// The beginning of a page's body, compressed as a frame of its own: readers take several frames as one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Bytes before compression.
    len: usize,
    compressed: Vec<u8>,
}

impl Frame {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.compressed.clear();
    }
}

/// A page as it stands in the file.
pub(crate) struct Page {
    pub(crate) bytes: Bytes,
    /// Bytes before compression, header included.
    pub(crate) uncompressed: u64,
}

/// Compresses pages, with buffers that are used again and again.
pub(crate) struct Press {
    values: Compressor,
    noise: Compressor,
    repetition: Compressor,
    dictionaries: Compressor,
    /// What the frames of the page under construction hold, before and after compression.
    framed: usize,
    compressed: Vec<u8>,
    /// The body of the page under construction, behind the frames.
    pub(crate) body: Vec<u8>,
    header: Vec<u8>,
}

impl Press {
    pub(crate) fn new(level: i32) -> Result<Self, EncodeError> {
        Ok(Self {
            values: Compressor::new(level, What::Values)?,
            noise: Compressor::new(level, What::Noise)?,
            repetition: Compressor::new(level, What::Repetition)?,
            dictionaries: Compressor::new(level, What::Dictionary)?,
            framed: 0,
            compressed: Vec::new(),
            body: Vec::new(),
            header: Vec::new(),
        })
    }

    /// Compresses the beginning of a page's body.
    pub(crate) async fn frame<F: AsyncFn()>(
        &mut self,
        bytes: &[u8],
        what: What,
        out: &mut Frame,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        out.clear();
        out.len = bytes.len();
        let compressor = match what {
            What::Repetition => &mut self.repetition,
            _ => &mut self.values,
        };
        compressor.frame(bytes, 0, &mut out.compressed, pause).await
    }

    /// Appends a frame to the page under construction, which has no body yet.
    pub(crate) fn append(&mut self, frame: &Frame) {
        debug_assert!(self.body.is_empty(), "frames stand before the body");
        self.framed += frame.len;
        self.compressed.extend_from_slice(&frame.compressed);
    }

    /// A page of the frames and the body, which are empty afterwards. Pauses after every slice.
    pub(crate) async fn page<F: AsyncFn()>(
        &mut self,
        kind: Kind,
        pause: &mut Pause<F>,
    ) -> Result<Page, EncodeError> {
        let len = self.framed + self.body.len();
        if i32::try_from(len).is_err() {
            return Err(EncodeError::PageTooLarge(len));
        }
        if self.framed == 0 || !self.body.is_empty() {
            let (compressor, stream) = match kind {
                Kind::Data {
                    stream,
                    is_noise: true,
                    ..
                } => (&mut self.noise, stream),
                Kind::Data { stream, .. } => (&mut self.values, stream),
                Kind::Dictionary { .. } => (&mut self.dictionaries, 0),
            };
            let (body, out) = (&self.body, &mut self.compressed);
            compressor.frame(body, stream, out, pause).await?;
        }
        self.header.clear();
        let crc = crc32fast::hash(&self.compressed).cast_signed();
        let lengths = [len as i32, self.compressed.len() as i32];
        header(kind, lengths, crc, &mut self.header);
        let bytes = [&self.header[..], &self.compressed].concat().into();
        self.framed = 0;
        self.compressed.clear();
        self.body.clear();
        let uncompressed = (self.header.len() + len) as u64;
        Ok(Page {
            bytes,
            uncompressed,
        })
    }
}

/// Writes a `PageHeader` in Thrift's compact protocol.
fn header(kind: Kind, [uncompressed, compressed]: [i32; 2], crc: i32, out: &mut Vec<u8>) {
    let page_type = match kind {
        Kind::Data { .. } => DATA_PAGE,
        Kind::Dictionary { .. } => DICTIONARY_PAGE,
    };
    for number in [page_type, uncompressed, compressed, crc] {
        field(1, I32, out);
        integer(number, out);
    }
    match kind {
        Kind::Data {
            slots, encoding, ..
        } => {
            field(1, STRUCT, out);
            let rle = Encoding::RLE as i32;
            for number in [slots.cast_signed(), encoding as i32, rle, rle] {
                field(1, I32, out);
                integer(number, out);
            }
        }
        Kind::Dictionary { entries } => {
            field(3, STRUCT, out);
            for number in [entries.cast_signed(), Encoding::PLAIN as i32] {
                field(1, I32, out);
                integer(number, out);
            }
            field(1, FALSE, out);
        }
    }
    // The end of the inner struct, and of the header.
    out.extend([0, 0]);
}

/// A field whose number is `step` above the one before.
fn field(step: u8, of_type: u8, out: &mut Vec<u8>) {
    out.push(step << 4 | of_type);
}

fn integer(value: i32, out: &mut Vec<u8>) {
    let zigzag = (value << 1) ^ (value >> 31);
    varint(u64::from(zigzag.cast_unsigned()), out);
}
