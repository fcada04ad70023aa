//! Run queues of one shard: one [`Line`] per class, chosen by weighted fair queueing.
//!
//! Each class has a virtual time that advances by (time used / share). The non-empty class with
//! the smallest virtual time goes next. A class that was idle joins at the present, so it neither
//! saves up nor owes time.

use super::Runnable;
use super::line::{Line, Place};

/// What a task is for. The classes of one shard share its CPU by weight; an idle class's share
/// goes to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Taking data in and acknowledging it.
    Ingest,
    /// Answering questions.
    Query,
    /// Everything nobody waits for: compaction, block building, cache fill.
    Background,
}

impl Class {
    /// All classes, in the order of their indices.
    pub const ALL: [Class; 3] = [Class::Ingest, Class::Query, Class::Background];

    /// The name used in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Class::Ingest => "ingest",
            Class::Query => "query",
            Class::Background => "background",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Relative CPU shares of the three classes while all of them have work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares(pub(crate) [u32; 3]);

impl Default for Shares {
    fn default() -> Self {
        Shares([100, 50, 15])
    }
}

/// Scale of virtual time, so that integer division by a share keeps its precision.
const SCALE: u64 = 1 << 10;

pub(crate) struct Queues {
    classes: [Share; 3],
    /// Virtual time of the class that ran last: where a class that wakes up joins.
    now: u64,
    len: usize,
}

struct Share {
    ready: Line,
    virtual_time: u64,
    share: u64,
}

impl Queues {
    pub(crate) fn new(shares: Shares) -> Self {
        let line = |share: u32| Share {
            ready: Line::default(),
            virtual_time: 0,
            share: u64::from(share.max(1)),
        };
        Queues {
            classes: shares.0.map(line),
            now: 0,
            len: 0,
        }
    }

    pub(crate) fn push(&mut self, runnable: Runnable, place: Place) {
        let line = &mut self.classes[runnable.metadata().class.index()];
        if line.ready.is_empty() {
            line.virtual_time = line.virtual_time.max(self.now);
        }
        line.ready.push(runnable, place);
        self.len += 1;
    }

    /// The next task of the class that is furthest behind its share.
    pub(crate) fn pop(&mut self) -> Option<Runnable> {
        let line = self
            .classes
            .iter_mut()
            .filter(|line| !line.ready.is_empty())
            .min_by_key(|line| line.virtual_time)?;
        self.now = line.virtual_time;
        self.len -= 1;
        line.ready.pop()
    }

    /// Takes the `n`-th ready task in class order; the simulator chooses by seed, not by share.
    pub(crate) fn take_nth(&mut self, mut n: usize) -> Option<Runnable> {
        for line in &mut self.classes {
            if n < line.ready.len() {
                self.len -= 1;
                return line.ready.take(n);
            }
            n -= line.ready.len();
        }
        None
    }

    /// Books the time a task of `class` has used.
    pub(crate) fn charge(&mut self, class: Class, nanos: u64) {
        let line = &mut self.classes[class.index()];
        line.virtual_time += nanos.max(1) * SCALE / line.share;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Tasks of one class that can run.
    pub(crate) fn len_of(&self, class: Class) -> usize {
        self.classes[class.index()].ready.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
