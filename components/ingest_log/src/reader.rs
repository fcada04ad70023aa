//! Reading records back, in order, a bounded chunk at a time.

use std::rc::Rc;

use bytes::Bytes;
use vivace_shards::breathe;
use vivace_shards::disk::File;

use crate::dir;
use crate::error::Error;
use crate::frame::{ALIGN, FrameKey, HEADER_BYTES, Header, aligned};
use crate::limits::{INDEX_STRIDE_BYTES, READ_CHUNK_BYTES};
use crate::partition::{Partition, Stretch};
use crate::survey::Hole;

/// Where a record lies; remembering it makes reading the record again one I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Base offset of the segment.
    pub segment: u64,
    /// First byte of the frame in it.
    pub byte: u64,
    /// Bytes of the frame, header and padding included.
    pub frame_bytes: u64,
}

/// A record as it was appended.
#[derive(Clone, Debug)]
pub struct Entry {
    pub offset: u64,
    /// Starts at an address that is a multiple of 8. Shares memory with its neighbours in the
    /// chunk that was read: copy what is kept for long.
    pub payload: Bytes,
    pub position: Position,
    pub written_unix_nano: u64,
}

/// Reads a partition from an offset on; see [`crate::Handle::read`].
///
/// Damaged ranges are skipped and reported, and records that retention has deleted are skipped;
/// [`lost`](Reader::lost) counts both.
pub struct Reader {
    partition: Rc<Partition>,
    next: u64,
    lost: u64,
    chunk_bytes: usize,
    cursor: Option<Cursor>,
}

impl Reader {
    pub(crate) fn new(partition: Rc<Partition>, from: u64) -> Reader {
        Reader {
            partition,
            next: from,
            lost: 0,
            chunk_bytes: READ_CHUNK_BYTES,
            cursor: None,
        }
    }

    /// For one record.
    pub(crate) fn short(partition: Rc<Partition>, from: u64) -> Reader {
        Reader {
            chunk_bytes: INDEX_STRIDE_BYTES as usize,
            ..Reader::new(partition, from)
        }
    }

    /// Offset of the record that comes next, if it is there.
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Records between the start and here that are gone.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The next durable record; `None` at the end of the log, where it may be asked again later.
    /// After an error the same record is tried again.
    pub async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            let start_offset = self.partition.start_offset();
            if self.next < start_offset {
                self.lost += start_offset - self.next;
                self.next = start_offset;
            }
            let Some(stretch) = self.partition.stretch_of(self.next) else {
                return Ok(None);
            };
            match self.next_in(&stretch).await {
                Ok(Some(entry)) => return Ok(Some(entry)),
                Ok(None) => {}
                Err(error) => {
                    self.cursor = None;
                    // Deleted under the reader's eyes: go on behind it.
                    if self.partition.start_offset() <= stretch.base {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The next record of a segment; `None` at its end.
    async fn next_in(&mut self, stretch: &Stretch) -> Result<Option<Entry>, Error> {
        let base = stretch.base;
        let mut cursor = match self.cursor.take().filter(|cursor| cursor.base == base) {
            Some(cursor) => cursor,
            None => Cursor {
                base,
                file: self.partition.file_of(base).await?,
                key: self.partition.key(base),
                position: stretch.start,
                sound_end: stretch.start,
                expected: (stretch.start == 0).then_some(base),
                chunk: Bytes::new(),
                chunk_at: 0,
                chunk_bytes: self.chunk_bytes,
            },
        };
        loop {
            let limit = stretch.readable_bytes;
            let read = cursor.next_sound(limit).await;
            let read = read.map_err(dir::failed(
                "read",
                &dir::segment(self.partition.dir(), base),
            ));
            let Some((position, header, payload)) = read? else {
                // Less than the next segment's name promises: the rest is damaged.
                self.hole(&cursor, limit, stretch.next_base);
                self.next = stretch.next_base;
                return Ok(None);
            };
            if header.offset >= stretch.next_base {
                // What a failed group left behind; so the rest of what counts is damaged.
                self.hole(&cursor, position, stretch.next_base);
                self.next = stretch.next_base;
                return Ok(None);
            }
            if header.offset < self.next {
                cursor.passed(&header);
                breathe().await;
                continue;
            }
            if header.offset > self.next {
                self.hole(&cursor, position, header.offset);
            }
            cursor.passed(&header);
            self.next = header.offset + 1;
            self.partition.note_read(
                base,
                header.offset - base,
                position,
                header.written_unix_nano,
            );
            self.cursor = Some(cursor);
            return Ok(Some(Entry {
                offset: header.offset,
                payload,
                position: Position {
                    segment: base,
                    byte: position,
                    frame_bytes: header.frame_bytes(),
                },
                written_unix_nano: header.written_unix_nano,
            }));
        }
    }

    fn hole(&mut self, cursor: &Cursor, to: u64, next_offset: u64) {
        self.lost += next_offset - self.next;
        if self.partition.start_offset() > cursor.base {
            // Deleted under the reader's eyes; the file may hold other records by now.
            return;
        }
        self.partition.note_corrupt(
            cursor.base,
            Hole {
                from: cursor.sound_end,
                to,
                first_offset: cursor.expected.unwrap_or(self.next),
                next_offset,
            },
        );
    }
}

/// One record at a known position: one read. `None` if something else is there.
pub(crate) async fn read_at(
    partition: &Partition,
    offset: u64,
    position: Position,
) -> Result<Option<Entry>, Error> {
    let here = partition.stretch_of(offset);
    let Some(stretch) = here.filter(|stretch| stretch.base == position.segment) else {
        return Ok(None);
    };
    let end = position.byte.saturating_add(position.frame_bytes);
    if end > stretch.readable_bytes {
        return Ok(None);
    }
    let file = partition.file_of(stretch.base).await?;
    let bytes = file
        .read_at(position.byte, position.frame_bytes as usize)
        .await
        .map_err(dir::failed(
            "read",
            &dir::segment(partition.dir(), stretch.base),
        ))?;
    let header = Header::decode(&bytes, partition.key(stretch.base));
    let header = header.filter(|h| h.offset == offset && h.frame_bytes() == position.frame_bytes);
    let Some(header) = header else {
        return Ok(None);
    };
    Ok(payload_of(&bytes, &header).map(|payload| Entry {
        offset,
        payload,
        position,
        written_unix_nano: header.written_unix_nano,
    }))
}

/// The payload behind a header, if it is whole.
fn payload_of(frame: &Bytes, header: &Header) -> Option<Bytes> {
    let end = HEADER_BYTES + header.length as usize;
    if frame.len() < end {
        return None;
    }
    let payload = frame.slice(HEADER_BYTES..end);
    (crc32c::crc32c(&payload) == header.payload_crc).then(|| aligned(payload))
}

struct Cursor {
    base: u64,
    file: File,
    key: FrameKey,
    position: u64,
    /// Where the last frame in sequence ended: damage starts here.
    sound_end: u64,
    /// The offset expected there, once known.
    expected: Option<u64>,
    chunk: Bytes,
    chunk_at: u64,
    chunk_bytes: usize,
}

impl Cursor {
    fn passed(&mut self, header: &Header) {
        self.sound_end = self.position;
        self.expected = Some(header.offset + 1);
    }

    /// The next frame whose header and payload are sound, below `limit`.
    async fn next_sound(&mut self, limit: u64) -> std::io::Result<Option<(u64, Header, Bytes)>> {
        loop {
            let at = self.position;
            let head = self.bytes(at, HEADER_BYTES as u64, limit).await?;
            if head.len() < HEADER_BYTES {
                return Ok(None);
            }
            let Some(header) = Header::decode(&head, self.key) else {
                self.position += ALIGN;
                if self.position.is_multiple_of(GARBAGE_STEP_BYTES) {
                    breathe().await;
                }
                continue;
            };
            let frame = self.bytes(at, header.frame_bytes(), limit).await?;
            self.position = at + header.frame_bytes();
            if let Some(payload) = payload_of(&frame, &header) {
                return Ok(Some((at, header, payload)));
            }
        }
    }

    /// Bytes from `at` on, fewer than `wanted` only at the end.
    async fn bytes(&mut self, at: u64, wanted: u64, limit: u64) -> std::io::Result<Bytes> {
        let wanted = wanted.min(limit.saturating_sub(at)) as usize;
        let inside =
            at >= self.chunk_at && at + wanted as u64 <= self.chunk_at + self.chunk.len() as u64;
        if !inside && wanted > 0 {
            let most = (limit - at).min(self.chunk_bytes as u64) as usize;
            // The old chunk goes before the new one comes, unless a caller holds on to it.
            self.chunk = Bytes::new();
            self.chunk = self.file.read_at(at, most.max(wanted)).await?;
            self.chunk_at = at;
        }
        let from = at.saturating_sub(self.chunk_at) as usize;
        let to = (from + wanted).min(self.chunk.len());
        Ok(self.chunk.slice(from.min(to)..to))
    }
}

/// Breathe each time so much of garbage is stepped over.
const GARBAGE_STEP_BYTES: u64 = 16 << 10;
