//! Message framing: one flag byte, four bytes of length, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::status::{Code, Status};
use crate::http::{ChargedBuf, Refused, compression::Encoding};
use crate::memory::Kind;

/// Flag and length.
pub(super) const HEADER_BYTES: usize = 5;
/// Messages smaller than this are sent as they are, even on a compressed call.
const COMPRESS_FROM: usize = 256;

/// A message as it came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) compressed: bool,
    pub(super) payload: Bytes,
}

/// Why a stream of frames cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    TooLarge { size: usize, limit: usize },
    BadFlag(u8),
    OverBudget,
}

impl From<FrameError> for Status {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge { size, limit } => Self::new(
                Code::ResourceExhausted,
                format!("grpc: received message larger than max ({size} vs. {limit})"),
            ),
            FrameError::BadFlag(flag) => Self::new(
                Code::Internal,
                format!("grpc: received unexpected payload format {flag}"),
            ),
            FrameError::OverBudget => Self::over_budget(),
        }
    }
}

/// A message whose rest has not come yet.
struct Partial {
    compressed: bool,
    length: usize,
    data: ChargedBuf,
}

/// Cuts chunks of bytes into messages. A message that lies in one chunk is handed out without a copy.
pub(super) struct FrameDecoder {
    limit: usize,
    chunk: Bytes,
    header: [u8; HEADER_BYTES],
    header_len: usize,
    partial: Option<Partial>,
}

impl FrameDecoder {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: Bytes::new(),
            header: [0; HEADER_BYTES],
            header_len: 0,
            partial: None,
        }
    }

    /// More bytes. Call it when [`FrameDecoder::next`] has returned `None`.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(std::mem::take(&mut self.chunk));
            joined.put(chunk);
            self.chunk = joined.freeze();
        }
    }

    /// Whether the stream may end here.
    pub(super) fn at_boundary(&self) -> bool {
        self.chunk.is_empty() && self.header_len == 0 && self.partial.is_none()
    }

    /// The next whole message, or `None` if more bytes are needed. After an error nothing more comes out that makes sense.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.partial.is_none() {
            let take = (HEADER_BYTES - self.header_len).min(self.chunk.len());
            let target = &mut self.header[self.header_len..self.header_len + take];
            self.chunk.copy_to_slice(target);
            self.header_len += take;
            if self.header_len < HEADER_BYTES {
                return Ok(None);
            }
            self.header_len = 0;
            let [flag, a, b, c, d] = self.header;
            let compressed = match flag {
                0 => false,
                1 => true,
                other => return Err(FrameError::BadFlag(other)),
            };
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            if size > self.limit {
                return Err(FrameError::TooLarge {
                    size,
                    limit: self.limit,
                });
            }
            if self.chunk.len() >= size {
                let payload = self.chunk.split_to(size);
                return Ok(Some(Frame {
                    compressed,
                    payload,
                }));
            }
            let data = ChargedBuf::new(size, Some(size), Kind::Ingest).map_err(over_budget)?;
            self.partial = Some(Partial {
                compressed,
                length: size,
                data,
            });
        }
        let Some(partial) = &mut self.partial else {
            return Ok(None);
        };
        let missing = partial.length - partial.data.len();
        let piece = self.chunk.split_to(missing.min(self.chunk.len()));
        partial.data.extend(&piece).map_err(over_budget)?;
        if partial.data.len() < partial.length {
            return Ok(None);
        }
        Ok(self.partial.take().map(|partial| Frame {
            compressed: partial.compressed,
            payload: partial.data.freeze(),
        }))
    }
}

/// The buffer's own limit is the message's announced length, so only the budget can refuse.
fn over_budget(_: Refused) -> FrameError {
    FrameError::OverBudget
}

/// How messages go out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    pub(super) encoding: Encoding,
    /// Before compression.
    pub(super) max_bytes: usize,
}

/// A message ready to be sent: compressed if that is agreed on and worth it.
pub(super) async fn encode(message: Bytes, how: Outgoing) -> Result<Bytes, Status> {
    let Outgoing {
        encoding,
        max_bytes,
    } = how;
    if message.len() > max_bytes {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!(
                "trying to send message larger than max ({} vs. {max_bytes})",
                message.len()
            ),
        ));
    }
    let compressed = encoding != Encoding::Identity && message.len() >= COMPRESS_FROM;
    let payload = if compressed {
        crate::http::compression::compress(encoding, message)
            .await
            .map_err(|error| {
                Status::new(
                    Code::Internal,
                    format!("grpc: error while compressing: {error}"),
                )
            })?
    } else {
        message
    };
    let length = u32::try_from(payload.len()).map_err(|_| {
        Status::new(
            Code::ResourceExhausted,
            format!("grpc: message too large ({} bytes)", payload.len()),
        )
    })?;
    let mut out = BytesMut::with_capacity(HEADER_BYTES + payload.len());
    out.put_u8(u8::from(compressed));
    out.put_u32(length);
    out.put(payload);
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(messages: &[(bool, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (compressed, payload) in messages {
            out.push(u8::from(*compressed));
            out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
            out.extend_from_slice(payload);
        }
        out
    }

    fn decode(limit: usize, chunks: &[&[u8]]) -> Result<Vec<(bool, Vec<u8>)>, FrameError> {
        let mut decoder = FrameDecoder::new(limit);
        let mut out = Vec::new();
        for chunk in chunks {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = decoder.next()? {
                out.push((frame.compressed, frame.payload.to_vec()));
            }
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn messages_come_out_whole_however_they_are_cut(
            messages in proptest::collection::vec(
                (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
            cuts in proptest::collection::vec(1usize..12, 0..60),
        ) {
            let bytes = wire(&messages);
            let mut chunks = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            chunks.push(rest);
            prop_assert_eq!(decode(40, &chunks), Ok(messages));
        }

        #[test]
        fn any_bytes_end_in_messages_or_an_error(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..8),
        ) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            if let Ok(messages) = decode(1 << 20, &chunks) {
                let given: usize = chunks.iter().map(|chunk| chunk.len()).sum();
                let taken: usize = messages.iter().map(|(_, m)| m.len() + HEADER_BYTES).sum();
                prop_assert!(taken <= given);
            }
        }
    }

    #[test]
    fn limits_and_boundaries() {
        let too_large = FrameError::TooLarge { size: 5, limit: 4 };
        assert_eq!(decode(4, &[b"\0\0\0\0\x05"]), Err(too_large));
        assert_eq!(decode(4, &[b"\x02\0\0\0\x01"]), Err(FrameError::BadFlag(2)));
        let mut decoder = FrameDecoder::new(10);
        assert!(decoder.at_boundary());
        decoder.push(Bytes::from_static(b"\0\0\0\0\x02a"));
        assert_eq!(decoder.next(), Ok(None));
        assert!(!decoder.at_boundary());
        decoder.push(Bytes::from_static(b"b"));
        assert!(decoder.next().unwrap().is_some());
        assert!(decoder.at_boundary());
    }
}
