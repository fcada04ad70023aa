//! The frame around one record, as it lies in a segment.
//!
//! ```text
//! byte  0  magic            u32   "VLF1"
//!       4  length           u32   bytes of payload
//!       8  offset           u64   of this record in its partition
//!      16  durable_before   u64   first offset not known durable when this frame was written
//!      24  written_unix_nano u64
//!      32  payload_crc      u32   crc32c of the payload
//!      36  header_crc       u32   crc32c of bytes 0..36, seeded (see `FrameKey`)
//!      40  payload, then zeros up to the next multiple of 8
//! ```
//! Everything is little-endian. A frame starts at a multiple of 8, and so does its payload: a
//! record is read in place.
//!
//! Header and payload have a checksum each. A header that checks out proves its own length, so
//! damage in a payload costs that record and nothing after it, and no scan ever has to go back.
//! The header's checksum is seeded by log, partition and segment: bytes of another segment, or a
//! record that contains the image of a frame, are never taken for one.
//!
//! `durable_before` tells a torn tail from a damaged middle after a crash. All frames of a group
//! (one write, one sync) carry the offset of the group's first record, since everything before it
//! was synced by then. A damaged frame whose offset is below the `durable_before` of any later
//! frame was durable once, so it is damage; at or above, its group was never acknowledged.

use bytes::{Bytes, BytesMut};

use crate::limits::MAX_PAYLOAD_BYTES;

/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 40;
/// Frames start at a multiple of this.
pub const ALIGN: u64 = 8;

const MAGIC: u32 = u32::from_le_bytes(*b"VLF1");
const CRC_AT: usize = 36;

/// Seeds the header checksums of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameKey(u32);

impl FrameKey {
    /// `salt` is the log's (from `log.meta`), `base` the first offset of the segment.
    pub fn new(salt: u64, partition: u32, base: u64) -> FrameKey {
        let crc = crc32c::crc32c(&salt.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &partition.to_le_bytes());
        FrameKey(crc32c::crc32c_append(crc, &base.to_le_bytes()))
    }
}

/// What a frame says about its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub length: u32,
    pub offset: u64,
    pub durable_before: u64,
    pub written_unix_nano: u64,
    pub payload_crc: u32,
}

impl Header {
    /// Bytes from the start of this frame to the start of the next.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.length))
    }

    pub fn encode(&self, key: FrameKey) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.length.to_le_bytes());
        out[8..16].copy_from_slice(&self.offset.to_le_bytes());
        out[16..24].copy_from_slice(&self.durable_before.to_le_bytes());
        out[24..32].copy_from_slice(&self.written_unix_nano.to_le_bytes());
        out[32..36].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(key.0, &out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` unless `bytes` starts with a header written with this key.
    pub fn decode(bytes: &[u8], key: FrameKey) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        if u32_at(bytes, 0) != MAGIC {
            return None;
        }
        let header = Header {
            length: u32_at(bytes, 4),
            offset: u64_at(bytes, 8),
            durable_before: u64_at(bytes, 16),
            written_unix_nano: u64_at(bytes, 24),
            payload_crc: u32_at(bytes, 32),
        };
        let sound = crc32c::crc32c_append(key.0, &bytes[..CRC_AT]) == u32_at(bytes, CRC_AT);
        let sane = u64::from(header.length) <= MAX_PAYLOAD_BYTES
            && header.durable_before <= header.offset
            && header.offset < u64::MAX;
        (sound && sane).then_some(header)
    }
}

/// Bytes that a payload of `length` bytes takes in a segment.
pub fn frame_bytes(length: u64) -> u64 {
    HEADER_BYTES as u64 + length.next_multiple_of(ALIGN)
}

/// Checksum of a payload that comes in parts.
pub fn payload_crc(parts: &[Bytes]) -> u32 {
    parts
        .iter()
        .fold(0, |crc, part| crc32c::crc32c_append(crc, part))
}

/// `bytes` at an address that is a multiple of 8: as it is when it already lies there.
pub fn aligned(bytes: Bytes) -> Bytes {
    let misplaced = |address: usize| !address.is_multiple_of(ALIGN as usize);
    if bytes.is_empty() || !misplaced(bytes.as_ptr().addr()) {
        return bytes;
    }
    let mut copy = BytesMut::with_capacity(bytes.len() + ALIGN as usize);
    let pad = copy.as_ptr().addr().next_multiple_of(ALIGN as usize) - copy.as_ptr().addr();
    copy.resize(pad, 0);
    copy.extend_from_slice(&bytes);
    copy.freeze().slice(pad..)
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn frame(
        key: FrameKey,
        offset: u64,
        durable_before: u64,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = Header {
            length: payload.len() as u32,
            offset,
            durable_before,
            written_unix_nano: 7,
            payload_crc: crc32c::crc32c(payload),
        };
        let mut out = header.encode(key).to_vec();
        out.extend_from_slice(payload);
        out.resize(header.frame_bytes() as usize, 0);
        out
    }

    proptest! {
        #[test]
        fn header_round_trips(length in 0..=MAX_PAYLOAD_BYTES as u32, behind in 0u64..9, offset in 9..u64::MAX, when: u64, payload_crc: u32, salt: u64, partition: u32, base: u64) {
            let header = Header { length, offset, durable_before: offset - behind, written_unix_nano: when, payload_crc };
            let key = FrameKey::new(salt, partition, base);
            let bytes = header.encode(key);
            prop_assert_eq!(Header::decode(&bytes, key), Some(header));
            prop_assert_eq!(Header::decode(&bytes, FrameKey::new(salt, partition, base ^ 1)), None);
            prop_assert_eq!(Header::decode(&bytes, FrameKey::new(salt, partition ^ 1, base)), None);
            prop_assert_eq!(Header::decode(&bytes, FrameKey::new(salt ^ 1, partition, base)), None);
            prop_assert!(header.frame_bytes().is_multiple_of(8) && header.frame_bytes() - u64::from(length) < 48);
        }

        #[test]
        fn every_damaged_bit_is_seen(offset in 0..u64::MAX, bit in 0usize..HEADER_BYTES * 8) {
            let key = FrameKey::new(1, 2, 3);
            let header = Header { length: 77, offset, durable_before: offset, written_unix_nano: 5, payload_crc: 9 };
            let mut bytes = header.encode(key);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, key), None);
        }

        #[test]
        fn garbage_is_no_header(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(Header::decode(&bytes, FrameKey::new(0, 0, 0)), None);
        }

        #[test]
        fn aligned_keeps_the_bytes(data in proptest::collection::vec(any::<u8>(), 0..200), skip in 0usize..9) {
            let bytes = Bytes::from(data);
            let bytes = bytes.slice(skip.min(bytes.len())..);
            let moved = aligned(bytes.clone());
            prop_assert_eq!(&moved, &bytes);
            prop_assert!(moved.is_empty() || moved.as_ptr().addr().is_multiple_of(8));
        }
    }

    #[test]
    fn short_input_is_no_header() {
        let key = FrameKey::new(0, 0, 0);
        let bytes = frame(key, 1, 1, b"hello");
        for cut in 0..HEADER_BYTES {
            assert_eq!(Header::decode(&bytes[..cut], key), None);
        }
    }
}
