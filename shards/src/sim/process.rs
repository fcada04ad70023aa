//! One simulated process: its shards while it runs, and what outlives them.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use super::durable::Durable;
use super::world::World;
use crate::context::Shard;
use crate::rand::Rng;
use crate::runtime::Run;

pub(crate) struct Process {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) world: Weak<World>,
    shards: Cell<usize>,
    memory_limit: Cell<u64>,
    running: RefCell<Option<Running>>,
    /// Asked for by a task; carried out between polls.
    crash_wanted: Cell<bool>,
    io_steps: Cell<u64>,
    crash_at: Cell<u64>,
    durable: RefCell<BTreeMap<TypeId, Rc<dyn Durable>>>,
}

#[derive(Clone)]
pub(super) struct Running {
    pub(super) run: Arc<Run>,
    pub(super) shards: Vec<Rc<Shard>>,
}

impl Process {
    pub(super) fn new(index: usize, name: &str, shards: usize, world: Weak<World>) -> Rc<Process> {
        Rc::new(Process {
            index,
            name: name.to_owned(),
            world,
            shards: Cell::new(shards.max(1)),
            memory_limit: Cell::new(0),
            running: RefCell::new(None),
            crash_wanted: Cell::new(false),
            io_steps: Cell::new(0),
            crash_at: Cell::new(0),
            durable: RefCell::default(),
        })
    }

    pub(super) fn set_shards(&self, shards: usize) {
        self.shards.set(shards.max(1));
    }

    pub(super) fn shard_count(&self) -> usize {
        self.shards.get()
    }

    pub(super) fn set_memory_limit(&self, bytes: u64) {
        self.memory_limit.set(bytes);
    }

    pub(super) fn memory_limit(&self) -> u64 {
        self.memory_limit.get()
    }

    pub(super) fn running(&self) -> Option<Running> {
        self.running.borrow().clone()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    pub(super) fn set_running(&self, running: Option<Running>) {
        self.crash_wanted.set(false);
        let old = self.running.replace(running);
        drop(old);
    }

    pub(super) fn with_shards<R>(&self, f: impl FnOnce(&[Rc<Shard>]) -> R) -> R {
        match &*self.running.borrow() {
            Some(running) => f(&running.shards),
            None => f(&[]),
        }
    }

    pub(super) fn ask_to_crash(&self) {
        self.crash_wanted.set(true);
    }

    pub(super) fn wants_to_crash(&self) -> bool {
        self.crash_wanted.get()
    }

    pub(super) fn crash_at_io(&self, k: u64) {
        let at = if k == 0 { 0 } else { self.io_steps.get() + k };
        self.crash_at.set(at);
    }

    pub(super) fn io_steps(&self) -> u64 {
        self.io_steps.get()
    }

    /// Counts an I/O step. True if the process is to crash in it.
    pub(super) fn step_io(&self) -> bool {
        self.io_steps.set(self.io_steps.get() + 1);
        self.io_steps.get() == self.crash_at.get()
    }

    pub(super) fn io_latency(&self) -> Range<Duration> {
        match self.world.upgrade() {
            Some(world) => world.io_latency.borrow().clone(),
            None => Duration::ZERO..Duration::ZERO,
        }
    }

    pub(crate) fn world(&self) -> Option<Rc<World>> {
        self.world.upgrade()
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn durable<T: Durable>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let found = self.durable.borrow().get(&TypeId::of::<T>()).cloned();
        let part = found.unwrap_or_else(|| {
            let made: Rc<dyn Durable> = Rc::new(make());
            self.durable
                .borrow_mut()
                .insert(TypeId::of::<T>(), made.clone());
            made
        });
        let any: Rc<dyn Any> = part;
        match any.downcast::<T>() {
            Ok(value) => value,
            Err(_) => unreachable!("the map is keyed by the value's type"),
        }
    }

    pub(super) fn durable_crashed(&self, rng: &Rng) {
        let parts: Vec<_> = self.durable.borrow().values().cloned().collect();
        for part in parts {
            part.on_crash(&mut |n| rng.below(n));
        }
    }

    pub(super) fn durable_started(&self) {
        let parts: Vec<_> = self.durable.borrow().values().cloned().collect();
        for part in parts {
            part.on_start();
        }
    }
}
