//! Decompression with bounded output.

use std::io::Read;

use bytes::{Buf, Bytes};

use super::{DecodeError, Encoding};
use crate::http::charged::{ChargedBuf, Refused};
use crate::memory::Kind;

/// Output made between two breaths: some 50 us of gzip.
const CHUNK: usize = 32 * 1024;
/// A snappy block cannot be decoded in pieces; one with more output than this leaves the shard.
const BLOCK_ON_SHARD: usize = 128 * 1024;
/// The smallest and largest window (log2) a zstd frame may ask memory for; between them the output limit decides.
const ZSTD_WINDOW_LOG: (u32, u32) = (23, 27);
/// The first chunk of snappy's frame format.
const SNAPPY_FRAME_MAGIC: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// Memory a decoder may hold besides its output, charged while it runs.
const DECODER_STATE: u64 = 256 * 1024;

/// Decompresses `input` to at most `limit` bytes. Identity returns the input itself, if it is within the limit.
///
/// The result is charged to the shard's budget as ingest data for as long as it is held.
pub async fn decompress(
    encoding: Encoding,
    input: Bytes,
    limit: usize,
) -> Result<Bytes, DecodeError> {
    let corrupt = |reason: &dyn std::fmt::Display| DecodeError::Corrupt {
        encoding: encoding.name(),
        reason: reason.to_string(),
    };
    if encoding == Encoding::Identity {
        return if input.len() > limit {
            Err(DecodeError::TooLarge { limit })
        } else {
            Ok(input)
        };
    }
    let state = match encoding {
        Encoding::Zstd => DECODER_STATE + (1 << zstd_window_log(limit)).min(4 * input.len() as u64),
        _ => DECODER_STATE.min(64 * 1024 + input.len() as u64),
    };
    let _state =
        crate::memory::try_charge(state, Kind::Ingest).map_err(|_| DecodeError::OverBudget)?;
    let pumped = match encoding {
        Encoding::Identity => return Ok(input),
        Encoding::Gzip => pump(flate2::bufread::MultiGzDecoder::new(input.reader()), limit).await,
        Encoding::Deflate if is_zlib(&input) => {
            pump(flate2::bufread::ZlibDecoder::new(input.reader()), limit).await
        }
        Encoding::Deflate => {
            pump(flate2::bufread::DeflateDecoder::new(input.reader()), limit).await
        }
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input.reader())
                .map_err(|error| corrupt(&error))?;
            decoder
                .window_log_max(zstd_window_log(limit))
                .map_err(|error| corrupt(&error))?;
            pump(decoder, limit).await
        }
        Encoding::Snappy if input.starts_with(SNAPPY_FRAME_MAGIC) => {
            pump(snap::read::FrameDecoder::new(input.reader()), limit).await
        }
        Encoding::Snappy => return snappy_block(input, limit).await,
        Encoding::Lz4 => pump(lz4_flex::frame::FrameDecoder::new(input.reader()), limit).await,
    };
    match pumped {
        Ok(Ok(buffer)) => Ok(buffer.freeze()),
        Ok(Err(Refused::TooLarge)) => Err(DecodeError::TooLarge { limit }),
        Ok(Err(Refused::OverBudget)) => Err(DecodeError::OverBudget),
        Err(error) => Err(corrupt(&error)),
    }
}

async fn pump(mut reader: impl Read, limit: usize) -> std::io::Result<Result<ChargedBuf, Refused>> {
    let mut out = match ChargedBuf::new(limit, None, Kind::Ingest) {
        Ok(out) => out,
        Err(refused) => return Ok(Err(refused)),
    };
    loop {
        match out.read_from(&mut reader, CHUNK)? {
            Ok(0) => return Ok(Ok(out)),
            Ok(_) => crate::breathe().await,
            Err(refused) => return Ok(Err(refused)),
        }
    }
}

/// A zlib header: method 8 and a check value that divides by 31. A raw stream passes for one once in some thousand.
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [cmf, flg, ..] => cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0,
        _ => true,
    }
}

fn zstd_window_log(limit: usize) -> u32 {
    let (low, high) = ZSTD_WINDOW_LOG;
    (usize::BITS - limit.leading_zeros()).clamp(low, high)
}

async fn snappy_block(input: Bytes, limit: usize) -> Result<Bytes, DecodeError> {
    if input.is_empty() {
        // A frame encoder that was given nothing writes nothing.
        return Ok(input);
    }
    let corrupt = |error: &dyn std::fmt::Display| DecodeError::Corrupt {
        encoding: Encoding::Snappy.name(),
        reason: error.to_string(),
    };
    let length = snap::raw::decompress_len(&input).map_err(|error| corrupt(&error))?;
    if length > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    // The block claims its length; a claim that the format cannot reach (a copy of 64 bytes takes 3) is not believed.
    if length > input.len().saturating_mul(64) {
        return Err(corrupt(&"the block is shorter than its length says"));
    }
    let refused = |refused| match refused {
        Refused::TooLarge => DecodeError::TooLarge { limit },
        Refused::OverBudget => DecodeError::OverBudget,
    };
    let mut out = ChargedBuf::new(length, None, Kind::Ingest).map_err(refused)?;
    let decode = move |input: Bytes| snap::raw::Decoder::new().decompress_vec(&input);
    let data = if length > BLOCK_ON_SHARD {
        crate::side::blocking(move || decode(input))
            .await
            .map_err(|error| corrupt(&error))?
    } else {
        decode(input)
    };
    let data = data.map_err(|error| corrupt(&error))?;
    out.extend(&data).map_err(refused)?;
    Ok(out.freeze())
}
