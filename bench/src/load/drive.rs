//! One shard's part of the load: a pacer, connections, readers. Runs on real shards and in the simulator.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use vivace_shards::time::{self, Instant};
use vivace_shards::{BoxError, Class, Task, shard_count, shard_id, spawn};

use super::limits::{MAX_RETRIES, MAX_RETRY_PAUSE, PAUSE_AFTER_FAILURE};
use super::options::Options;
use super::outcome::Outcome;
use super::progress;
use super::query::Query;
use super::read::Reader;
use super::sample::Sample;
use super::send::{Answer, Connection, Style};
use super::settle::settle;
use super::shared::Shared;
use crate::data::{Generator, Request};

/// The part of one shard.
struct Part {
    options: Options,
    shared: Arc<Shared>,
    generator: RefCell<Generator>,
    sample: RefCell<Sample>,
    outcome: RefCell<Outcome>,
    /// The first request.
    origin: Cell<Instant>,
}

/// What a connection does after an answer.
enum After {
    Acknowledged,
    /// The same again after this pause.
    Later(Duration),
    Failed,
}

/// Runs this shard's part; the outcome goes to `shared`.
///
/// # Errors
/// If the server cannot be reached at the start, or the tenant cannot stand in a header. What fails later is counted.
pub async fn drive(options: Options, shared: Arc<Shared>) -> Result<(), BoxError> {
    let (shard, shards) = (shard_id(), shard_count());
    let seed = options.seed.unwrap_or_else(time::unix_nanos);
    let seed = seed.wrapping_mul(0x9e37_79b9).wrapping_add(shard as u64);
    let style = Style::new(&options)?;
    let connections = share(options.connections, shard, shards);
    let part = Rc::new(Part {
        generator: RefCell::new(Generator::new(seed, options.shape())),
        sample: RefCell::new(Sample::new(share(options.sample(), shard, shards), seed)),
        outcome: RefCell::default(),
        origin: Cell::new(Instant::now()),
        options,
        shared,
    });
    let mut lines: Vec<Connection> = (0..connections)
        .map(|_| Connection::new(style.clone()))
        .collect();
    for line in &mut lines {
        line.connect().await?;
    }
    part.origin.set(part.shared.origin());
    let progress = (shard == 0).then(|| {
        let (shared, options) = (part.shared.clone(), part.options.clone());
        spawn(Class::Ingest, progress::watch(shared, options))
    });
    let beside = (shard == 0).then(|| spawn(Class::Ingest, part.clone().read_beside()));
    let senders = part.clone().start(lines);
    join_all(senders).await;
    part.shared.load_done().await;
    for task in [progress, beside].into_iter().flatten() {
        task.await;
    }
    part.settle().await;
    part.verify().await;
    part.shared.finish(&part.outcome.borrow());
    Ok(())
}

/// This shard's share of `all`.
fn share(all: usize, shard: usize, shards: usize) -> usize {
    all / shards + usize::from(shard < all % shards)
}

impl Part {
    fn measured_from(&self) -> Instant {
        self.origin.get() + self.options.warmup()
    }

    fn end(&self) -> Instant {
        self.measured_from() + self.options.measure()
    }

    fn start(self: Rc<Self>, lines: Vec<Connection>) -> Vec<Task<()>> {
        let open_loop = self.options.rate > 0;
        let room = share(self.options.max_waiting, shard_id(), shard_count()).max(1);
        let (due, tickets) = flume::bounded(room);
        let mut tasks = Vec::new();
        for line in lines {
            let (part, tickets) = (self.clone(), tickets.clone());
            tasks.push(spawn(Class::Ingest, async move {
                if open_loop {
                    part.send_due(line, tickets).await;
                } else {
                    part.send_always(line).await;
                }
            }));
        }
        if open_loop {
            tasks.push(spawn(Class::Ingest, self.pace(due)));
        }
        tasks
    }

    /// Open loop: hands out a ticket at every moment at which a request is due.
    async fn pace(self: Rc<Self>, tickets: flume::Sender<Instant>) {
        let mut n = shard_id() as u64;
        while let Some(after) = self.options.due(n) {
            let due = self.origin.get() + after;
            if due >= self.end() {
                return;
            }
            time::sleep_until(due).await;
            self.shared.waiting.fetch_add(1, Ordering::Relaxed);
            let Err(not) = tickets.try_send(due) else {
                n += shard_count() as u64;
                continue;
            };
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            if matches!(not, flume::TrySendError::Disconnected(_)) {
                // All connections have ended: the spans asked for are sent.
                return;
            }
            self.drop_due(due);
            n += shard_count() as u64;
        }
    }

    fn drop_due(&self, due: Instant) {
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        if due >= self.measured_from() {
            self.outcome.borrow_mut().dropped += 1;
        }
    }

    /// Open loop: one connection.
    async fn send_due(self: Rc<Self>, mut line: Connection, tickets: flume::Receiver<Instant>) {
        while let Ok(due) = tickets.recv_async().await {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            // Whatever waits for longer than a request may take after the end is given up.
            if Instant::now() > self.end() + self.options.timeout() {
                self.drop_due(due);
                continue;
            }
            let Some(request) = self.next_request() else {
                return;
            };
            self.exchange(&mut line, request, due).await;
        }
    }

    /// Closed loop: one connection.
    async fn send_always(self: Rc<Self>, mut line: Connection) {
        time::sleep_until(self.origin.get()).await;
        loop {
            let now = Instant::now();
            if now >= self.end() {
                return;
            }
            let Some(request) = self.next_request() else {
                return;
            };
            if !self.exchange(&mut line, request, now).await {
                time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }

    /// `None` when the spans asked for are sent.
    fn next_request(&self) -> Option<Request> {
        if !self.shared.take(self.options.spans_per_request) {
            return None;
        }
        let mut generator = self.generator.borrow_mut();
        let request = generator.next_request(time::unix_nanos());
        self.sample.borrow_mut().offer(&request, &generator);
        Some(request)
    }

    /// Sends a request and counts what comes of it; whether it was acknowledged.
    async fn exchange(&self, line: &mut Connection, request: Request, due: Instant) -> bool {
        let waited = Instant::now() - due;
        let measured = due >= self.measured_from();
        if measured {
            self.outcome.borrow_mut().waited.record(waited);
        }
        let Request {
            body,
            spans,
            pair,
            half,
        } = request;
        let body = Bytes::from(body);
        let mut retries = if self.options.retry_refused {
            MAX_RETRIES
        } else {
            0
        };
        loop {
            let answer = line.send(body.clone()).await;
            let latency = due.elapsed();
            if matches!(answer, Answer::Accepted { rejected: 0, .. }) {
                self.sample.borrow_mut().acknowledged(pair, half);
            }
            match self.count(answer, spans, latency, measured) {
                After::Acknowledged => return true,
                After::Later(pause) if retries > 0 => {
                    retries -= 1;
                    time::sleep(pause).await;
                }
                After::Later(_) | After::Failed => return false,
            }
        }
    }

    fn count(&self, answer: Answer, spans: usize, latency: Duration, measured: bool) -> After {
        let mut outcome = self.outcome.borrow_mut();
        match answer {
            Answer::Accepted { rejected, bytes } => {
                self.shared.acknowledged(spans, latency);
                if measured {
                    outcome.requests += 1;
                    outcome.spans += spans as u64;
                    outcome.bytes += bytes as u64;
                    outcome.rejected_spans += rejected;
                    outcome.latency.record(latency);
                }
                After::Acknowledged
            }
            Answer::Refused { text, after } => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                outcome.refused += u64::from(measured);
                outcome.first_failure.get_or_insert(text);
                After::Later(after.unwrap_or(PAUSE_AFTER_FAILURE).min(MAX_RETRY_PAUSE))
            }
            Answer::Failed(text) => {
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
                outcome.failed += u64::from(measured);
                outcome.first_failure.get_or_insert(text);
                After::Failed
            }
        }
    }

    fn reader(&self) -> Option<Reader> {
        let url = self.options.query_url.clone()?;
        // The tenant has been in a header before.
        Reader::new(url, &self.options).ok()
    }

    /// Reads traces at a rate while the load goes on. (Of this shard's sample: that has the same data as the others'.)
    async fn read_beside(self: Rc<Self>) {
        let (Some(mut reader), 1..) = (self.reader(), self.options.reads_per_second) else {
            return;
        };
        let period = Duration::from_secs(1) / self.options.reads_per_second.min(1_000_000) as u32;
        time::sleep_until(self.measured_from()).await;
        let mut ticks = time::interval(period);
        while !self.shared.is_load_done() && Instant::now() < self.end() {
            ticks.tick().await;
            let trace = self.sample.borrow_mut().pick();
            if let Some(trace) = trace {
                reader.check(&trace).await;
            }
        }
        self.outcome.borrow_mut().beside = reader.reads;
    }

    /// Waits until everything is in blocks, if that is asked for.
    async fn settle(&self) {
        let limit = Duration::from_secs(self.options.settle);
        let url = self.options.query_url.clone();
        let (Some(url), 1..) = (url, self.options.settle) else {
            return;
        };
        if shard_id() != 0 {
            return self.shared.wait_settled().await;
        }
        // The tenant has been in a header before.
        if let Ok(query) = Query::new(url, &self.options) {
            let settled = settle(query, self.shared.load_ended(), limit).await;
            self.shared.set_settled(settled);
        }
    }

    /// Reads the sample back.
    async fn verify(&self) {
        let (Some(mut reader), 1..) = (self.reader(), self.options.verify) else {
            return;
        };
        let traces = self.sample.replace(Sample::new(0, 0));
        for trace in traces.into_acknowledged() {
            reader.check(&trace).await;
            if self.options.sample_file.is_some() {
                let sampled = (trace.trace_id, trace.required().count());
                self.outcome.borrow_mut().sampled.push(sampled);
            }
        }
        self.outcome.borrow_mut().after = reader.reads;
    }
}
