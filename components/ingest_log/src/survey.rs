//! What the newest segment of a partition holds after a crash, from the frames found in it.
//!
//! A hole (bytes that are no frame, a payload that fails its checksum, an offset that jumps) is
//! judged by the offset expected in it, once all is seen:
//! - below the largest `durable_before` of any frame: it was durable once. The middle is corrupt;
//!   what is sound behind it stays, the offsets in it are lost and reported. (Such a hole can run
//!   on into the last group. Then records of that group which nobody was promised stay, too.)
//! - otherwise it belongs to a group whose sync nobody saw, so nothing in it was acknowledged.
//!   This is the torn tail: the segment ends before the first such hole.
//!
//! Offsets never go back: a frame below the expected offset is no frame.

use crate::frame::Header;
use crate::index::SparseIndex;
use crate::limits::{INDEX_STRIDE_BYTES, MAX_CORRUPT_RANGES, MAX_GROUP_RECORDS};
use crate::scan::Found;

/// A stretch of a segment without sound frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// First byte of it, and the first byte behind it.
    pub from: u64,
    pub to: u64,
    /// The offset expected at `from`, and the one found at `to`.
    pub first_offset: u64,
    pub next_offset: u64,
}

/// Collects frames in the order of a scan; see the module's text.
pub struct Survey {
    end: u64,
    next_offset: u64,
    durable: u64,
    /// Where the first frame with that `durable_before` lies.
    durable_from: u64,
    index: SparseIndex,
    base: u64,
    corrupt: Vec<Hole>,
    corrupt_count: u64,
    /// Not yet known to have been durable. Between two groups there are at most as many as a
    /// group has records.
    open: Vec<Hole>,
    last_written_unix_nano: u64,
    last_seen: u64,
}

/// The verdict on a segment.
pub struct Surveyed {
    /// Bytes that stay; new frames go here.
    pub end: u64,
    /// Offset of the next record.
    pub next_offset: u64,
    /// Frames from here on were perhaps never synced, though they are sound now.
    pub unsynced_from: u64,
    /// Whether a frame, sound or not, lies behind `end`.
    pub frames_behind: bool,
    pub corrupt: Vec<Hole>,
    /// All corrupt holes, also those too many for the list.
    pub corrupt_count: u64,
    pub index: SparseIndex,
    /// When the newest frame that stays was written; 0 if there is none.
    pub last_written_unix_nano: u64,
}

impl Survey {
    pub fn new(base: u64) -> Survey {
        Survey {
            end: 0,
            next_offset: base,
            durable: base,
            durable_from: 0,
            index: SparseIndex::default(),
            base,
            corrupt: Vec::new(),
            corrupt_count: 0,
            open: Vec::new(),
            last_written_unix_nano: 0,
            last_seen: 0,
        }
    }

    pub fn see(&mut self, found: Found) {
        let Found {
            position, header, ..
        } = found;
        self.last_seen = position + 1;
        if header.durable_before > self.durable {
            self.durable = header.durable_before;
            self.durable_from = position;
            self.judge();
        }
        if !found.payload_ok || header.offset < self.next_offset {
            return;
        }
        if position != self.end || header.offset != self.next_offset {
            self.hole(position, header.offset);
        }
        self.accept(position, &header);
    }

    fn accept(&mut self, position: u64, header: &Header) {
        self.index
            .note(header.offset - self.base, position, INDEX_STRIDE_BYTES);
        self.next_offset = header.offset + 1;
        self.end = position + header.frame_bytes();
        self.last_written_unix_nano = header.written_unix_nano;
    }

    fn hole(&mut self, to: u64, next_offset: u64) {
        let hole = Hole {
            from: self.end,
            to,
            first_offset: self.next_offset,
            next_offset,
        };
        if hole.first_offset < self.durable {
            self.lost(hole);
        } else if self.open.len() <= MAX_GROUP_RECORDS {
            self.open.push(hole);
        }
    }

    /// Holes that turn out to have been durable.
    fn judge(&mut self) {
        let durable = self.durable;
        let settled = self
            .open
            .partition_point(|hole| hole.first_offset < durable);
        for hole in self.open.drain(..settled).collect::<Vec<_>>() {
            self.lost(hole);
        }
    }

    fn lost(&mut self, hole: Hole) {
        self.corrupt_count += 1;
        if self.corrupt.len() < MAX_CORRUPT_RANGES {
            self.corrupt.push(hole);
        }
    }

    pub fn finish(mut self) -> Surveyed {
        if let Some(torn) = self.open.first() {
            self.end = torn.from;
            self.next_offset = torn.first_offset;
            self.index.cut(torn.from);
        } else if self.next_offset < self.durable {
            // Sound headers say that more was durable than there is: all of it is lost, and new
            // frames go behind it, so that the hole is seen as one ever after.
            let (to, next_offset) = (self.durable_from, self.durable);
            self.hole(to, next_offset);
            self.end = to;
            self.next_offset = next_offset;
        }
        Surveyed {
            end: self.end,
            next_offset: self.next_offset,
            unsynced_from: self.durable_from.min(self.end),
            frames_behind: self.last_seen > self.end,
            corrupt: self.corrupt,
            corrupt_count: self.corrupt_count,
            index: self.index,
            last_written_unix_nano: self.last_written_unix_nano,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Groups of frames, each with a length and a fate.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        Whole,
        /// The header is gone.
        Gone,
        /// The payload fails its checksum.
        Payload,
    }

    #[derive(Clone, Debug)]
    struct Frame {
        found: Found,
        fate: Fate,
    }

    fn lay(groups: &[Vec<(u32, Fate)>], base: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        let (mut position, mut offset) = (0, base);
        for members in groups {
            let durable_before = offset;
            for (length, fate) in members {
                let header = Header {
                    length: *length,
                    offset,
                    durable_before,
                    written_unix_nano: offset,
                    payload_crc: 0,
                };
                frames.push(Frame {
                    found: Found {
                        position,
                        header,
                        payload_ok: *fate == Fate::Whole,
                    },
                    fate: *fate,
                });
                position += header.frame_bytes();
                offset += 1;
            }
        }
        frames
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![4 => Just(Fate::Whole), 1 => Just(Fate::Gone), 1 => Just(Fate::Payload)]
    }

    fn groups() -> impl Strategy<Value = Vec<Vec<(u32, Fate)>>> {
        proptest::collection::vec(proptest::collection::vec((0u32..5_000, fate()), 1..6), 1..8)
    }

    proptest! {
        /// Against the plain rule, with the whole segment at hand.
        #[test]
        fn judges_as_the_rule_says(groups in groups(), base in 0u64..1_000_000) {
            let frames = lay(&groups, base);
            let mut survey = Survey::new(base);
            for frame in frames.iter().filter(|frame| frame.fate != Fate::Gone) {
                survey.see(frame.found);
            }
            let got = survey.finish();

            let proven = frames.iter().filter(|f| f.fate != Fate::Gone).map(|f| f.found.header.durable_before).max().unwrap_or(base);
            // A run of damaged frames is passed if its first was durable, and if something sound
            // follows or proves how far it goes.
            let (mut next, mut end, mut lost) = (base, 0, 0);
            for run in frames.chunk_by(|a, b| (a.fate == Fate::Whole) == (b.fate == Fate::Whole)) {
                let first = run[0].found.header.offset;
                let last = run[run.len() - 1].found;
                let closed = last.header.offset + 1 < base + frames.len() as u64;
                if run[0].fate != Fate::Whole && first >= proven {
                    break;
                }
                if run[0].fate == Fate::Whole || closed {
                    next = last.header.offset + 1;
                    end = last.position + last.header.frame_bytes();
                    lost += if run[0].fate == Fate::Whole { 0 } else { next - first };
                } else {
                    // Damaged to the end: a sound header in it says what was durable.
                    let says = run.iter().find(|f| f.fate == Fate::Payload && f.found.header.durable_before == proven);
                    next = proven;
                    end = says.map_or(0, |f| f.found.position);
                    lost += next - first;
                }
            }
            prop_assert_eq!((got.next_offset, got.end), (next, end));
            prop_assert_eq!(got.corrupt.iter().map(|hole| hole.next_offset - hole.first_offset).sum::<u64>(), lost);
            for hole in &got.corrupt {
                for frame in &frames {
                    let inside = (hole.from..hole.to).contains(&frame.found.position);
                    prop_assert!(!inside || frame.fate != Fate::Whole);
                }
            }
            // Every frame that stays without being proven durable is in the part to sync again.
            for frame in &frames {
                let header = frame.found.header;
                if frame.fate == Fate::Whole && (proven..next).contains(&header.offset) {
                    prop_assert!(got.unsynced_from <= frame.found.position);
                }
            }
        }

        /// After a cut, a second survey of what stays says the same and cuts nothing.
        #[test]
        fn settles_at_once(groups in groups(), base in 0u64..1_000_000) {
            let frames = lay(&groups, base);
            let see = |until: u64| {
                let mut survey = Survey::new(base);
                for frame in &frames {
                    if frame.fate != Fate::Gone && frame.found.position < until {
                        survey.see(frame.found);
                    }
                }
                survey.finish()
            };
            let first = see(u64::MAX);
            if first.corrupt_count == 0 {
                let second = see(first.end);
                prop_assert_eq!((second.end, second.next_offset), (first.end, first.next_offset));
                prop_assert!(!second.frames_behind && second.corrupt.is_empty());
            }
        }
    }
}
