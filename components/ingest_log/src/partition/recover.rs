//! A partition at a start, after whatever ended the last process.
//!
//! Only the newest segment is read: the older ones were complete and durable when its name
//! appeared, and each of their frames is verified when it is read (and by the scrubber). In the
//! newest one the torn tail is cut off, zeroed and synced, so that nothing of it comes back. What
//! stays but was perhaps never synced is written and synced again: a process that ended after a
//! failed sync leaves pages which look clean and are not on the disk.
//!
//! Everything here may be cut short by another crash: it writes bytes that are there already and
//! cuts bytes that do not count.

use vivace_shards::breathe;
use vivace_shards::disk::{self, File};

use super::roll::reserve;
use super::segments::Segment;
use super::{Active, Partition};
use crate::dir;
use crate::error::{Error, is_full};
use crate::groups;
use crate::index::SparseIndex;
use crate::limits::READ_CHUNK_BYTES;
use crate::scan::Scanner;
use crate::survey::{Hole, Survey, Surveyed};

impl Partition {
    pub(crate) async fn recover(&self) -> Result<(), Error> {
        disk::create_dir_all(self.dir())
            .await
            .map_err(dir::failed("create", self.dir()))?;
        disk::sync_dir(&self.config.path)
            .await
            .map_err(dir::failed("sync", &self.config.path))?;
        // Names that are seen here must stay: the last process may have failed to sync them.
        disk::sync_dir(self.dir())
            .await
            .map_err(dir::failed("sync", self.dir()))?;
        let entries = disk::read_dir(self.dir())
            .await
            .map_err(dir::failed("list", self.dir()))?;

        let mut found = Vec::new();
        let mut groups_exist = false;
        for entry in entries {
            if let Some(base) = dir::segment_base(&entry.name) {
                found.push((base, entry.len));
            } else if entry.name == groups::FILE {
                groups_exist = true;
            } else if dir::is_left_over(&entry.name) {
                let path = self.dir().join(&entry.name);
                disk::remove_file(&path)
                    .await
                    .map_err(dir::failed("remove", &path))?;
            }
        }
        found.sort_unstable();
        if !groups_exist && !found.is_empty() {
            tracing::error!(
                partition = self.id,
                "ingest log: groups.state is missing; consumer groups start from the oldest record"
            );
        }
        self.load_groups(groups_exist).await?;

        let newest = found.pop();
        for (base, bytes) in found {
            self.push_segment(Segment {
                base,
                readable_bytes: bytes,
                disk_bytes: bytes,
                index: SparseIndex::default(),
                last_written_unix_nano: 0,
                is_sound: false,
            });
        }
        if let Some((base, bytes)) = newest {
            self.recover_newest(base, bytes).await?;
        }
        self.keep_promised_offsets();
        self.show_end_offset(self.end_offset());
        Ok(())
    }

    async fn recover_newest(&self, base: u64, bytes: u64) -> Result<(), Error> {
        let path = dir::segment(self.dir(), base);
        let options = disk::OpenOptions {
            read: true,
            write: true,
            ..Default::default()
        };
        let file = disk::open(&path, options)
            .await
            .map_err(dir::failed("open", &path))?;
        let (surveyed, garbage_behind) = self.survey(&file, base, bytes).await?;
        for hole in &surveyed.corrupt {
            self.note_corrupt(base, *hole);
        }
        self.corruption.borrow_mut().unlisted +=
            surveyed.corrupt_count - surveyed.corrupt.len() as u64;

        let end = surveyed.end;
        // Other bytes may be what the file held before it became this segment.
        let torn = surveyed.frames_behind;
        let cut = torn || garbage_behind;
        if torn {
            tracing::info!(
                partition = self.id,
                file = %path.display(),
                from_byte = end,
                next_offset = surveyed.next_offset,
                "ingest log: unacknowledged tail cut off"
            );
            self.metrics.torn_tails.inc();
        }
        let settle = async {
            rewrite(&file, surveyed.unsynced_from, end).await?;
            if cut {
                file.set_len(end).await?;
            }
            let wanted = self.config.segment_bytes.max(end);
            let capacity = if end < wanted && (cut || bytes < wanted) {
                match reserve(&file, end, wanted).await {
                    Ok(()) => Some(wanted),
                    // The segment is sealed, and the next one waits for space.
                    Err(error) if is_full(&error) => None,
                    Err(error) => return Err(error),
                }
            } else {
                Some(bytes.max(end))
            };
            file.sync_data().await?;
            std::io::Result::Ok(capacity)
        };
        let capacity = settle.await.map_err(dir::failed("repair", &path))?;
        self.push_segment(Segment {
            base,
            readable_bytes: end,
            disk_bytes: capacity.unwrap_or(end),
            index: surveyed.index,
            last_written_unix_nano: surveyed.last_written_unix_nano,
            is_sound: false,
        });
        let mut state = self.state.borrow_mut();
        state.end_offset = surveyed.next_offset;
        state.active = capacity.map(|capacity| Active { file, capacity });
        Ok(())
    }

    /// Finds what the segment holds, and whether something but zeros lies behind it.
    async fn survey(&self, file: &File, base: u64, bytes: u64) -> Result<(Surveyed, bool), Error> {
        let path = dir::segment(self.dir(), base);
        let mut scanner = Scanner::new(self.key(base), 0);
        let mut survey = Survey::new(base);
        while scanner.wants() < bytes {
            let at = scanner.wants();
            let length = (bytes - at).min(READ_CHUNK_BYTES as u64) as usize;
            let chunk = file
                .read_at(at, length)
                .await
                .map_err(dir::failed("read", &path))?;
            if chunk.is_empty() {
                break;
            }
            for piece in chunk.chunks(SCAN_STEP_BYTES) {
                scanner.feed(piece, |found| survey.see(found));
                breathe().await;
            }
        }
        let garbage = scanner.finish(|found| survey.see(found));
        let surveyed = survey.finish();
        let garbage_behind = garbage.is_some_and(|at| at >= surveyed.end);
        Ok((surveyed, garbage_behind))
    }

    /// Offsets never go back: not below a segment's name (the survey starts there), and not below
    /// what a consumer group was told. If the records up to there are gone, they are lost.
    fn keep_promised_offsets(&self) {
        let promised = self.committed_most();
        let end_offset = self.end_offset();
        if promised <= end_offset {
            return;
        }
        let last = {
            let state = self.state.borrow();
            state.segments.back().map(|s| (s.base, s.readable_bytes))
        };
        if let Some((base, bytes)) = last {
            let hole = Hole {
                from: bytes,
                to: bytes,
                first_offset: end_offset,
                next_offset: promised,
            };
            self.note_corrupt(base, hole);
        }
        self.seal();
        self.state.borrow_mut().end_offset = promised;
    }
}

/// Bytes scanned between two breaths: about 20 us.
const SCAN_STEP_BYTES: usize = 64 << 10;

/// Writes the same bytes again, so that the sync that follows covers them.
async fn rewrite(file: &File, from: u64, to: u64) -> std::io::Result<()> {
    let mut at = from;
    while at < to {
        let length = (to - at).min(READ_CHUNK_BYTES as u64) as usize;
        let chunk = file.read_at(at, length).await?;
        if chunk.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let length = chunk.len() as u64;
        file.write_at(at, vec![chunk]).await?;
        at += length;
    }
    Ok(())
}
