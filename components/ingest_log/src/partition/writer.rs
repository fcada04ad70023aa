//! Group commit: one write with fdatasync in flight; what arrives meanwhile forms the next group.
//!
//! A write or sync that fails says nothing about what reached the disk, and a later sync that
//! succeeds does not either. So nothing of that group is acknowledged, its segment is sealed at
//! its last durable byte, and its offsets are given again in a fresh segment, whose name makes
//! whatever is left of the failed group invisible.

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use vivace_shards::time::{Instant, sleep, unix_nanos};
use vivace_shards::{Class, breathe_short, lull};

use super::Partition;
use super::append::Pending;
use crate::Position;
use crate::dir;
use crate::error::Error;
use crate::frame::{ALIGN, FrameKey, HEADER_BYTES, Header, payload_crc};
use crate::limits::{COPY_BELOW_BYTES, INDEX_STRIDE_BYTES, MAX_GROUP_RECORDS, MAX_LULL};

/// Records that are written together, with what the write needs.
struct Group {
    members: Vec<Pending>,
    /// Where each frame starts in the segment.
    positions: Vec<u64>,
    first_offset: u64,
    start: u64,
    bytes: u64,
}

impl Partition {
    /// Runs until the partition is closed and its queue empty.
    pub(crate) async fn write_on(self: Rc<Self>) {
        loop {
            let (waiting, closed) = {
                let state = self.state.borrow();
                (state.queue.len(), state.closed)
            };
            match (waiting, closed) {
                (0, true) => return,
                (0, false) => self.work.wait().await,
                (_, closed) => {
                    // Requests that are being read now will want the same sync. A configured delay gathers them as well.
                    match self.config.commit_delay {
                        _ if closed => {}
                        Duration::ZERO => lull(Class::Ingest, MAX_LULL).await,
                        delay => sleep(delay).await,
                    }
                    self.write_group().await;
                }
            }
        }
    }

    async fn write_group(&self) {
        let need = match self.state.borrow().queue.front() {
            Some(first) => first.frame_bytes(),
            None => return,
        };
        if self.room() < need
            && let Err(error) = self.roll(need).await
        {
            self.refuse_all(error);
            return;
        }
        let group = self.take_group();
        let Some((file, base)) = self.writable() else {
            // The roll above has just made one; nothing else unmakes it.
            self.fail(group.members, Error::Closed);
            return;
        };
        let busy = &self.metrics.busy;
        let parts = busy.polls(encode(&group, self.key(base))).await;
        let begun = Instant::now();
        let written = file.write_and_sync_at(group.start, parts);
        match busy.polls(written).await {
            Ok(()) => {
                self.metrics
                    .synced(begun.elapsed(), group.members.len(), group.bytes);
                self.acknowledge(group, base).await;
            }
            Err(error) => {
                self.mark_unsound();
                self.seal();
                self.metrics.write_failures.inc();
                let path = dir::segment(self.dir(), base);
                let error =
                    dir::failed_writing("write", self.dir(), &path, group.bytes, error).await;
                tracing::error!(partition = self.id, records = group.members.len(), %error,
                    "ingest log: group refused, segment sealed");
                self.fail(group.members, error);
            }
        }
    }

    /// Bytes left in the segment being written.
    fn room(&self) -> u64 {
        let state = self.state.borrow();
        match (&state.active, state.segments.back()) {
            (Some(active), Some(segment)) => active.capacity.saturating_sub(segment.readable_bytes),
            _ => 0,
        }
    }

    fn writable(&self) -> Option<(vivace_shards::disk::File, u64)> {
        let state = self.state.borrow();
        let active = state.active.as_ref()?;
        Some((active.file.clone(), state.segments.back()?.base))
    }

    /// As many of the waiting records as fit the segment and the limits; at least the first.
    fn take_group(&self) -> Group {
        let mut room = self.room();
        let mut state = self.state.borrow_mut();
        let start = state.segments.back().map_or(0, |s| s.readable_bytes);
        let mut group = Group {
            members: Vec::new(),
            positions: Vec::new(),
            first_offset: state.end_offset,
            start,
            bytes: 0,
        };
        while let Some(next) = state.queue.front() {
            let bytes = next.frame_bytes();
            let full = group.bytes + bytes > self.config.max_group_bytes
                || group.members.len() >= MAX_GROUP_RECORDS;
            if bytes > room || (full && !group.members.is_empty()) {
                break;
            }
            room -= bytes;
            group.positions.push(start + group.bytes);
            group.bytes += bytes;
            group.members.extend(state.queue.pop_front());
        }
        group
    }

    /// The group is durable: it can be read, the tail hears of it, then each append resolves.
    async fn acknowledge(&self, group: Group, base: u64) {
        let end_offset = group.first_offset + group.members.len() as u64;
        {
            let mut state = self.state.borrow_mut();
            state.end_offset = end_offset;
            state.queue_bytes -= group.bytes;
            if let Some(segment) = state.segments.back_mut() {
                segment.readable_bytes = group.start + group.bytes;
                segment.last_written_unix_nano = unix_nanos();
                for (offset, position) in (group.first_offset..).zip(&group.positions) {
                    segment
                        .index
                        .note(offset - base, *position, INDEX_STRIDE_BYTES);
                }
            }
        }
        self.show_end_offset(end_offset);
        let tail = self.tail.borrow().clone();
        let offsets = group.first_offset..end_offset;
        for ((offset, member), byte) in offsets.zip(group.members).zip(group.positions) {
            if let Some(tail) = &tail {
                let position = Position {
                    segment: base,
                    byte,
                    frame_bytes: member.frame_bytes(),
                };
                tail.deliver_at(self.id, offset, position, &member.record);
            }
            self.metrics.appended(member.since.elapsed());
            // Whoever asked may have gone away; the record is there all the same.
            let _ = member.reply.send(Ok(offset));
            breathe_short().await;
        }
    }

    fn fail(&self, members: Vec<Pending>, error: Error) {
        let reason = match &error {
            Error::DiskFull { .. } => "disk_full",
            Error::Closed => "closed",
            _ => "io",
        };
        let refused = self.metrics.refused.with_label_values(&[reason]);
        let mut bytes = 0;
        for member in members {
            bytes += member.frame_bytes();
            refused.inc();
            let _ = member.reply.send(Err(error.clone()));
        }
        self.state.borrow_mut().queue_bytes -= bytes;
    }

    /// Everything that waits gets the same answer: it waits for the same thing.
    fn refuse_all(&self, error: Error) {
        let members = self.state.borrow_mut().queue.drain(..).collect();
        self.fail(members, error);
    }
}

/// The group's bytes. Small records are copied next to their headers, large ones passed on.
async fn encode(group: &Group, key: FrameKey) -> Vec<Bytes> {
    let written_unix_nano = unix_nanos();
    let mut parts = Vec::new();
    let mut small = BytesMut::new();
    for (offset, member) in (group.first_offset..).zip(&group.members) {
        let header = Header {
            // At most `max_record_bytes`, which is at most `MAX_PAYLOAD_BYTES`.
            length: member.payload_bytes as u32,
            offset,
            durable_before: group.first_offset,
            written_unix_nano,
            payload_crc: payload_crc(&member.record),
        };
        small.extend_from_slice(&header.encode(key));
        if member.payload_bytes < COPY_BELOW_BYTES as u64 {
            member
                .record
                .iter()
                .for_each(|p| small.extend_from_slice(p));
        } else {
            parts.push(small.split().freeze());
            parts.extend(member.record.iter().filter(|p| !p.is_empty()).cloned());
        }
        let padding = member.frame_bytes() - HEADER_BYTES as u64 - member.payload_bytes;
        small.extend_from_slice(&[0; ALIGN as usize][..padding as usize]);
        breathe_short().await;
    }
    if !small.is_empty() {
        parts.push(small.freeze());
    }
    parts
}
