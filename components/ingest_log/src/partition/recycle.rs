//! Segments that are not needed any more become the next ones. Their blocks are written already, so a sync of new records in them
//! has no metadata to wait for: a fresh file's blocks are marked as written with each sync, by the file system's journal, which
//! other files' data may hold up for longer than clients wait.
//!
//! What such a file holds from before cannot be taken for new records: the checksums of its frames are seeded by the segment they
//! were written in (`frame`), and their offsets are below the new segment's first (`survey`).

use std::path::PathBuf;

use vivace_shards::disk::{self, File};

use super::Partition;
use super::roll::reserve;
use super::segments::Segment;
use crate::dir;
use crate::error::Error;
use crate::limits::MAX_OLD_SEGMENTS;

/// A file that was a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    base: u64,
    pub(super) bytes: u64,
}

/// Bytes at the end of a sealed segment that are not worth giving back.
pub(super) fn spare_tail(segment_bytes: u64) -> u64 {
    segment_bytes / 16
}

impl Partition {
    /// Where the file of a segment goes that is not needed any more; `None` if it should be removed.
    pub(super) fn wanted_back(&self, segment: &Segment) -> Option<PathBuf> {
        let most = self.config.segment_bytes;
        // One that lost much of its space has to get it again, as a fresh one has.
        let fits = (most - spare_tail(most)..=most).contains(&segment.disk_bytes);
        let has_room = self.state.borrow().old.len() < MAX_OLD_SEGMENTS;
        (segment.is_sound && fits && has_room).then(|| dir::old_segment(self.dir(), segment.base))
    }

    /// The file is where [`Self::wanted_back`] said, and that is durable.
    pub(super) fn keep_old(&self, segment: &Segment) {
        let bytes = segment.disk_bytes;
        self.metrics.disk_bytes.add(bytes as i64);
        let base = segment.base;
        self.state.borrow_mut().old.push_back(Old { base, bytes });
    }

    /// Makes an old segment the spare one, as large as a fresh one. None: there is none.
    pub(super) async fn reuse_old(&self) -> Result<Option<File>, Error> {
        let Some(Old { base, bytes }) = self.state.borrow_mut().old.pop_front() else {
            return Ok(None);
        };
        self.metrics.disk_bytes.sub(bytes as i64);
        let (path, spare) = (
            dir::old_segment(self.dir(), base),
            self.dir().join(dir::SPARE),
        );
        let capacity = self.config.segment_bytes;
        let options = disk::OpenOptions {
            read: true,
            write: true,
            ..Default::default()
        };
        let reused = async {
            disk::rename(&path, &spare).await?;
            disk::sync_dir(self.dir()).await?;
            let file = disk::open(&spare, options).await?;
            // What it has already stays as it is.
            reserve(&file, 0, capacity).await?;
            file.sync_data().await?;
            std::io::Result::Ok(file)
        };
        match reused.await {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                for path in [&path, &spare] {
                    let _ = disk::remove_file(path).await;
                }
                Err(dir::failed_writing("reuse", self.dir(), &spare, capacity, error).await)
            }
        }
    }

    /// Removes what nobody needs at the end. Best effort: the next start would do it.
    pub(crate) async fn remove_spares(&self) {
        let old = std::mem::take(&mut self.state.borrow_mut().old);
        for Old { base, bytes } in old {
            self.metrics.disk_bytes.sub(bytes as i64);
            let _ = disk::remove_file(&dir::old_segment(self.dir(), base)).await;
        }
        let _ = disk::remove_file(&self.dir().join(dir::SPARE)).await;
    }
}
