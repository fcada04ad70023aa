//! The simulated world: the same components on one thread, replayed from a seed.
//!
//! A [`Sim`] holds processes, each with its own shards, shutdown signal and durable state (its
//! disk). They share one clock, one random generator and one network. Nothing in it happens by
//! itself: the scheduler picks, by seed, which runnable task of which shard is polled next; when
//! none is runnable, the clock jumps to the next timer, packet or I/O completion. Equal seeds give
//! equal runs, as long as the code under test takes time and randomness from this crate and does
//! not let the order of a `HashMap` decide what it does.
//!
//! A crash drops all tasks and all memory of a process, resets its connections, and leaves what
//! its [`Durable`] parts say survives. It can be asked for between runs, from within
//! ([`crash_now`]), or at the k-th I/O step ([`Sim::crash_at_io`]).

mod durable;
mod listener;
mod net;
mod process;
mod stream;
mod world;

use std::future::Future;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

pub use durable::{Durable, crash_now, durable, io_step};
pub(crate) use listener::SimListener;
pub(crate) use net::{connect, current_process};
pub(crate) use process::Process;
pub(crate) use stream::SimStream;
use world::{Stop, World};

use crate::BoxError;
use crate::rand::Rng;
use crate::runtime;
use crate::time::Instant;

/// One of a simulation's processes. The first one is [`Sim::MAIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(usize);

/// How a process has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The `main` of each of its shards has returned `Ok`.
    Finished,
    /// It has crashed.
    Crashed,
}

/// A simulation that failed. The text names the seed that replays it.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}: at {at:?} after {polls} polls: {what}")]
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// Simulated time since its beginning.
    pub at: Duration,
    /// Polls since its beginning.
    pub polls: u64,
    /// What went wrong.
    pub what: What,
}

impl Failure {
    /// Never: the same seed fails in the same way.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// What went wrong in a simulation.
#[derive(Debug, thiserror::Error)]
pub enum What {
    /// A process failed or panicked.
    #[error(transparent)]
    Process(runtime::Error),
    /// More polls than allowed: something spins.
    #[error("the budget of polls is used up; the last task polled was spawned at {last}")]
    Spinning {
        /// Where the task polled last was spawned.
        last: String,
    },
    /// Nothing can happen any more, but the process awaited has not ended.
    #[error("nothing is left to happen, but the process has not ended")]
    Stuck,
    /// The simulated time allowed has passed.
    #[error("the process has not ended in the simulated time allowed")]
    TooLong,
}

/// How the simulated network behaves.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// Time from one end to the other.
    pub latency: Range<Duration>,
    /// Bytes one direction of a connection holds before its writer has to wait.
    pub window: usize,
    /// How many writes in a million reset their connection.
    pub resets_per_million: u32,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        NetworkOptions {
            latency: Duration::from_micros(20)..Duration::from_micros(500),
            window: 64 * 1024,
            resets_per_million: 0,
        }
    }
}

/// A simulated world. See the module's description.
pub struct Sim {
    world: Rc<World>,
}

impl Sim {
    /// The process that [`Sim::run`] runs.
    pub const MAIN: ProcessId = ProcessId(0);

    /// A world with one process of one shard.
    pub fn new(seed: u64) -> Sim {
        let world = World::new(seed);
        world.add_process("main", 1);
        Sim { world }
    }

    /// Sets the number of shards of the main process; counts from its next start.
    pub fn shards(self, shards: usize) -> Sim {
        self.world.process(Self::MAIN).set_shards(shards);
        self
    }

    /// Sets the memory budget that the main process's shards share; 0 means none. Counts from its
    /// next start.
    pub fn memory_limit(self, bytes: u64) -> Sim {
        self.world.process(Self::MAIN).set_memory_limit(bytes);
        self
    }

    /// Allows at most this many polls for each run, so that code which spins fails. Ten million
    /// if not set.
    pub fn poll_budget(self, polls: u64) -> Sim {
        self.world.limits.borrow_mut().polls = polls;
        self
    }

    /// Allows at most this much simulated time for each run. A day if not set.
    pub fn time_budget(self, time: Duration) -> Sim {
        self.world.limits.borrow_mut().time = time;
        self
    }

    /// Sets how long simulated I/O takes; at least one wait in any case.
    pub fn io_latency(self, latency: Range<Duration>) -> Sim {
        *self.world.io_latency.borrow_mut() = latency;
        self
    }

    /// Sets how the network behaves.
    pub fn network(self, options: NetworkOptions) -> Sim {
        self.world.network.set_options(options);
        self
    }

    /// Adds a process, with a disk and memory of its own.
    pub fn add_process(&self, name: &str, shards: usize) -> ProcessId {
        self.world.add_process(name, shards)
    }

    /// Starts `main` on every shard of a process that is not running.
    ///
    /// # Panics
    /// If the process is running.
    pub fn start<F, Fut>(&self, process: ProcessId, main: F)
    where
        F: Fn() -> Fut + 'static,
        Fut: Future<Output = Result<(), BoxError>> + 'static,
    {
        self.world.start(process, main);
    }

    /// Lets the world go on until `process` has ended. Other processes run beside it and go on
    /// afterwards, with the next call.
    ///
    /// # Errors
    /// If it failed or panicked, or did not end within the budgets.
    ///
    /// # Panics
    /// If it was not started since its last end was reported.
    pub fn run_until_ended(&self, process: ProcessId) -> Result<Ended, Failure> {
        self.world.run(Stop::Ended(process))
    }

    /// Starts the main process and lets the world go on until it has ended.
    ///
    /// # Errors
    /// As [`Sim::run_until_ended`].
    pub fn run<F, Fut>(&self, main: F) -> Result<Ended, Failure>
    where
        F: Fn() -> Fut + 'static,
        Fut: Future<Output = Result<(), BoxError>> + 'static,
    {
        self.start(Self::MAIN, main);
        self.run_until_ended(Self::MAIN)
    }

    /// Lets the world go on for some simulated time, or until nothing is left to happen.
    ///
    /// # Errors
    /// If the budget of polls is used up.
    pub fn run_for(&self, time: Duration) -> Result<(), Failure> {
        let until = self.now() + time;
        self.world.run(Stop::At(until.as_nanos())).map(|_| ())
    }

    /// Crashes a process now. Does nothing if it is not running.
    pub fn crash(&self, process: ProcessId) {
        self.world.crash(process);
    }

    /// Crashes the process at its k-th I/O step from now on (1 is the next one), in the middle of
    /// that step; 0 means not at all.
    pub fn crash_at_io(&self, process: ProcessId, k: u64) {
        self.world.process(process).crash_at_io(k);
    }

    /// I/O steps that the process has made since the world began.
    pub fn io_steps(&self, process: ProcessId) -> u64 {
        self.world.process(process).io_steps()
    }

    /// The durable part of type `T` of a process, made by `make` if it has none yet.
    pub fn durable<T: Durable>(&self, process: ProcessId, make: impl FnOnce() -> T) -> Rc<T> {
        self.world.process(process).durable(make)
    }

    /// Holds back everything between two processes, as a broken cable would.
    pub fn cut(&self, a: ProcessId, b: ProcessId) {
        self.world.network.cut(a.0, b.0);
    }

    /// Lets traffic between two processes through again, what was held back first.
    pub fn heal(&self, a: ProcessId, b: ProcessId) {
        self.world.heal(a, b);
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.world.now())
    }

    /// The seed that replays this world.
    pub fn seed(&self) -> u64 {
        self.world.seed
    }

    /// A digest of everything the scheduler has done: equal for equal runs.
    pub fn digest(&self) -> u64 {
        self.world.digest.get()
    }

    /// Polls since the world began.
    pub fn polls(&self) -> u64 {
        self.world.polls.get()
    }

    /// A random number below `n` from the world's seed, for choices of the test itself.
    pub fn below(&self, n: u64) -> u64 {
        self.rng().below(n)
    }

    fn rng(&self) -> &Rng {
        &self.world.rng
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // Tasks and the world hold each other; this lets go of both.
        self.world.crash_all();
    }
}
