//! Pages: their header, checksum and compression.

use parquet::basic::Encoding;
use zstd::stream::raw::{Encoder, InBuffer, Operation as _, OutBuffer};

use crate::EncodeError;
use crate::encode::varint;
use crate::limits::COMPRESSED_AT_ONCE;
use crate::pause::Pause;

/// Room that the compressor always has for what it writes.
const ROOM: usize = 1 << 10;

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
    Data { slots: u32, encoding: Encoding },
    Dictionary { entries: u32 },
}

/// Compresses pages, with buffers that are used again and again.
pub(crate) struct Press {
    compressor: Encoder<'static>,
    /// The body of the page under construction.
    pub(crate) body: Vec<u8>,
    compressed: Vec<u8>,
    header: Vec<u8>,
}

impl Press {
    pub(crate) fn new(level: i32) -> Result<Self, EncodeError> {
        Ok(Self {
            compressor: Encoder::new(level).map_err(EncodeError::Zstd)?,
            body: Vec::new(),
            compressed: Vec::new(),
            header: Vec::new(),
        })
    }

    /// Appends a page with the body, and empties the body. Returns the bytes of the page before compression, header
    /// included. Pauses after every slice.
    pub(crate) async fn page<F: AsyncFn()>(
        &mut self,
        kind: Kind,
        out: &mut Vec<u8>,
        pause: &mut Pause<F>,
    ) -> Result<usize, EncodeError> {
        if i32::try_from(self.body.len()).is_err() {
            return Err(EncodeError::PageTooLarge(self.body.len()));
        }
        self.begin().map_err(EncodeError::Zstd)?;
        let mut slice = 0;
        while slice < self.body.len() {
            slice = self.compress(slice).map_err(EncodeError::Zstd)?;
            pause.now().await;
        }
        self.end().map_err(EncodeError::Zstd)?;
        self.header.clear();
        let crc = crc32fast::hash(&self.compressed).cast_signed();
        let lengths = [self.body.len() as i32, self.compressed.len() as i32];
        header(kind, lengths, crc, &mut self.header);
        out.extend_from_slice(&self.header);
        out.extend_from_slice(&self.compressed);
        let uncompressed = self.header.len() + self.body.len();
        self.body.clear();
        Ok(uncompressed)
    }

    fn begin(&mut self) -> std::io::Result<()> {
        let len = self.body.len();
        self.compressed.clear();
        self.compressed
            .reserve(zstd::zstd_safe::compress_bound(len));
        self.compressor.reinit()?;
        self.compressor.set_pledged_src_size(Some(len as u64))
    }

    /// Compresses the slice that begins at a place, and returns where the next one does.
    fn compress(&mut self, start: usize) -> std::io::Result<usize> {
        let end = (start + COMPRESSED_AT_ONCE).min(self.body.len());
        let mut input = InBuffer::around(&self.body[start..end]);
        while input.pos < end - start {
            self.compressed.reserve(ROOM);
            let done = self.compressed.len();
            let mut output = OutBuffer::around_pos(&mut self.compressed, done);
            self.compressor.run(&mut input, &mut output)?;
        }
        Ok(end)
    }

    fn end(&mut self) -> std::io::Result<()> {
        loop {
            self.compressed.reserve(ROOM);
            let done = self.compressed.len();
            let mut output = OutBuffer::around_pos(&mut self.compressed, done);
            if self.compressor.finish(&mut output, true)? == 0 {
                return Ok(());
            }
        }
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
        Kind::Data { slots, encoding } => {
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
