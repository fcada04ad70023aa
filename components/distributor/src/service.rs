//! One request's way from its bytes to the partitions (write-path.md §2.2).

use crate::answer::Accepted;
use crate::config::{Config, TenantLimits};
use crate::limits::{FAILURE_LINES_PER_SECOND, IDLE_SCANNERS, TRUNCATION_LINES_PER_SECOND};
use crate::metrics::{self, Metrics, Transport};
use crate::refusal::Refusal;
use crate::sink::{PartitionSink, Push, PushError};
use crate::spans::SpanWatch;
use crate::tenants::{Distance, Distances, Known, RATE_LIMITED, Shared, Tenants};
use crate::walk::count_spans;
use bytes::Bytes;
use futures_util::future::join_all;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use vivace_limits::{RateLimit, Throttle};
use vivace_model::SpanBatch;
use vivace_protocol::otlp::{ScanOptions, Scanned, Scanner};
use vivace_shards::grpc::Code;
use vivace_shards::memory::{Charge, Kind, Pressure, pressure, try_charge};
use vivace_shards::time::{Instant, sleep, unix_nanos};

/// The distributor of one shard; cheap to clone.
#[derive(Clone)]
pub struct Service {
    pub(crate) inner: Rc<Inner>,
}

pub(crate) struct Inner {
    pub config: Config,
    limits: Box<dyn Fn(&str) -> TenantLimits>,
    sink: Rc<dyn PartitionSink>,
    tenants: Tenants,
    metrics: Metrics,
    /// Idle ones, with the memory of their builders.
    scanners: RefCell<Vec<Scanner>>,
    watch: SpanWatch,
    failures: RefCell<Throttle>,
    truncations: RefCell<Throttle>,
}

/// What a receiver knows of a request besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub transport: Transport,
    pub at: Instant,
    pub skip_metrics_generation: bool,
}

impl Service {
    /// `limits` gives a tenant's limits now; it is asked for each request. Call on a shard.
    pub fn new(
        config: Config,
        shared: Arc<Shared>,
        limits: impl Fn(&str) -> TenantLimits + 'static,
        sink: Rc<dyn PartitionSink>,
    ) -> Self {
        let watch = SpanWatch::new(&config);
        Self {
            inner: Rc::new(Inner {
                config,
                limits: Box::new(limits),
                sink,
                tenants: Tenants::new(shared),
                metrics: Metrics::register(),
                scanners: RefCell::default(),
                watch,
                failures: RefCell::new(Throttle::new(FAILURE_LINES_PER_SECOND)),
                truncations: RefCell::new(Throttle::new(TRUNCATION_LINES_PER_SECOND)),
            }),
        }
    }

    /// Whether a request may be read at all. Asked before the body is: a shard short of memory must not read what it has to refuse.
    pub(crate) fn has_room(&self, tenant: &str) -> Result<(), Refusal> {
        match pressure() {
            Pressure::Normal => Ok(()),
            Pressure::Shedding | Pressure::Full => Err(self.out_of_memory(tenant)),
        }
    }

    pub(crate) fn out_of_memory(&self, tenant: &str) -> Refusal {
        let text =
            "memory: this shard is over its limit, ingest is refused until requests have finished";
        self.busy(tenant, text)
    }

    /// Too much is going on: the client should slow down.
    fn busy(&self, tenant: &str, text: impl Into<String>) -> Refusal {
        let hint = self.inner.config.retry_hint(&(self.inner.limits)(tenant));
        Refusal::new(Code::ResourceExhausted, text).with_retry(hint)
    }

    /// Takes a request in: an OTLP `ExportTraceServiceRequest` in protobuf. Returns when all of it that is valid is durable.
    pub(crate) async fn export(
        &self,
        tenant: &str,
        request: Bytes,
        arrival: Arrival,
    ) -> Result<Accepted, Refusal> {
        let limits = (self.inner.limits)(tenant);
        let result = self.run(tenant, &limits, request, arrival).await;
        self.inner
            .metrics
            .push_duration
            .record_duration(arrival.at.elapsed());
        if let Some(delay) = self.inner.config.delay(&limits) {
            self.delay(tenant, delay, arrival.at).await;
        }
        if let Err(refusal) = &result {
            let mut failures = self.inner.failures.borrow_mut();
            if let Some(kept_back) = failures.pass(Instant::now().as_nanos()) {
                tracing::warn!(err = %refusal, tenant, kept_back, "pusher failed to consume trace data");
            }
        }
        result
    }

    async fn run(
        &self,
        tenant: &str,
        limits: &TenantLimits,
        request: Bytes,
        arrival: Arrival,
    ) -> Result<Accepted, Refusal> {
        let inner = &*self.inner;
        let now = Instant::now();
        let Some(known) = inner.tenants.get(tenant, now) else {
            return Err(self.busy(tenant, "too many tenants are active on this distributor"));
        };
        let size = request.len() as u64;
        known.shared.ingress_bytes.fetch_add(size, Relaxed);
        if size == 0 {
            return Ok(Accepted::default());
        }
        let rate = RateLimit {
            bytes_per_second: limits.rate_limit_bytes,
            burst_bytes: limits.burst_size_bytes,
        };
        if let Err(refused) = known.shared.bucket.take(now.as_nanos(), size, rate) {
            let spans = count_spans(&request);
            if spans == 0 {
                return Ok(Accepted::default());
            }
            known.shared.discard(RATE_LIMITED, spans);
            inner.metrics.refused(arrival.transport, spans);
            let hint = inner.config.retry_hint(limits);
            return Err(
                Refusal::new(Code::ResourceExhausted, refused.message(tenant)).with_retry(hint),
            );
        }
        let (scanned, _charge) = self.scan(tenant, limits, &request).await?;
        // The batches have copies of everything: no need to hold the body while they become durable.
        drop(request);
        let (spans, result) = self.store(&known, scanned, size, arrival).await;
        match &result {
            Ok(accepted) => {
                inner.metrics.accepted(
                    arrival.transport,
                    spans.saturating_sub(accepted.rejected_spans),
                );
                inner
                    .metrics
                    .refused(arrival.transport, accepted.rejected_spans);
            }
            Err(_) => inner.metrics.refused(arrival.transport, spans),
        }
        result
    }

    async fn scan(
        &self,
        tenant: &str,
        limits: &TenantLimits,
        request: &Bytes,
    ) -> Result<(Scanned, Charge), Refusal> {
        let inner = &*self.inner;
        let options = ScanOptions {
            max_attribute_bytes: inner.config.attribute_limit(limits),
            partitions: inner.sink.partitions(),
        };
        // The batches are about as large as the request; scanner and batches exist at once for a moment.
        let mut charge = try_charge(request.len() as u64 * 2, Kind::Ingest)
            .map_err(|_| self.out_of_memory(tenant))?;
        let mut scanner = inner.scanners.borrow_mut().pop().unwrap_or_default();
        let breathe = vivace_shards::breathe;
        let scanned = scanner.scan_pausing(tenant, request, &options, breathe);
        let scanned = inner.metrics.scan.polls(scanned).await;
        let mut idle = inner.scanners.borrow_mut();
        if idle.len() < IDLE_SCANNERS {
            idle.push(scanner);
        }
        drop(idle);
        let scanned = scanned.map_err(|error| Refusal::invalid(error.to_string()))?;
        let bytes = scanned
            .batches
            .iter()
            .map(|(_, batch)| batch.as_bytes().len() as u64);
        charge.shrink_to(bytes.sum());
        Ok((scanned, charge))
    }

    /// Returns the spans of the request besides the result.
    async fn store(
        &self,
        known: &Known,
        scanned: Scanned,
        size: u64,
        arrival: Arrival,
    ) -> (u64, Result<Accepted, Refusal>) {
        let inner = &*self.inner;
        let spans = scanned.spans;
        if spans == 0 {
            return (0, Ok(Accepted::default()));
        }
        known.shared.bytes_received.fetch_add(size, Relaxed);
        known.shared.spans_received.fetch_add(spans, Relaxed);
        inner.metrics.traces_per_batch.record(scanned.traces.into());
        inner.metrics.repaired_utf8.inc_by(scanned.repaired_utf8);
        self.count_truncated(known, &scanned);
        for (reason, spans) in scanned.rejected.reasons() {
            known.shared.discard(reason, spans);
        }
        let rejected = spans - scanned.accepted_spans;
        if rejected > 0 {
            inner
                .watch
                .discarded(known, &scanned.rejected.first_message, rejected);
            if scanned.accepted_spans == 0 {
                return (
                    spans,
                    Err(Refusal::invalid(reason_only(
                        &scanned.rejected.first_message,
                    ))),
                );
            }
        }
        let received_unix_nano = unix_nanos();
        let distances = (&known.shared.in_past, &known.shared.in_future);
        for (_, batch) in &scanned.batches {
            measure_distances(batch, received_unix_nano, distances);
            inner.watch.received(known, batch);
        }
        let mut accepted = Accepted::default();
        if rejected > 0 {
            accepted.reject(rejected, &scanned.rejected.first_message);
        }
        inner
            .metrics
            .records_per_request
            .record(scanned.batches.len() as u64);
        let pushes = scanned.batches.into_iter().map(|(partition, batch)| {
            let push = Push {
                partition,
                tenant: known.name.clone(),
                batch,
                received_unix_nano,
                skip_metrics_generation: arrival.skip_metrics_generation,
            };
            self.push(push)
        });
        let mut failure = None;
        for pushed in join_all(pushes).await {
            match pushed {
                Ok(discarded) => {
                    for (reason, spans) in discarded {
                        accepted.reject(spans, reason);
                    }
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let result = match failure {
            None => Ok(accepted),
            Some(error) => Err(self.push_failed(&known.name, error)),
        };
        (spans, result)
    }

    async fn push(&self, push: Push) -> Result<Vec<(&'static str, u64)>, PushError> {
        let metrics = &self.inner.metrics;
        let partition = push.partition;
        let began = Instant::now();
        metrics.produce_batches.inc();
        match self.inner.sink.push(push).await {
            Ok(pushed) => {
                if pushed.record_bytes > 0 {
                    metrics.produce_records.inc();
                    metrics.write_latency.record_duration(began.elapsed());
                    metrics.written(partition, pushed.record_bytes);
                }
                Ok(pushed.discarded)
            }
            Err(error) => {
                metrics.produce_failed(error.reason());
                Err(error)
            }
        }
    }

    fn push_failed(&self, tenant: &str, error: PushError) -> Refusal {
        let hint = self.inner.config.retry_hint(&(self.inner.limits)(tenant));
        let text = error.to_string();
        match error {
            PushError::Busy(_) => self.busy(tenant, text),
            PushError::Unavailable(_) | PushError::Timeout(_) => {
                Refusal::new(Code::Unavailable, text).with_retry(hint)
            }
            PushError::TooLarge(_) => Refusal::invalid(text),
            PushError::Other(_) => Refusal::new(Code::Internal, text),
        }
    }

    fn count_truncated(&self, known: &Known, scanned: &Scanned) {
        let counts = scanned.truncated.by_scope();
        if scanned.truncated.total() == 0 {
            return;
        }
        for (counter, (_, count)) in std::iter::zip(&known.shared.truncated, counts) {
            counter.fetch_add(count, Relaxed);
        }
        let mut lines = self.inner.truncations.borrow_mut();
        if let Some(kept_back) = lines.pass(Instant::now().as_nanos()) {
            let cut = counts.iter().filter(|(_, count)| *count > 0);
            let cut: Vec<String> = cut
                .map(|(scope, count)| format!("{scope}:{count}"))
                .collect();
            tracing::warn!(tenant = %known.name, truncated = cut.join(","), kept_back, "attributes were truncated");
        }
    }

    /// Waits until `target` has passed since the request arrived, give or take a tenth.
    async fn delay(&self, tenant: &str, target: Duration, since: Instant) {
        let Some(rest) = target.checked_sub(since.elapsed()) else {
            return;
        };
        let jitter = 0.9 + vivace_shards::rand::below(2001) as f64 / 10_000.0;
        let wait = rest.mul_f64(jitter);
        metrics::added_latency(tenant).observe(wait.as_secs_f64());
        sleep(wait).await;
    }
}

/// A rejected span's reason without the place in the request: the text that upstream's clients know.
fn reason_only(message: &str) -> &str {
    message.split(" (span ").next().unwrap_or(message)
}

fn measure_distances(batch: &SpanBatch, now: u64, (past, future): (&Distance, &Distance)) {
    let (mut in_past, mut in_future) = (Distances::default(), Distances::default());
    for span in batch.view().spans() {
        let end = span.end_unix_nano();
        if end <= now {
            in_past.add(now - end)
        } else {
            in_future.add(end - now)
        }
    }
    in_past.share(past);
    in_future.share(future);
}
