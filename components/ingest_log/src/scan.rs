//! Finds the frames in the bytes of a segment, fed in pieces of any size.
//!
//! Where no header checks out, the scan tries the next multiple of 8 until one does. It never
//! goes back and keeps at most one header's bytes, so a segment of any size and content is
//! scanned in one streaming pass.

use crate::frame::{ALIGN, FrameKey, HEADER_BYTES, Header};

/// A frame whose header is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Byte in the segment where the frame starts.
    pub position: u64,
    pub header: Header,
    /// Whether the payload is there and matches its checksum.
    pub payload_ok: bool,
}

/// See the module's text. Feed it, then [`finish`](Scanner::finish).
pub struct Scanner {
    key: FrameKey,
    /// Where the bytes in `carry` (or the next byte fed, when it is empty) lie in the segment.
    position: u64,
    /// The start of a header that the last piece cut.
    carry: Vec<u8>,
    state: State,
    last_nonzero: Option<u64>,
}

enum State {
    Header,
    /// Inside a payload and its padding.
    Payload {
        found: Found,
        crc: u32,
        payload_left: u64,
        frame_left: u64,
    },
}

impl Scanner {
    /// Scans a segment from `position` on, where a frame is expected to start.
    pub fn new(key: FrameKey, position: u64) -> Scanner {
        Scanner {
            key,
            position,
            carry: Vec::with_capacity(HEADER_BYTES),
            state: State::Header,
            last_nonzero: None,
        }
    }

    /// Where the next piece has to come from.
    pub fn wants(&self) -> u64 {
        self.position + self.carry.len() as u64
    }

    pub fn feed(&mut self, mut piece: &[u8], mut on: impl FnMut(Found)) {
        while !piece.is_empty() {
            match &mut self.state {
                State::Payload {
                    found,
                    crc,
                    payload_left,
                    frame_left,
                } => {
                    let step = piece.len().min(usize_of(*frame_left));
                    let of_payload = step.min(usize_of(*payload_left));
                    *crc = crc32c::crc32c_append(*crc, &piece[..of_payload]);
                    *payload_left -= of_payload as u64;
                    *frame_left -= step as u64;
                    self.position += step as u64;
                    piece = &piece[step..];
                    if *frame_left == 0 {
                        found.payload_ok = *crc == found.header.payload_crc;
                        on(*found);
                        self.state = State::Header;
                    }
                }
                State::Header if self.carry.is_empty() => {
                    piece = self.headers_in(piece, &mut on);
                }
                State::Header => piece = self.headers_across(piece, &mut on),
            }
        }
    }

    /// Nothing follows: a frame that is cut short is reported with a bad payload. Returns the last
    /// byte outside of frames that is not zero.
    pub fn finish(mut self, mut on: impl FnMut(Found)) -> Option<u64> {
        match self.state {
            State::Payload { found, .. } => on(found),
            State::Header => {
                let carry = std::mem::take(&mut self.carry);
                self.note_garbage(&carry);
            }
        }
        self.last_nonzero
    }

    /// The same for a header that begins in `carry`.
    fn headers_across<'a>(&mut self, piece: &'a [u8], on: &mut impl FnMut(Found)) -> &'a [u8] {
        let taken = piece.len().min(HEADER_BYTES);
        let mut joint = std::mem::take(&mut self.carry);
        joint.extend_from_slice(&piece[..taken]);
        let mut unused = self.headers_in(&joint, on).len();
        // What was kept again lies in `piece` as well, unless `piece` is tiny: read it there.
        if !self.carry.is_empty() && self.carry.len() <= taken && taken < piece.len() {
            unused = self.carry.len();
            self.carry.clear();
        }
        &piece[taken - unused..]
    }

    /// Looks for a header at each multiple of 8; returns what follows the first one, or nothing
    /// after keeping the last bytes, too few for a header.
    fn headers_in<'a>(&mut self, mut piece: &'a [u8], on: &mut impl FnMut(Found)) -> &'a [u8] {
        while piece.len() >= HEADER_BYTES {
            if piece.starts_with(&[0; ALIGN as usize]) {
                self.position += ALIGN;
                piece = &piece[ALIGN as usize..];
                continue;
            }
            if let Some(header) = Header::decode(piece, self.key) {
                let found = Found {
                    position: self.position,
                    header,
                    payload_ok: false,
                };
                self.position += HEADER_BYTES as u64;
                if header.length == 0 {
                    on(Found {
                        payload_ok: header.payload_crc == 0,
                        ..found
                    });
                } else {
                    self.state = State::Payload {
                        found,
                        crc: 0,
                        payload_left: u64::from(header.length),
                        frame_left: header.frame_bytes() - HEADER_BYTES as u64,
                    };
                }
                return &piece[HEADER_BYTES..];
            }
            let (skipped, rest) = piece.split_at(ALIGN as usize);
            self.note_garbage(skipped);
            self.position += ALIGN;
            piece = rest;
        }
        self.carry.extend_from_slice(piece);
        &[]
    }

    fn note_garbage(&mut self, skipped: &[u8]) {
        if let Some(at) = skipped.iter().rposition(|byte| *byte != 0) {
            self.last_nonzero = Some(self.position + at as u64);
        }
    }
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::frame;
    use proptest::prelude::*;

    const KEY: (u64, u32, u64) = (3, 1, 100);

    fn key() -> FrameKey {
        FrameKey::new(KEY.0, KEY.1, KEY.2)
    }

    /// The whole segment in memory, one position after the other.
    fn naive(bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Some(header) = Header::decode(&bytes[at..], key()) else {
                at += 8;
                continue;
            };
            let from = at + HEADER_BYTES;
            let payload_ok = bytes
                .get(from..from + header.length as usize)
                .is_some_and(|payload| crc32c::crc32c(payload) == header.payload_crc)
                && at + header.frame_bytes() as usize <= bytes.len();
            found.push(Found {
                position: at as u64,
                header,
                payload_ok,
            });
            at += header.frame_bytes() as usize;
        }
        found
    }

    fn streamed(bytes: &[u8], pieces: &[usize]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut scanner = Scanner::new(key(), 0);
        let mut rest = bytes;
        for piece in pieces.iter().cycle() {
            assert_eq!(scanner.wants(), (bytes.len() - rest.len()) as u64);
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).clamp(1, rest.len()));
            scanner.feed(now, |f| found.push(f));
            rest = later;
        }
        scanner.finish(|f| found.push(f));
        found
    }

    #[derive(Clone, Debug)]
    enum Part {
        Frame(Vec<u8>),
        Garbage(Vec<u8>),
        Zeros(usize),
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let bytes = |n| proptest::collection::vec(any::<u8>(), 0..n);
        let part = prop_oneof![
            3 => bytes(120).prop_map(Part::Frame),
            1 => bytes(10).prop_map(Part::Garbage),
            1 => (0usize..10).prop_map(Part::Zeros),
        ];
        proptest::collection::vec(part, 0..12)
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(parts in parts(), flips in proptest::collection::vec(any::<u32>(), 0..4), cut: u16, pieces in proptest::collection::vec(1usize..70, 1..8)) {
            let mut bytes = Vec::new();
            for (offset, part) in parts.iter().enumerate() {
                match part {
                    Part::Frame(payload) => bytes.extend(frame(key(), offset as u64, 0, payload)),
                    Part::Garbage(data) => data.iter().for_each(|b| bytes.extend([*b; 8])),
                    Part::Zeros(words) => bytes.resize(bytes.len() + words * 8, 0),
                }
            }
            for flip in flips {
                if !bytes.is_empty() {
                    let at = flip as usize % (bytes.len() * 8);
                    bytes[at / 8] ^= 1 << (at % 8);
                }
            }
            bytes.truncate(bytes.len().saturating_sub(usize::from(cut) % 50));
            prop_assert_eq!(streamed(&bytes, &pieces), naive(&bytes));
        }
    }

    #[test]
    fn zeros_are_no_garbage() {
        let mut scanner = Scanner::new(key(), 0);
        scanner.feed(&[0; 1000], |_| panic!("no frame here"));
        assert_eq!(scanner.last_nonzero, None);
        let mut bytes = [0; 1000];
        bytes[777] = 1;
        scanner.feed(&bytes, |_| panic!("no frame here"));
        scanner.feed(&[0; 1000], |_| panic!("no frame here"));
        assert_eq!(scanner.finish(|_| ()), Some(1777));
    }
}
