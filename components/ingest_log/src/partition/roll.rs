//! From one segment to the next. The next one's space is reserved beforehand, in the background;
//! when the disk has none, appends are refused and the preparer keeps trying.

use std::rc::Rc;

use vivace_shards::disk::{self, File};
use vivace_shards::time::sleep;

use super::recycle::spare_tail;
use super::segments::Segment;
use super::{Active, Partition};
use crate::dir;
use crate::error::Error;
use crate::index::SparseIndex;
use crate::limits::{LEAST_SEGMENTS, PREPARE_BACKOFF_MAX, PREPARE_BACKOFF_MIN};

/// The segment after the current one.
pub(super) enum Spare {
    /// Being prepared, or about to be.
    Missing,
    Ready {
        file: File,
        capacity: u64,
    },
    /// The last attempt failed; another follows by itself.
    Failed(Error),
}

impl Partition {
    /// Makes a segment with at least `need` bytes of room the one that is written.
    pub(super) async fn roll(&self, need: u64) -> Result<(), Error> {
        let (file, capacity) = self.take_spare(need).await?;
        // From here on the old segment must not grow, whatever happens: the new name may be on
        // the disk.
        self.seal();
        let base = self.end_offset();
        let path = dir::segment(self.dir(), base);
        let spare = self.dir().join(dir::SPARE);
        let named = async {
            disk::rename(&spare, &path).await?;
            disk::sync_dir(self.dir()).await
        };
        let named = named.await;
        self.set_spare(Spare::Missing);
        self.prepare.set();
        if let Err(error) = named {
            // Best effort: a segment of this name without records does no harm.
            let _ = disk::remove_file(&path).await;
            return Err(dir::failed_writing("name segment", self.dir(), &path, need, error).await);
        }
        let same_base = |s: &Segment| s.base == base;
        if self.state.borrow().segments.back().is_some_and(same_base) {
            // It never held a durable record, and the rename has replaced it.
            self.pop_segment(false);
        }
        self.push_segment(Segment {
            base,
            readable_bytes: 0,
            disk_bytes: capacity,
            index: SparseIndex::default(),
            last_written_unix_nano: 0,
            is_sound: true,
        });
        self.state.borrow_mut().active = Some(Active { file, capacity });
        Ok(())
    }

    /// Ends the newest segment at its last durable byte.
    pub(super) fn seal(&self) {
        let state = &mut *self.state.borrow_mut();
        if let (Some(active), Some(segment)) = (state.active.take(), state.segments.back_mut()) {
            segment.index.thin();
            state.trims.push((active.file, segment.base));
            self.prepare.set();
        }
    }

    async fn take_spare(&self, need: u64) -> Result<(File, u64), Error> {
        loop {
            match &self.state.borrow().spare {
                Spare::Ready { .. } => break,
                Spare::Failed(error) => return Err(error.clone()),
                Spare::Missing => {}
            }
            self.spare_changed.wait().await;
        }
        let (file, capacity) = match &self.state.borrow().spare {
            Spare::Ready { file, capacity } => (file.clone(), *capacity),
            Spare::Failed(error) => return Err(error.clone()),
            Spare::Missing => return Err(Error::Closed),
        };
        if need <= capacity {
            return Ok((file, capacity));
        }
        // A record larger than a segment gets one of its own size.
        let path = self.dir().join(dir::SPARE);
        match reserve(&file, capacity, need).await {
            Ok(()) => Ok((file, need)),
            Err(e) => Err(dir::failed_writing("prepare", self.dir(), &path, need, e).await),
        }
    }

    fn set_spare(&self, spare: Spare) {
        let failed = |spare: &Spare| i64::from(matches!(spare, Spare::Failed(_)));
        let mut state = self.state.borrow_mut();
        let change = failed(&spare) - failed(&state.spare);
        self.metrics.disk_full.add(change);
        state.spare = spare;
        self.spare_changed.set();
    }

    /// Keeps a spare ready, and gives back what sealed segments reserved. Runs for ever.
    pub(crate) async fn prepare_on(self: Rc<Self>) {
        let mut backoff = PREPARE_BACKOFF_MIN;
        loop {
            self.trim().await;
            let ready = matches!(self.state.borrow().spare, Spare::Ready { .. });
            if ready {
                self.prepare.wait().await;
                continue;
            }
            match self.try_prepare().await {
                Ok((file, capacity)) => {
                    if backoff > PREPARE_BACKOFF_MIN {
                        tracing::info!(
                            partition = self.id,
                            "ingest log: next segment is ready again"
                        );
                    }
                    backoff = PREPARE_BACKOFF_MIN;
                    self.set_spare(Spare::Ready { file, capacity });
                }
                Err(error) => {
                    if backoff == PREPARE_BACKOFF_MIN {
                        tracing::warn!(partition = self.id, %error, "ingest log: no next segment");
                    }
                    self.set_spare(Spare::Failed(error));
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(PREPARE_BACKOFF_MAX);
                }
            }
        }
    }

    async fn try_prepare(&self) -> Result<(File, u64), Error> {
        let capacity = self.config.segment_bytes;
        if let Some(file) = self.reuse_old().await? {
            return Ok((file, capacity));
        }
        self.within_max_bytes(capacity)?;
        let path = self.dir().join(dir::SPARE);
        let needed_bytes = capacity.saturating_add(self.config.min_free_bytes);
        let free_bytes = disk::free_space(self.dir())
            .await
            .map_err(dir::failed("look at the free space of", self.dir()))?;
        if free_bytes < needed_bytes {
            return Err(Error::DiskFull {
                path: self.dir().to_path_buf(),
                free_bytes,
                needed_bytes,
            });
        }
        let reserved = async {
            // Never the file of an attempt that failed: its sync may have failed.
            let file = dir::create_fresh(&path).await?;
            reserve(&file, 0, capacity).await?;
            file.sync_data().await?;
            std::io::Result::Ok(file)
        };
        match reserved.await {
            Ok(file) => Ok((file, capacity)),
            Err(error) => {
                // What it got of the space helps others more.
                let _ = disk::remove_file(&path).await;
                Err(dir::failed_writing("prepare", self.dir(), &path, needed_bytes, error).await)
            }
        }
    }

    /// Whether one more segment fits the partition's part of `max_bytes`.
    fn within_max_bytes(&self, capacity: u64) -> Result<(), Error> {
        let used_bytes: u64 = self
            .state
            .borrow()
            .segments
            .iter()
            .map(|segment| segment.disk_bytes)
            .sum();
        // The one that is written, the next one, and one that is being taken over: with fewer nothing would move.
        let least = capacity.saturating_mul(LEAST_SEGMENTS);
        let limit_bytes = (self.config.max_bytes / u64::from(self.partitions.max(1))).max(least);
        if self.config.max_bytes > 0 && used_bytes.saturating_add(capacity) > limit_bytes {
            return Err(Error::Full {
                partition: self.id,
                used_bytes,
                limit_bytes,
            });
        }
        Ok(())
    }

    async fn trim(&self) {
        loop {
            let job = self.state.borrow_mut().trims.pop();
            let Some((file, base)) = job else { return };
            let lengths = {
                let state = self.state.borrow();
                let at = state.segments.binary_search_by_key(&base, |s| s.base);
                at.ok().map(|at| {
                    let segment = &state.segments[at];
                    (segment.readable_bytes, segment.disk_bytes)
                })
            };
            // A segment without a durable record is replaced by the next one: let it be. With a little space behind its records it can
            // become the next one as it is.
            let tail = spare_tail(self.config.segment_bytes);
            let Some((end, _)) = lengths.filter(|(end, len)| *end > 0 && end + tail < *len) else {
                continue;
            };
            match file.set_len(end).await {
                Ok(()) => self.resize_segment(base, end),
                Err(error) => {
                    // Only space: the records end where they ended.
                    tracing::warn!(partition = self.id, base, %error, "ingest log: segment not trimmed");
                }
            }
        }
    }
}

/// Reserves the bytes `from..to` of a file, or at least makes it that long where the file system
/// cannot reserve. (Then a full disk shows when a group is written.)
pub(super) async fn reserve(file: &File, from: u64, to: u64) -> std::io::Result<()> {
    match file.allocate(from, to - from).await {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => file.set_len(to).await,
        other => other,
    }
}
