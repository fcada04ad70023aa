//! The clock, the events and the scheduler of a simulated world.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::net::Network;
use super::process::{Process, Running};
use super::{Ended, Failure, ProcessId, What};
use crate::BoxError;
use crate::context::{self, DriverKind, Parts, Shard};
use crate::exec::{self, Inbox, Place, Shares};
use crate::memory;
use crate::rand::Rng;
use crate::runtime::{Returned, Run, fire_due, spawn_main};
use crate::time::Clock;

/// Simulated time one poll takes: enough that the clock moves in code which only computes.
const POLL_NANOS: Range<u64> = 100..5_000;

pub(crate) struct World {
    pub(super) seed: u64,
    pub(crate) rng: Rng,
    clock: Rc<Cell<u64>>,
    processes: RefCell<Vec<Rc<Process>>>,
    events: RefCell<BTreeMap<(u64, u64), Event>>,
    sequence: Cell<u64>,
    pub(super) network: Network,
    pub(super) io_latency: RefCell<Range<Duration>>,
    pub(super) limits: RefCell<Budgets>,
    pub(super) polls: Cell<u64>,
    pub(super) digest: Cell<u64>,
    /// How each process ended that has.
    ended: RefCell<BTreeMap<usize, Result<Ended, crate::runtime::Error>>>,
}

/// Something that happens at a point in time, outside of any shard.
pub(super) type Event = Box<dyn FnOnce(&Rc<World>)>;

pub(super) struct Budgets {
    pub(super) polls: u64,
    pub(super) time: Duration,
}

#[derive(Clone, Copy)]
pub(super) enum Stop {
    Ended(ProcessId),
    At(u64),
}

impl World {
    pub(super) fn new(seed: u64) -> Rc<World> {
        Rc::new(World {
            seed,
            rng: Rng::from_seed(seed),
            clock: Rc::default(),
            processes: RefCell::default(),
            events: RefCell::default(),
            sequence: Cell::new(0),
            network: Network::default(),
            io_latency: RefCell::new(Duration::from_micros(10)..Duration::from_millis(2)),
            limits: RefCell::new(Budgets {
                polls: 10_000_000,
                time: Duration::from_secs(24 * 60 * 60),
            }),
            polls: Cell::new(0),
            digest: Cell::new(seed),
            ended: RefCell::default(),
        })
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.get()
    }

    pub(super) fn add_process(self: &Rc<Self>, name: &str, shards: usize) -> ProcessId {
        let mut processes = self.processes.borrow_mut();
        let index = processes.len();
        processes.push(Process::new(index, name, shards, Rc::downgrade(self)));
        ProcessId(index)
    }

    pub(super) fn process(&self, id: ProcessId) -> Rc<Process> {
        // Ids come from add_process of this world; another world's id is a mistake of the test.
        Rc::clone(&self.processes.borrow()[id.0])
    }

    /// Lets `event` happen after `delay`. Events of one instant happen in the order of their
    /// registration.
    pub(super) fn after(&self, delay: Duration, event: Event) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let at = self.now().saturating_add(nanos);
        self.sequence.set(self.sequence.get() + 1);
        self.events
            .borrow_mut()
            .insert((at, self.sequence.get()), event);
    }

    pub(super) fn start<F, Fut>(self: &Rc<Self>, id: ProcessId, main: F)
    where
        F: Fn() -> Fut + 'static,
        Fut: Future<Output = Result<(), BoxError>> + 'static,
    {
        let process = self.process(id);
        assert!(
            !process.is_running(),
            "process {} is running already",
            process.name
        );
        self.ended.borrow_mut().remove(&id.0);
        process.durable_started();
        let count = process.shard_count();
        let run = Run::new((0..count).map(|_| Arc::new(Inbox::new(None))).collect());
        let shards: Vec<Rc<Shard>> = (0..count)
            .map(|shard| {
                Shard::new(Parts {
                    id: shard,
                    count,
                    driver: DriverKind::Sim,
                    shares: Shares::default(),
                    inbox: Arc::clone(&run.inboxes()[shard]),
                    clock: Clock::Sim(Rc::clone(&self.clock)),
                    rng: self.rng.clone(),
                    run: Arc::clone(&run),
                    sim: Some(Rc::clone(&process)),
                })
            })
            .collect();
        process.set_running(Some(Running {
            run: Arc::clone(&run),
            shards: shards.clone(),
        }));
        for shard in shards {
            memory::install(&shard, process.memory_limit());
            let _entered = context::enter(shard.clone());
            spawn_main(&shard, main(), Returned(Arc::clone(&run)));
        }
    }

    /// Lets the world go on until `stop`.
    pub(super) fn run(self: &Rc<Self>, stop: Stop) -> Result<Ended, Failure> {
        let last_poll = self.polls.get().saturating_add(self.limits.borrow().polls);
        let time = u64::try_from(self.limits.borrow().time.as_nanos()).unwrap_or(u64::MAX);
        let last_nanos = self.now().saturating_add(time);
        loop {
            self.reap();
            match stop {
                Stop::Ended(id) => {
                    // Reported once: an error cannot be copied.
                    if let Some(result) = self.ended.borrow_mut().remove(&id.0) {
                        return result.map_err(|e| self.failure(What::Process(e)));
                    }
                    let process = self.process(id);
                    assert!(
                        process.is_running(),
                        "process {} was not started",
                        process.name
                    );
                }
                Stop::At(at) if self.now() >= at => return Ok(Ended::Finished),
                Stop::At(_) => {}
            }
            self.fire_due();
            match self.pick() {
                Some((shard, runnable)) => {
                    let site = runnable.metadata().site;
                    self.mix(self.now());
                    self.mix(u64::from(site.line()) << 16 | shard.id as u64);
                    let entered = context::enter(shard.clone());
                    exec::run_one(&shard, runnable, self.now());
                    drop(entered);
                    let width = POLL_NANOS.end - POLL_NANOS.start;
                    self.clock
                        .set(self.now() + POLL_NANOS.start + self.rng.below(width));
                    self.polls.set(self.polls.get() + 1);
                    if self.polls.get() >= last_poll {
                        let last = site.to_string();
                        return Err(self.failure(What::Spinning { last }));
                    }
                }
                None => {
                    let Some(next) = self.next_due() else {
                        match stop {
                            Stop::Ended(_) => return Err(self.failure(What::Stuck)),
                            Stop::At(at) => {
                                self.clock.set(self.now().max(at));
                                return Ok(Ended::Finished);
                            }
                        }
                    };
                    let to = match stop {
                        Stop::At(at) => next.min(at),
                        Stop::Ended(_) => next,
                    };
                    self.clock.set(self.now().max(to));
                }
            }
            if matches!(stop, Stop::Ended(_)) && self.now() > last_nanos {
                return Err(self.failure(What::TooLong));
            }
        }
    }

    /// Ends the processes that have come to their end or have to crash.
    fn reap(self: &Rc<Self>) {
        for index in 0..self.processes.borrow().len() {
            let process = self.process(ProcessId(index));
            if process.wants_to_crash() {
                self.crash(ProcessId(index));
            } else if let Some(running) = process.running()
                && running.run.is_over()
            {
                self.end(&process, &running);
                let result = running.run.take_result().map(|()| Ended::Finished);
                self.ended.borrow_mut().insert(index, result);
            }
        }
    }

    pub(super) fn crash(self: &Rc<Self>, id: ProcessId) {
        let process = self.process(id);
        let Some(running) = process.running() else {
            return;
        };
        tracing::debug!(process = process.name, at = self.now(), "simulated crash");
        process.durable_crashed(&self.rng);
        self.end(&process, &running);
        self.ended.borrow_mut().insert(id.0, Ok(Ended::Crashed));
    }

    pub(super) fn crash_all(self: &Rc<Self>) {
        for index in 0..self.processes.borrow().len() {
            self.crash(ProcessId(index));
        }
        // Events hold streams that hold the world.
        let events = std::mem::take(&mut *self.events.borrow_mut());
        drop(events);
        self.network.clear();
    }

    /// Drops everything of a process but its durable parts.
    fn end(self: &Rc<Self>, process: &Process, running: &Running) {
        process.crash_at_io(0);
        self.network.reset_process(self, process.index);
        for shard in &running.shards {
            let _entered = context::enter(shard.clone());
            exec::cancel_all(shard);
            shard.clear_locals();
        }
        process.set_running(None);
    }

    pub(super) fn heal(self: &Rc<Self>, a: ProcessId, b: ProcessId) {
        for held in self.network.heal(a.0, b.0) {
            held(self);
        }
    }

    /// A runnable task, chosen by seed among all that are.
    fn pick(&self) -> Option<(Rc<Shard>, exec::Runnable)> {
        let mut ready: Vec<(Rc<Shard>, usize)> = Vec::new();
        for process in self.processes.borrow().iter() {
            process.with_shards(|shards| {
                for shard in shards {
                    let drain = || {
                        while let Some(woken) = shard.inbox.pop() {
                            shard.queues.borrow_mut().push(woken, Place::Woken);
                        }
                    };
                    drain();
                    shard.lulls.end(shard);
                    drain();
                    let queues = shard.queues.borrow();
                    if !queues.is_empty() {
                        ready.push((Rc::clone(shard), queues.len()));
                    }
                }
            });
        }
        if ready.is_empty() {
            return None;
        }
        // `as` is exact: the number of shards is small.
        let (shard, tasks) = ready.swap_remove(self.rng.below(ready.len() as u64) as usize);
        let nth = self.rng.below(tasks as u64) as usize;
        let runnable = shard.queues.borrow_mut().take_nth(nth)?;
        Some((shard, runnable))
    }

    fn fire_due(self: &Rc<Self>) {
        let now = self.now();
        loop {
            let event = {
                let mut events = self.events.borrow_mut();
                match events.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => break,
                }
            };
            event(self);
        }
        for process in self.processes.borrow().iter() {
            process.with_shards(|shards| shards.iter().for_each(|shard| fire_due(shard, now)));
        }
    }

    fn next_due(&self) -> Option<u64> {
        let event = self
            .events
            .borrow()
            .first_key_value()
            .map(|((at, _), _)| *at);
        let processes = self.processes.borrow();
        let timers = processes.iter().filter_map(|process| {
            process.with_shards(|shards| {
                shards
                    .iter()
                    .filter_map(|shard| shard.timers.borrow().next())
                    .min()
            })
        });
        timers.chain(event).min()
    }

    /// Adds a number to the digest of what has happened (FNV-1a, a word at a time).
    pub(super) fn mix(&self, word: u64) {
        self.digest.set(
            (self.digest.get() ^ word)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23),
        );
    }

    fn failure(&self, what: What) -> Failure {
        Failure {
            seed: self.seed,
            at: Duration::from_nanos(self.now()),
            polls: self.polls.get(),
            what,
        }
    }
}
