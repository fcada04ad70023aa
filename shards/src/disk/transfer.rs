//! The requests a lane works on. A request owns its buffers and its file until the kernel is done with them,
//! so a shard may give up waiting at any moment.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::buffer::AlignedBuffer;
use super::fd::Fd;
use crate::limits::DISK_WRITE_BUFFERS;
use crate::mailbox::{Promise, Reply, oneshot};

/// Bytes to read.
pub(super) struct Read {
    pub(super) file: Arc<Fd>,
    pub(super) offset: u64,
    pub(super) buffer: AlignedBuffer,
    pub(super) reply: Reply<io::Result<Bytes>>,
    pub(super) since: Instant,
}

impl Read {
    /// `offset` is where the buffer begins, however much of it is filled already.
    pub(super) fn new(
        file: Arc<Fd>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> (Self, Promise<io::Result<Bytes>>) {
        let (reply, promise) = oneshot();
        let read = Self {
            file,
            offset,
            buffer,
            reply,
            since: Instant::now(),
        };
        (read, promise)
    }

    /// Where in the file the next byte comes from.
    pub(super) fn position(&self) -> u64 {
        // No overflow: offset + length was checked when the request was made.
        self.offset + self.buffer.filled() as u64
    }

    pub(super) fn finish(self, outcome: io::Result<()>) {
        let result = outcome.and_then(|()| self.buffer.into_bytes());
        // Nobody waits any more: fine.
        let _ = self.reply.send(result);
    }
}

/// Bytes to write, in the order given, and whether to sync after. No bytes means a sync alone.
pub(super) struct Write {
    pub(super) file: Arc<Fd>,
    offset: u64,
    buffers: Vec<Bytes>,
    /// The first buffer that is not written whole, and how much of it is.
    next: usize,
    within: usize,
    pub(super) sync: bool,
    pub(super) reply: Reply<io::Result<()>>,
    pub(super) since: Instant,
}

impl Write {
    pub(super) fn new(
        file: Arc<Fd>,
        offset: u64,
        mut buffers: Vec<Bytes>,
        sync: bool,
    ) -> (Self, Promise<io::Result<()>>) {
        buffers.retain(|buffer| !buffer.is_empty());
        let (reply, promise) = oneshot();
        let write = Self {
            file,
            offset,
            buffers,
            next: 0,
            within: 0,
            sync,
            reply,
            since: Instant::now(),
        };
        (write, promise)
    }

    /// Where in the file the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.offset
    }

    /// Whether every byte is written.
    pub(super) fn is_written(&self) -> bool {
        self.next == self.buffers.len()
    }

    /// Fills `out` with what comes next; returns whether that is all there is.
    /// The memory pointed to stays where it is as long as this request lives, moved or not.
    pub(super) fn slices(&self, out: &mut Vec<libc::iovec>) -> bool {
        out.clear();
        let rest = self.buffers.iter().skip(self.next);
        for (i, buffer) in rest.take(DISK_WRITE_BUFFERS).enumerate() {
            let bytes = if i == 0 {
                &buffer[self.within..]
            } else {
                buffer
            };
            out.push(libc::iovec {
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            });
        }
        self.buffers.len() - self.next <= DISK_WRITE_BUFFERS
    }

    /// Counts `written` bytes as written, which may end within a buffer.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.offset += written as u64;
        while let Some(buffer) = self.buffers.get(self.next) {
            let rest = buffer.len() - self.within;
            if written < rest {
                self.within += written;
                return;
            }
            written -= rest;
            self.next += 1;
            self.within = 0;
        }
    }

    pub(super) fn finish(self, outcome: io::Result<()>) {
        // Nobody waits any more: fine.
        let _ = self.reply.send(outcome);
    }

    /// Answers with an error and gives out what the kernel may still use.
    pub(super) fn fail(self, error: io::Error) -> (Arc<Fd>, Vec<Bytes>) {
        let _ = self.reply.send(Err(error));
        (self.file, self.buffers)
    }
}

/// Whether the same call may succeed when it is simply made again.
pub(super) fn is_interruption(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However the kernel cuts a write short, the bytes that it is given next are the ones that follow.
        #[test]
        #[allow(unsafe_code, reason = "reads through the pointers as the kernel would")]
        fn short_writes_resume_where_they_stopped(
            lengths in prop::collection::vec(0..50usize, 0..20),
            cuts in prop::collection::vec(1..40usize, 1..40),
        ) {
            let mut value = 0u8;
            let mut next = || { value = value.wrapping_add(1); value };
            let buffers: Vec<Bytes> =
                lengths.iter().map(|n| (0..*n).map(|_| next()).collect::<Vec<u8>>().into()).collect();
            let whole = buffers.concat();
            let file = Arc::new(Fd::for_tests());
            let (mut write, _promise) = Write::new(file, 100, buffers, false);
            let mut written = Vec::new();
            let mut slices = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !write.is_written() {
                prop_assert_eq!(write.position(), 100 + written.len() as u64);
                prop_assert!(write.slices(&mut slices));
                let mut given = Vec::new();
                for slice in &slices {
                    // SAFETY: the slices point into buffers that `write` holds.
                    given.extend_from_slice(unsafe {
                        std::slice::from_raw_parts(slice.iov_base.cast::<u8>(), slice.iov_len)
                    });
                }
                let taken = cuts.next().unwrap().min(given.len());
                written.extend_from_slice(&given[..taken]);
                write.advance(taken);
            }
            prop_assert_eq!(written, whole);
        }
    }
}
