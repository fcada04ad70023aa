//! Compression of pages.

use std::cell::RefCell;

use bytes::Bytes;

use crate::error::Malformed;
use crate::limits::MAX_PAGE_BYTES;
use crate::thrift::Decoded;

/// How the pages of a chunk are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Snappy,
    Zstd,
}

/// Three bytes of Snappy make at most 64: what claims more is not worth memory.
const SNAPPY_MOST: usize = 22;

impl Codec {
    /// Exactly `len` bytes.
    pub(crate) fn decompress(self, bytes: &Bytes, len: usize) -> Decoded<Bytes> {
        if len > MAX_PAGE_BYTES {
            return Err(Malformed::new(format!(
                "a page of {len} bytes: at most {MAX_PAGE_BYTES} are possible"
            )));
        }
        let out = match self {
            Self::None => bytes.clone(),
            Self::Snappy => {
                if snap::raw::decompress_len(bytes).ok() != Some(len)
                    || len > bytes.len().saturating_mul(SNAPPY_MOST)
                {
                    return Err(Malformed::new(
                        "a SNAPPY page of another size than its header says",
                    ));
                }
                let mut out = vec![0; len];
                snap::raw::Decoder::new()
                    .decompress(bytes, &mut out)
                    .map_err(|error| Malformed::new(format!("a broken SNAPPY page: {error}")))?;
                out.into()
            }
            Self::Zstd => {
                let mut out = Vec::with_capacity(len);
                zstd(bytes, &mut out)
                    .map_err(|error| Malformed::new(format!("a broken ZSTD page: {error}")))?;
                out.into()
            }
        };
        if out.len() != len {
            return Err(Malformed::new(format!(
                "a page of {} bytes whose header says {len}",
                out.len()
            )));
        }
        Ok(out)
    }
}

thread_local! {
    /// To make one takes longer than to decompress a small page, and a trace takes some 70 pages.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// One or several frames, up to the capacity of `out`.
fn zstd(bytes: &[u8], out: &mut Vec<u8>) -> std::io::Result<usize> {
    ZSTD.with_borrow_mut(|kept| {
        let mut decompressor = match kept.take() {
            Some(decompressor) => decompressor,
            None => zstd::bulk::Decompressor::new()?,
        };
        let len = decompressor.decompress_to_buffer(bytes, out)?;
        // After an error the context is dropped.
        *kept = Some(decompressor);
        Ok(len)
    })
}
