//! What the shards of one generator share: the start, the counts, what the processes had used when measuring began.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use vivace_shards::time::{self, Instant};

use super::options::Options;
use super::outcome::{Latencies, Outcome};
use super::process::Process;
use super::settle::Settled;

/// Between the first shard's readiness and the first request.
const LEAD: Duration = Duration::from_millis(20);
/// How often a shard that is done looks whether the others are.
const LOOK: Duration = Duration::from_millis(2);

/// The state of things at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// When.
    pub at: Instant,
    /// Spans acknowledged so far.
    pub spans: u64,
    /// The server, if its process is known.
    pub server: Option<Process>,
    /// The generator itself.
    pub generator: Option<Process>,
}

/// One of the generator, for all its shards.
pub struct Shared {
    pid: Option<u32>,
    origin: OnceLock<Instant>,
    running: AtomicUsize,
    /// Spans that may still be sent.
    budget: AtomicU64,
    /// Spans acknowledged so far.
    pub spans: AtomicU64,
    /// Requests refused, failed and dropped so far.
    pub refused: AtomicU64,
    /// Requests that failed so far.
    pub failed: AtomicU64,
    /// Requests that were not sent, because too many were waiting.
    pub dropped: AtomicU64,
    /// Requests that are due but not sent yet.
    pub waiting: AtomicUsize,
    recent: Mutex<Latencies>,
    marks: Mutex<Marks>,
    total: Mutex<Outcome>,
    settled: OnceLock<Settled>,
}

/// The moments between which is measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// Warm-up over.
    pub begin: Option<Mark>,
    /// Last answer in.
    pub end: Option<Mark>,
    /// Everything in blocks, if that was waited for.
    pub settled: Option<Mark>,
    /// Last trace read back.
    pub verified: Option<Mark>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The values are valid after every statement, so a panic elsewhere cannot have broken them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// For `shards` shards.
    pub fn new(options: &Options, shards: usize) -> Self {
        Self {
            pid: options.pid,
            origin: OnceLock::new(),
            running: AtomicUsize::new(shards),
            budget: AtomicU64::new(match options.spans {
                0 => u64::MAX,
                spans => spans,
            }),
            spans: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            recent: Mutex::default(),
            marks: Mutex::default(),
            total: Mutex::default(),
            settled: OnceLock::new(),
        }
    }

    /// When the first request is due: the same for all shards.
    pub fn origin(&self) -> Instant {
        *self.origin.get_or_init(|| Instant::now() + LEAD)
    }

    /// Takes the spans of one request out of the budget of `--spans`; says no when it is used up.
    pub fn take(&self, spans: usize) -> bool {
        let left = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left > 0).then(|| left.saturating_sub(spans as u64))
            });
        left.is_ok()
    }

    /// Notes an acknowledgement for the progress line.
    pub fn acknowledged(&self, spans: usize, latency: Duration) {
        self.spans.fetch_add(spans as u64, Ordering::Relaxed);
        lock(&self.recent).record(latency);
    }

    /// The latencies since the last call.
    pub fn take_recent(&self) -> Latencies {
        let mut recent = lock(&self.recent);
        let taken = recent.clone();
        recent.clear();
        taken
    }

    /// The state of things now.
    pub fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            spans: self.spans.load(Ordering::Relaxed),
            server: self.pid.and_then(Process::read),
            generator: Process::read(std::process::id()),
        }
    }

    /// Measuring begins.
    pub fn begin(&self) {
        let mark = self.mark();
        lock(&self.marks).begin = Some(mark);
    }

    /// One shard has its last answer; waits until all have.
    pub async fn load_done(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mark = self.mark();
            lock(&self.marks).end = Some(mark);
        }
        while self.running.load(Ordering::Acquire) > 0 {
            time::sleep(LOOK).await;
        }
    }

    /// Whether all shards have their last answer.
    pub fn is_load_done(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    /// When the last shard had its last answer; now, if none has been told yet.
    pub fn load_ended(&self) -> Instant {
        lock(&self.marks)
            .end
            .map_or_else(Instant::now, |end| end.at)
    }

    /// The wait for blocks is over.
    pub fn set_settled(&self, settled: Settled) {
        let mark = self.mark();
        lock(&self.marks).settled = Some(mark);
        // One shard waits for all of them.
        let _set_once = self.settled.set(settled);
    }

    /// Waits until one shard has told that the wait for blocks is over.
    pub async fn wait_settled(&self) {
        while self.settled.get().is_none() {
            time::sleep(LOOK).await;
        }
    }

    /// What the wait for blocks has told, if there was one.
    pub fn settled(&self) -> Option<Settled> {
        self.settled.get().cloned()
    }

    /// One shard has done all it had to do.
    pub fn finish(&self, outcome: &Outcome) {
        let mark = self.mark();
        lock(&self.marks).verified = Some(mark);
        lock(&self.total).add(outcome);
    }

    /// What all shards measured.
    pub fn result(&self) -> (Outcome, Marks) {
        (lock(&self.total).clone(), *lock(&self.marks))
    }
}
