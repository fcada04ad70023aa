//! Deleting the oldest segments: by age and by size of the log, held back by consumer groups that
//! pin it, up to a hard limit. The newest segment always stays.

use vivace_shards::disk;
use vivace_shards::time::{sleep, unix_nanos};

use super::Partition;
use crate::dir;
use crate::error::Error;
use crate::frame::{HEADER_BYTES, Header};
use crate::limits::REMOVE_PAUSE;

/// Why a segment is deleted that somebody may still want.
const HARD_LIMIT: &str = "hard_limit";

impl Partition {
    /// Deletes what may go. Returns how many segments went.
    pub(crate) async fn retain(&self) -> Result<usize, Error> {
        if self.retaining.replace(true) {
            return Ok(0);
        }
        let deleted = self.retain_alone().await;
        self.retaining.set(false);
        deleted
    }

    async fn retain_alone(&self) -> Result<usize, Error> {
        let mut deleted = 0;
        while let Some(reason) = self.oldest_may_go().await? {
            let Some(segment) = self.pop_segment(true) else {
                break;
            };
            let path = dir::segment(self.dir(), segment.base);
            let (base, bytes) = (segment.base, segment.disk_bytes);
            // What the hard limit takes should be gone.
            let wanted = self.wanted_back(&segment).filter(|_| reason != HARD_LIMIT);
            let gone = match &wanted {
                Some(to) => disk::rename(&path, to).await,
                None => disk::remove_file(&path).await,
            };
            match &gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    self.unpop_oldest(segment);
                    return gone.map_err(dir::failed("remove", &path)).map(|()| deleted);
                }
                _ => {}
            }
            // One after the other: a younger segment must not be gone before an older one, or
            // the gap would look like damage.
            disk::sync_dir(self.dir())
                .await
                .map_err(dir::failed("sync", self.dir()))?;
            if wanted.is_some() && gone.is_ok() {
                self.keep_old(&segment);
            } else {
                sleep(REMOVE_PAUSE).await;
            }
            let reasons = &[reason];
            self.metrics
                .deleted_segments
                .with_label_values(reasons)
                .inc();
            self.metrics
                .deleted_bytes
                .with_label_values(reasons)
                .inc_by(bytes);
            tracing::debug!(
                partition = self.id,
                base,
                bytes,
                reason,
                "ingest log: segment deleted"
            );
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Why the oldest segment may be deleted; `None` if it stays.
    async fn oldest_may_go(&self) -> Result<Option<&'static str>, Error> {
        let (next_base, total) = {
            let state = self.state.borrow();
            let Some(second) = state.segments.get(1) else {
                return Ok(None);
            };
            let total: u64 = state.segments.iter().map(|s| s.disk_bytes).sum();
            (second.base, total)
        };
        let over = |limit: u64| limit > 0 && total > limit / u64::from(self.partitions.max(1));
        if over(self.config.hard_max_bytes) {
            return Ok(Some(HARD_LIMIT));
        }
        if self.pinned_from().is_some_and(|pinned| pinned < next_base) {
            return Ok(None);
        }
        if over(self.config.retention_bytes) {
            return Ok(Some("bytes"));
        }
        let age = u64::try_from(self.config.retention_age.as_nanos()).unwrap_or(u64::MAX);
        if age == 0 {
            return Ok(None);
        }
        let last_written = self.oldest_last_written().await?;
        let old = last_written.is_some_and(|at| unix_nanos().saturating_sub(at) > age);
        Ok(old.then_some("age"))
    }

    /// The first offset that a pinning group still wants.
    fn pinned_from(&self) -> Option<u64> {
        let wanted = |group: &String| self.committed(group).unwrap_or(0);
        self.config.pin_groups.iter().map(wanted).min()
    }

    /// When the newest record of the oldest segment was written. If nobody has read it since the
    /// start, the first frame of the next segment, which is a little younger, tells.
    async fn oldest_last_written(&self) -> Result<Option<u64>, Error> {
        let (known, base, next_base) = {
            let state = self.state.borrow();
            let (Some(oldest), Some(second)) = (state.segments.front(), state.segments.get(1))
            else {
                return Ok(None);
            };
            (oldest.last_written_unix_nano, oldest.base, second.base)
        };
        if known > 0 {
            return Ok(Some(known));
        }
        let file = self.file_of(next_base).await?;
        let path = dir::segment(self.dir(), next_base);
        let bytes = file
            .read_at(0, HEADER_BYTES)
            .await
            .map_err(dir::failed("read", &path))?;
        let written = Header::decode(&bytes, self.key(next_base)).map(|h| h.written_unix_nano);
        if let Some(written) = written {
            let mut state = self.state.borrow_mut();
            if let Some(oldest) = state.segments.front_mut().filter(|s| s.base == base) {
                oldest.last_written_unix_nano = written;
            }
        }
        Ok(written)
    }
}
