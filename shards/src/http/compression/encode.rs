//! Compression of answers and of gRPC messages.

use std::io::{self, Write};

use bytes::Bytes;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::Encoding;

/// Input taken between two breaths: some 200 us of gzip.
const CHUNK: usize = 16 * 1024;
/// Fast settings: answers are compressed once and read once.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// Whether the client takes gzip (`gzip` or `*` without `q=0`).
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut by_name = None;
    let mut by_star = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(value) = value.to_str() else { continue };
        for part in value.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let name = pieces.next().unwrap_or_default();
            let weight = pieces
                .find_map(|piece| piece.strip_prefix("q="))
                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
            if name.eq_ignore_ascii_case("gzip") {
                by_name = Some(weight > 0.0);
            } else if name == "*" {
                by_star = Some(weight > 0.0);
            }
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

/// Compresses; identity returns the input. Snappy comes out framed. Fails only if an encoder cannot be set up.
pub async fn compress(encoding: Encoding, input: Bytes) -> io::Result<Bytes> {
    let out = Vec::with_capacity(input.len() / 4 + 64);
    let out = match encoding {
        Encoding::Identity => return Ok(input),
        Encoding::Gzip => {
            let level = flate2::Compression::new(GZIP_LEVEL);
            let encoder = flate2::write::GzEncoder::new(out, level);
            feed(encoder, &input).await?.finish()?
        }
        Encoding::Deflate => {
            let level = flate2::Compression::new(GZIP_LEVEL);
            let encoder = flate2::write::ZlibEncoder::new(out, level);
            feed(encoder, &input).await?.finish()?
        }
        Encoding::Zstd => {
            let encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
            feed(encoder, &input).await?.finish()?
        }
        Encoding::Snappy => {
            let encoder = snap::write::FrameEncoder::new(out);
            feed(encoder, &input)
                .await?
                .into_inner()
                .map_err(|error| error.into_error())?
        }
        Encoding::Lz4 => {
            let encoder = lz4_flex::frame::FrameEncoder::new(out);
            feed(encoder, &input)
                .await?
                .finish()
                .map_err(io::Error::other)?
        }
    };
    Ok(Bytes::from(out))
}

async fn feed<W: Write>(mut encoder: W, input: &[u8]) -> io::Result<W> {
    for chunk in input.chunks(CHUNK) {
        encoder.write_all(chunk)?;
        crate::breathe().await;
    }
    Ok(encoder)
}
