//! Compression of pages.

use std::cell::RefCell;

use bytes::Bytes;
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

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

/// Pages of at most this size are decompressed at once; of larger ones that much between two looks.
const WHOLE_BYTES: usize = 128 << 10;

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

impl Codec {
    /// The beginning of what `decompress` gives, up to some bytes after which `is_enough` is satisfied; or all of it.
    pub(crate) fn decompress_until(
        self,
        bytes: &Bytes,
        len: usize,
        mut is_enough: impl FnMut(&[u8]) -> bool,
    ) -> Decoded<Bytes> {
        if self != Self::Zstd || len <= WHOLE_BYTES || len > MAX_PAGE_BYTES {
            return self.decompress(bytes, len);
        }
        let broken = |error: std::io::Error| Malformed::new(format!("a broken ZSTD page: {error}"));
        let mut decoder = Decoder::new().map_err(broken)?;
        let mut out = Vec::new();
        let mut input = InBuffer::around(bytes);
        loop {
            let before = out.len();
            out.reserve(WHOLE_BYTES);
            let mut output = OutBuffer::around_pos(&mut out, before);
            let hint = decoder.run(&mut input, &mut output).map_err(broken)?;
            if out.len() > len {
                return Err(Malformed::new(format!(
                    "a page of more bytes than the {len} its header says"
                )));
            }
            if is_enough(&out) {
                return Ok(out.into());
            }
            let is_read = input.pos == bytes.len();
            if is_read && (hint == 0 || out.len() == before) {
                break;
            }
        }
        if out.len() != len {
            return Err(Malformed::new(format!(
                "a page of {} bytes whose header says {len}",
                out.len()
            )));
        }
        Ok(out.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that don't repeat much.
    fn body(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as u8
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn the_beginning_of_a_large_page() {
        let body = body(3_000_000);
        let pressed = Bytes::from(zstd::bulk::compress(&body, 3).unwrap());
        for wanted in [0, 1, 200_000, 2_999_999] {
            let enough = |out: &[u8]| out.len() >= wanted;
            let out = Codec::Zstd
                .decompress_until(&pressed, body.len(), enough)
                .unwrap();
            assert!(out.len() >= wanted && out.len() <= wanted + 2 * WHOLE_BYTES);
            assert_eq!(out, body[..out.len()]);
        }
        let whole = Codec::Zstd.decompress_until(&pressed, body.len(), |_| false);
        assert_eq!(whole.unwrap(), body);
        // Not as long as the header says, cut off, and no zstd at all.
        for (bytes, len) in [
            (pressed.clone(), body.len() + 1),
            (pressed.clone(), body.len() - 1),
            (pressed.slice(..pressed.len() - 9), body.len()),
            (Bytes::from(body.clone()), body.len()),
        ] {
            assert!(
                Codec::Zstd
                    .decompress_until(&bytes, len, |_| false)
                    .is_err()
            );
        }
    }

    /// Several frames are one page.
    #[test]
    fn frames_one_after_the_other() {
        let body = body(1_000_000);
        let mut pressed = zstd::bulk::compress(&body[..300_000], 3).unwrap();
        pressed.extend(zstd::bulk::compress(&body[300_000..], 3).unwrap());
        let pressed = Bytes::from(pressed);
        let out = Codec::Zstd.decompress_until(&pressed, body.len(), |out| out.len() > 600_000);
        let out = out.unwrap();
        assert_eq!(out, body[..out.len()]);
        let whole = Codec::Zstd.decompress_until(&pressed, body.len(), |_| false);
        assert_eq!(whole.unwrap(), body);
    }
}
