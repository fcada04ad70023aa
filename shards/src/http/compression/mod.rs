//! Content encodings: bounded decompression of what clients send, gzip of what they get.
//!
//! Decompressing stops at a limit given in bytes of output, so a bomb costs its limit and no more; the output is charged to the
//! memory budget; long work breathes between pieces.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::decompress;
pub use encode::{accepts_gzip, compress};

/// How a body or message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952, several members allowed.
    Gzip,
    /// RFC 8878, several frames allowed.
    Zstd,
    /// RFC 1950 (zlib); a raw RFC 1951 stream is taken too, as some clients send it under this name.
    Deflate,
    /// Snappy, framed or one block: told apart by the frame format's first chunk.
    Snappy,
    /// LZ4 frames.
    Lz4,
}

impl Encoding {
    /// The encoding of a `Content-Encoding` or `grpc-encoding` value; `None` if it is not known.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let known: [(&str, Self); 10] = [
            ("", Self::Identity),
            ("identity", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
            ("zlib", Self::Deflate),
            ("deflate", Self::Deflate),
            ("snappy", Self::Snappy),
            ("x-snappy-framed", Self::Snappy),
            ("lz4", Self::Lz4),
        ];
        known
            .iter()
            .find(|(name, _)| value.eq_ignore_ascii_case(name))
            .map(|(_, encoding)| *encoding)
    }

    /// The name used in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
        }
    }
}

/// Why a body could not be decompressed (or, for the last kind, compressed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The output would pass the limit.
    #[error("decompressed body larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The input is not what its encoding says.
    #[error("{encoding}: {reason}")]
    Corrupt {
        /// The encoding's name.
        encoding: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// The shard's memory budget is used up.
    #[error("memory budget used up while decompressing")]
    OverBudget,
}

impl DecodeError {
    /// Whether the same request can succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::OverBudget)
    }
}
