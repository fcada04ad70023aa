//! One partition: its segments, its queue, and the tasks that work on them. All on one shard.

mod append;
mod commit;
mod recover;
mod recycle;
mod retention;
mod roll;
mod segments;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use vivace_shards::disk::File;

use crate::corruption::CorruptionReport;
use crate::dir;
use crate::frame::FrameKey;
use crate::groups::Committed;
use crate::metrics::Metrics;
use crate::survey::Hole;
use crate::{Config, Tail};
use vivace_shards::event::{Event, Lock};

use append::Pending;
use roll::Spare;
pub(crate) use segments::Stretch;
use segments::{OpenFiles, Segment};

pub(crate) struct Partition {
    pub(crate) id: u32,
    pub(crate) config: Rc<Config>,
    /// Partitions of the whole log: each gets an equal part of limits on its size.
    partitions: u32,
    dir: PathBuf,
    salt: u64,
    metrics: Rc<Metrics>,
    state: RefCell<State>,
    files: RefCell<OpenFiles>,
    tail: RefCell<Option<Rc<dyn Tail>>>,
    corruption: RefCell<CorruptionReport>,
    /// Something for the writer: a record, or the end.
    work: Event,
    /// The spare segment's state changed; the writer waits for it.
    spare_changed: Event,
    /// Something for the preparer: no spare, or space to give back.
    prepare: Event,
    groups: RefCell<Committed>,
    groups_file: RefCell<Option<File>>,
    committing: Lock,
    /// Keeps retention and deletion from overlapping with themselves.
    retaining: Cell<bool>,
}

struct State {
    queue: VecDeque<Pending>,
    queue_bytes: u64,
    closed: bool,
    /// By base offset. The last is the newest; only it can be written.
    segments: VecDeque<Segment>,
    /// Where the writer goes on; `None` once the newest segment is sealed. A segment is sealed
    /// before the next one's name appears on the disk, and for ever: see `dir`.
    active: Option<Active>,
    /// Everything below is durable and readable; the next record gets it.
    end_offset: u64,
    spare: Spare,
    /// Files that may become the spare segment.
    old: VecDeque<recycle::Old>,
    /// Sealed files whose reserved rest goes back to the file system.
    trims: Vec<(File, u64)>,
}

struct Active {
    file: File,
    capacity: u64,
}

impl Partition {
    pub(crate) fn new(
        id: u32,
        config: Rc<Config>,
        meta: &crate::meta::Meta,
        metrics: Rc<Metrics>,
    ) -> Partition {
        Partition {
            id,
            dir: dir::partition(&config.path, id),
            partitions: meta.partitions,
            salt: meta.salt,
            config,
            metrics,
            state: RefCell::new(State {
                queue: VecDeque::new(),
                queue_bytes: 0,
                closed: false,
                segments: VecDeque::new(),
                active: None,
                end_offset: 0,
                spare: Spare::Missing,
                old: VecDeque::new(),
                trims: Vec::new(),
            }),
            files: RefCell::default(),
            tail: RefCell::default(),
            corruption: RefCell::default(),
            work: Event::default(),
            spare_changed: Event::default(),
            prepare: Event::default(),
            groups: RefCell::default(),
            groups_file: RefCell::default(),
            committing: Lock::default(),
            retaining: Cell::new(false),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn key(&self, base: u64) -> FrameKey {
        FrameKey::new(self.salt, self.id, base)
    }

    /// The oldest record that is kept (or the next one, if none is).
    pub(crate) fn start_offset(&self) -> u64 {
        let state = self.state.borrow();
        let first = state.segments.front().map(|segment| segment.base);
        first.unwrap_or(state.end_offset)
    }

    /// First offset of the newest segment.
    pub(crate) fn newest_base(&self) -> u64 {
        let state = self.state.borrow();
        state.segments.back().map_or(state.end_offset, |s| s.base)
    }

    pub(crate) fn end_offset(&self) -> u64 {
        self.state.borrow().end_offset
    }

    /// Sets who is told of new records; returns the offset of the first that it will be told of.
    pub(crate) fn set_tail(&self, tail: Rc<dyn Tail>) -> u64 {
        *self.tail.borrow_mut() = Some(tail);
        self.end_offset()
    }

    pub(crate) fn corruption(&self) -> CorruptionReport {
        self.corruption.borrow().clone()
    }

    pub(crate) fn note_corrupt(&self, base: u64, hole: Hole) {
        let file = dir::segment(&self.dir, base);
        if self.corruption.borrow_mut().note(self.id, file, hole) {
            self.metrics.corrupt_ranges.inc();
            self.metrics
                .corrupt_records
                .inc_by(hole.next_offset - hole.first_offset);
        }
    }

    /// Takes no more records; the writer ends once the queue is empty.
    pub(crate) fn close(&self) {
        self.state.borrow_mut().closed = true;
        self.work.set();
    }

    fn show_end_offset(&self, end_offset: u64) {
        self.metrics
            .end_offset
            .with_label_values(&[self.id.to_string().as_str()])
            .set(i64::try_from(end_offset).unwrap_or(i64::MAX));
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let old: u64 = state.old.iter().map(|old| old.bytes).sum();
        let bytes: u64 = old + state.segments.iter().map(|s| s.disk_bytes).sum::<u64>();
        self.metrics.segments.sub(state.segments.len() as i64);
        self.metrics.disk_bytes.sub(bytes as i64);
        if matches!(state.spare, Spare::Failed(_)) {
            self.metrics.disk_full.dec();
        }
    }
}
