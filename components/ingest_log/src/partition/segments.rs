//! The list of a partition's segments, and their open files.

use vivace_shards::disk::{self, File};

use super::Partition;
use crate::Error;
use crate::dir;
use crate::index::SparseIndex;
use crate::limits::{MAX_OPEN_FILES, SEALED_INDEX_STRIDE_BYTES};

/// What is known of a segment without its file.
pub(super) struct Segment {
    pub(super) base: u64,
    /// Reading stops here: the durable end of the newest segment, the file's end of the others.
    pub(super) readable_bytes: u64,
    /// Size of the file.
    pub(super) disk_bytes: u64,
    pub(super) index: SparseIndex,
    /// When its newest known record was written; 0 if unknown.
    pub(super) last_written_unix_nano: u64,
    /// This process has written all of it, and nothing failed.
    pub(super) is_sound: bool,
}

/// A stretch of the log that a reader finds in one segment.
pub(crate) struct Stretch {
    pub(crate) base: u64,
    /// First offset behind the segment.
    pub(crate) next_base: u64,
    pub(crate) readable_bytes: u64,
    /// A frame's position at or before the wanted offset.
    pub(crate) start: u64,
}

/// Files of segments that single reads use, the most recently used last.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: Vec<(u64, File)>,
}

impl OpenFiles {
    fn get(&mut self, base: u64) -> Option<File> {
        let at = self.files.iter().position(|(known, _)| *known == base)?;
        let entry = self.files.remove(at);
        let file = entry.1.clone();
        self.files.push(entry);
        Some(file)
    }

    fn put(&mut self, base: u64, file: File) {
        self.forget(base);
        if self.files.len() >= MAX_OPEN_FILES {
            self.files.remove(0);
        }
        self.files.push((base, file));
    }

    pub(super) fn forget(&mut self, base: u64) {
        self.files.retain(|(known, _)| *known != base);
    }
}

impl Partition {
    /// Where `offset` is; `None` if it is not in the log (any more, or yet).
    pub(crate) fn stretch_of(&self, offset: u64) -> Option<Stretch> {
        let state = self.state.borrow();
        if offset >= state.end_offset {
            return None;
        }
        let after = state.segments.partition_point(|s| s.base <= offset);
        let at = after.checked_sub(1)?;
        let segment = &state.segments[at];
        let next_base = state.segments.get(after).map(|next| next.base);
        Some(Stretch {
            base: segment.base,
            next_base: next_base.unwrap_or(state.end_offset),
            readable_bytes: segment.readable_bytes,
            start: segment.index.start_for(offset - segment.base),
        })
    }

    /// The file of a segment, for reading.
    pub(crate) async fn file_of(&self, base: u64) -> Result<File, Error> {
        let active = {
            let state = self.state.borrow();
            let newest = state.segments.back().is_some_and(|s| s.base == base);
            let active = state.active.as_ref().filter(|_| newest);
            active.map(|active| active.file.clone())
        };
        if let Some(file) = active.or_else(|| self.files.borrow_mut().get(base)) {
            return Ok(file);
        }
        let path = dir::segment(self.dir(), base);
        let options = disk::OpenOptions {
            read: true,
            ..Default::default()
        };
        let file = disk::open(&path, options)
            .await
            .map_err(dir::failed("open", &path))?;
        self.files.borrow_mut().put(base, file.clone());
        Ok(file)
    }

    /// A reader passed this frame.
    pub(crate) fn note_read(&self, base: u64, relative: u64, position: u64, written: u64) {
        let mut state = self.state.borrow_mut();
        let Ok(at) = state.segments.binary_search_by_key(&base, |s| s.base) else {
            return;
        };
        let newest = at + 1 == state.segments.len();
        let segment = &mut state.segments[at];
        if !newest {
            let stride = SEALED_INDEX_STRIDE_BYTES;
            segment.index.note(relative, position, stride);
            segment.last_written_unix_nano = segment.last_written_unix_nano.max(written);
        }
    }

    /// A write to the newest segment failed.
    pub(super) fn mark_unsound(&self) {
        if let Some(segment) = self.state.borrow_mut().segments.back_mut() {
            segment.is_sound = false;
        }
    }

    /// Adds the newest segment.
    pub(super) fn push_segment(&self, segment: Segment) {
        self.metrics.segments.inc();
        self.metrics.disk_bytes.add(segment.disk_bytes as i64);
        self.state.borrow_mut().segments.push_back(segment);
    }

    pub(super) fn resize_segment(&self, base: u64, disk_bytes: u64) {
        let mut state = self.state.borrow_mut();
        if let Ok(at) = state.segments.binary_search_by_key(&base, |s| s.base) {
            let segment = &mut state.segments[at];
            let change = disk_bytes as i64 - segment.disk_bytes as i64;
            self.metrics.disk_bytes.add(change);
            segment.disk_bytes = disk_bytes;
        }
    }

    /// Takes a segment off the list, from either end.
    pub(super) fn pop_segment(&self, oldest: bool) -> Option<Segment> {
        let segment = {
            let segments = &mut self.state.borrow_mut().segments;
            if oldest {
                segments.pop_front()
            } else {
                segments.pop_back()
            }
        }?;
        self.files.borrow_mut().forget(segment.base);
        self.metrics.segments.dec();
        self.metrics.disk_bytes.sub(segment.disk_bytes as i64);
        Some(segment)
    }

    /// Puts back what retention could not delete.
    pub(super) fn unpop_oldest(&self, segment: Segment) {
        self.metrics.segments.inc();
        self.metrics.disk_bytes.add(segment.disk_bytes as i64);
        self.state.borrow_mut().segments.push_front(segment);
    }
}
