//! The shard a task runs on: found through a thread-local, so that components need no handle.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use async_task::Runnable;

use crate::exec::{Class, Inbox, Lulls, Meta, Place, Queues, Registry, Shares};
use crate::rand::Rng;
use crate::runtime::{Pulse, Run};
use crate::sim::Process;
use crate::stats::Stats;
use crate::time::{Clock, Timers};

/// Which I/O driver a shard runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverKind {
    Uring,
    Epoll,
    Sim,
}

impl DriverKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            DriverKind::Uring => "io_uring",
            DriverKind::Epoll => "epoll",
            DriverKind::Sim => "sim",
        }
    }
}

/// One shard's state. Lives on one thread.
pub(crate) struct Shard {
    pub(crate) id: usize,
    pub(crate) count: usize,
    pub(crate) driver: DriverKind,
    pub(crate) queues: RefCell<Queues>,
    pub(crate) registry: Registry,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) stats: Stats,
    /// What all shards of this run share.
    pub(crate) run: Arc<Run>,
    /// The simulated process this shard belongs to, if any.
    pub(crate) sim: Option<Rc<Process>>,
    /// The waker of the driver's root future, while the shard waits in the driver.
    root: RefCell<Option<Waker>>,
    /// Whether the root future is being polled.
    in_turn: Cell<bool>,
    poll_started: Cell<u64>,
    slice_end: Cell<u64>,
    /// Where the running task is put when it gives way.
    pub(crate) place: Cell<Place>,
    pub(crate) lulls: Lulls,
    /// Few enough that a scan beats a hash.
    locals: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
}

/// What differs between a real and a simulated shard.
pub(crate) struct Parts {
    pub(crate) id: usize,
    pub(crate) count: usize,
    pub(crate) driver: DriverKind,
    pub(crate) shares: Shares,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) run: Arc<Run>,
    pub(crate) sim: Option<Rc<Process>>,
}

impl Shard {
    pub(crate) fn new(parts: Parts) -> Rc<Shard> {
        Rc::new(Shard {
            id: parts.id,
            count: parts.count,
            driver: parts.driver,
            queues: RefCell::new(Queues::new(parts.shares)),
            registry: Registry::default(),
            inbox: parts.inbox,
            timers: RefCell::default(),
            clock: parts.clock,
            rng: parts.rng,
            stats: Stats::new(parts.id, parts.driver),
            run: parts.run,
            sim: parts.sim,
            root: RefCell::new(None),
            in_turn: Cell::new(false),
            poll_started: Cell::new(0),
            slice_end: Cell::new(u64::MAX),
            place: Cell::default(),
            lulls: Lulls::default(),
            locals: RefCell::default(),
        })
    }

    /// Whether this shard is simulated.
    pub(crate) fn is_sim(&self) -> bool {
        self.driver == DriverKind::Sim
    }

    /// State of type `T` that belongs to this shard, made at its first use.
    pub(crate) fn local<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let id = TypeId::of::<T>();
        let found = self
            .locals
            .borrow()
            .iter()
            .find(|(of, _)| *of == id)
            .map(|(_, v)| v.clone());
        let any = found.unwrap_or_else(|| {
            let made: Rc<dyn Any> = Rc::new(make());
            self.locals.borrow_mut().push((id, made.clone()));
            made
        });
        match any.downcast::<T>() {
            Ok(value) => value,
            Err(_) => unreachable!("the list is keyed by the value's type"),
        }
    }

    /// Drops all shard-local state; part of the shard's end.
    pub(crate) fn clear_locals(&self) {
        let locals = std::mem::take(&mut *self.locals.borrow_mut());
        drop(locals);
    }

    /// What the watchdog sees of this shard.
    pub(crate) fn pulse(&self) -> &Pulse {
        // A run has as many pulses as shards.
        &self.run.pulses()[self.id]
    }

    pub(crate) fn begin_slice(&self, end_nanos: u64) {
        self.slice_end.set(end_nanos);
    }

    pub(crate) fn begin_poll(&self, now_nanos: u64) {
        self.poll_started.set(now_nanos);
        self.place.set(Place::default());
    }

    /// Whether no task of `class` can run.
    pub(crate) fn is_quiet(&self, class: Class) -> bool {
        self.queues.borrow().len_of(class) == 0 && self.inbox.is_empty()
    }

    /// Whether the running task should give way: its slice is over, or it has run for `breath`
    /// and others wait. In the simulator: by seed, so that every breath may be a switch.
    pub(crate) fn out_of_breath(&self, breath: Duration) -> bool {
        if self.is_sim() {
            return self.rng.below(4) == 0;
        }
        let now = self.clock.now_nanos();
        if now >= self.slice_end.get() {
            return true;
        }
        let ran = now.saturating_sub(self.poll_started.get());
        // `as` is exact: BREATH is far below u64::MAX nanoseconds.
        ran >= breath.as_nanos() as u64
            && (!self.queues.borrow().is_empty() || !self.inbox.is_empty())
    }

    /// The root future is polled from now until [`Shard::end_turn`].
    pub(crate) fn begin_turn(&self, waker: &Waker) {
        self.in_turn.set(true);
        let mut root = self.root.borrow_mut();
        if !root.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *root = Some(waker.clone());
        }
    }

    pub(crate) fn end_turn(&self) {
        self.in_turn.set(false);
    }

    fn push(&self, runnable: Runnable<Meta>, gave_way: bool) {
        let place = match gave_way {
            true => self.place.take(),
            false => Place::Woken,
        };
        self.queues.borrow_mut().push(runnable, place);
        // The driver polls the root again only if it is woken. During a turn it must not be: the
        // driver would poll it at once, for ever, and never serve its sockets.
        if self.in_turn.get() {
            return;
        }
        if let Some(root) = self.root.borrow().as_ref() {
            root.wake_by_ref();
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

/// Makes `shard` the current one while the guard lives.
pub(crate) fn enter(shard: Rc<Shard>) -> Entered {
    let previous = CURRENT.with(|current| current.replace(Some(shard)));
    Entered { previous }
}

pub(crate) struct Entered {
    previous: Option<Rc<Shard>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let previous = self.previous.take();
        let left = CURRENT.with(|current| current.replace(previous));
        drop(left);
    }
}

/// The current shard, or None outside of any.
pub(crate) fn try_current() -> Option<Rc<Shard>> {
    CURRENT
        .try_with(|current| current.borrow().clone())
        .ok()
        .flatten()
}

/// The current shard.
///
/// # Panics
/// Outside of a shard: that is a mistake in the program, not a condition.
#[track_caller]
pub(crate) fn current() -> Rc<Shard> {
    match try_current() {
        Some(shard) => shard,
        None => panic!("called outside of a shard: this function needs runtime::run or sim::Sim"),
    }
}

#[track_caller]
pub(crate) fn with<R>(f: impl FnOnce(&Shard) -> R) -> R {
    f(&current())
}

/// Queues the task on the current shard if that owns `inbox`; else gives the task back.
pub(crate) fn push_if_current(
    inbox: &Arc<Inbox>,
    runnable: Runnable<Meta>,
    gave_way: bool,
) -> Option<Runnable<Meta>> {
    match try_current() {
        Some(shard) if Arc::ptr_eq(&shard.inbox, inbox) => {
            shard.push(runnable, gave_way);
            None
        }
        _ => Some(runnable),
    }
}

/// Index of the current shard, from 0.
///
/// # Panics
/// Outside of a shard.
#[track_caller]
pub fn shard_id() -> usize {
    with(|shard| shard.id)
}

/// Number of shards in this run.
///
/// # Panics
/// Outside of a shard.
#[track_caller]
pub fn shard_count() -> usize {
    with(|shard| shard.count)
}

/// The driver of the current shard: `io_uring`, `epoll` or `sim`; `none` outside of a shard.
pub fn driver_name() -> &'static str {
    try_current().map_or("none", |shard| shard.driver.name())
}
