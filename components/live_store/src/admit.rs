//! The decision before a batch is written to the log: which of its traces may come in.

use crate::error::Error;
use crate::shared::Reason;
use crate::size::Sizes;
use crate::store::Store;
use crate::tracker::{Piece, Rules, Verdict};
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use vivace_model::{SpanBatch, TraceId, View};
use vivace_shards::time::Instant;

/// At the limit of live traces, ended ones are looked for at most this often (milliseconds).
const SWEEP_AT_LIMIT_MILLIS: u32 = 250;

/// Spans that were filtered out of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discarded {
    pub reason: Reason,
    pub spans: u64,
}

/// What may be written to the log. Keep the ticket until it was.
#[derive(Debug)]
pub enum Admission {
    /// All of it.
    Accept(Ticket),
    /// `batch` instead; None when nothing is left.
    Filtered {
        batch: Option<SpanBatch>,
        discarded: Vec<Discarded>,
        ticket: Ticket,
    },
}

/// A promise of room. Dropping it takes back what was counted for the batch; [`Ticket::stored`] keeps it.
#[must_use = "a dropped ticket takes the counts back"]
pub struct Ticket {
    store: Store,
    tenant: Box<str>,
    /// The accepted traces: hash and bytes.
    traces: Vec<(u64, u64)>,
    stored: bool,
}

impl Ticket {
    /// The batch is in the log (and was inserted, which is how it came into the index).
    pub fn stored(mut self) {
        self.stored = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.store.inner.state.borrow_mut();
        let state = &mut *state;
        state.promised -= self.traces.len() as u64;
        if self.stored {
            return;
        }
        let Some(number) = state.find_tenant(&self.tenant) else {
            return;
        };
        if let Some(Some(tenant)) = state.tenants.get_mut(number as usize) {
            let before = tenant.tracker.len();
            tenant.track(|tracker| {
                self.traces
                    .iter()
                    .for_each(|&(hash, bytes)| tracker.retract(hash, bytes))
            });
            state.tracked -= before - tenant.tracker.len();
        }
        state.drop_if_unused(number);
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("tenant", &self.tenant)
            .field("traces", &self.traces.len())
            .finish()
    }
}

/// One trace of the batch that may not come in.
struct Rejected {
    trace: TraceId,
    rows: Range<usize>,
    bytes: u64,
    reason: Reason,
    total: u64,
}

impl Store {
    /// Judges each trace of a batch before it is written to the log: size of the trace so far, number of live traces (write-path.md §7.3),
    /// room in the index. What is filtered out is counted and logged here; the client's answer is the caller's business.
    /// An error refuses the whole batch, and a retry may help.
    pub fn admit(&self, tenant: &str, batch: &SpanBatch, now: Instant) -> Result<Admission, Error> {
        self.inner.busy.call(|| self.judge(tenant, batch, now))
    }

    fn judge(&self, tenant: &str, batch: &SpanBatch, now: Instant) -> Result<Admission, Error> {
        let inner = &*self.inner;
        let limits = (inner.limits)(tenant);
        let view = batch.view();
        let now_ms = tracker_millis(now);
        let mut state = inner.state.borrow_mut();
        let state = &mut *state;
        let runs = view.trace_count() as u64;
        state.index_has_room(runs, inner.config.max_index_bytes)?;
        let number = state.tenant(tenant, &inner.shared, false)?;
        let Some(Some(entry)) = state.tenants.get_mut(number as usize) else {
            // Invariant: `State::tenant` returns the number of a tenant that is there.
            return Err(Error::TooManyTenants {
                limit: crate::limits::MAX_TENANTS,
            });
        };
        let before = entry.tracker.len();
        let all_live = entry.shared.live_traces.load(Relaxed).max(0) as u64;
        let at_limit = limits.max_live_traces > 0 && all_live + runs > limits.max_live_traces;
        if at_limit && now_ms.wrapping_sub(entry.swept_at) >= SWEEP_AT_LIMIT_MILLIS {
            entry.swept_at = now_ms;
            entry.track(|tracker| tracker.sweep(now_ms, &inner.config.ages));
        }
        let all_live = entry.shared.live_traces.load(Relaxed).max(0) as u64;
        let elsewhere = all_live.saturating_sub(u64::from(entry.tracker.live()));
        let room = state.tracked < crate::limits::MAX_TRACKED_TRACES;
        let rules = Rules {
            ages: inner.config.ages,
            limits,
            live_elsewhere: elsewhere,
            room,
        };
        let mut sizes = Sizes::new(&view);
        let mut traces = Vec::with_capacity(runs as usize);
        let mut rejected = Vec::new();
        let (mut created, mut received) = (0, 0);
        entry.track(|tracker| {
            for (trace, rows) in view.trace_runs() {
                let hash = inner.hash(number, trace);
                let bytes = sizes.of(rows.clone());
                received += bytes;
                let (reason, total) = match tracker.offer(
                    Piece {
                        hash,
                        bytes,
                        now: now_ms,
                    },
                    &rules,
                ) {
                    Verdict::Accepted { became_live } => {
                        created += u64::from(became_live);
                        traces.push((hash, bytes));
                        continue;
                    }
                    Verdict::TooLarge { total } => (Reason::TraceTooLarge, total),
                    Verdict::TooManyLive => (Reason::LiveTracesExceeded, 0),
                };
                rejected.push(Rejected {
                    trace,
                    rows,
                    bytes,
                    reason,
                    total,
                });
            }
        });
        state.tracked = state.tracked + entry.tracker.len() - before;
        entry.shared.traces_created.fetch_add(created, Relaxed);
        entry.shared.bytes_received.fetch_add(received, Relaxed);
        for reject in &rejected {
            entry
                .shared
                .discard(reject.reason, reject.rows.len() as u64);
            if let Some(kept_back) = state.lines.pass(now.as_nanos()) {
                log_rejected(tenant, reject, limits, kept_back);
            }
        }
        let kept = match rejected.is_empty() {
            true => None,
            false => Some(without(&view, &rejected, &mut state.builder)),
        };
        state.promised += traces.len() as u64;
        let ticket = Ticket {
            store: self.clone(),
            tenant: tenant.into(),
            traces,
            stored: false,
        };
        Ok(match kept {
            None => Admission::Accept(ticket),
            Some(batch) => Admission::Filtered {
                batch,
                discarded: summary(&rejected),
                ticket,
            },
        })
    }
}

/// Milliseconds for the trackers: wrapping, of the monotonic clock.
pub(crate) fn tracker_millis(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}

fn summary(rejected: &[Rejected]) -> Vec<Discarded> {
    let count = |reason| Discarded {
        reason,
        spans: rejected
            .iter()
            .filter(|r| r.reason == reason)
            .map(|r| r.rows.len() as u64)
            .sum(),
    };
    Reason::ALL
        .map(count)
        .into_iter()
        .filter(|discarded| discarded.spans > 0)
        .collect()
}

/// The rows between the rejected ones, as a batch of their own.
fn without(
    view: &View<'_>,
    rejected: &[Rejected],
    builder: &mut vivace_model::SpanBatchBuilder,
) -> Option<SpanBatch> {
    builder.clear();
    let starts = std::iter::once(0).chain(rejected.iter().map(|reject| reject.rows.end));
    let ends = rejected
        .iter()
        .map(|reject| reject.rows.start)
        .chain([view.span_count()]);
    let kept = std::iter::zip(starts, ends).map(|(start, end)| start..end);
    // Never full: it gets fewer rows than one batch held already.
    let full = builder.append_row_ranges(view, kept).is_err();
    debug_assert!(!full);
    builder.finish()
}

fn log_rejected(tenant: &str, reject: &Rejected, limits: crate::TraceLimits, kept_back: u64) {
    let trace = reject.trace;
    match reject.reason {
        Reason::TraceTooLarge => tracing::warn!(
            max = limits.max_bytes_per_trace,
            traceSz = reject.bytes,
            totalSize = reject.total,
            %trace,
            insight = true,
            tenant,
            kept_back,
            "TRACE_TOO_LARGE"
        ),
        Reason::LiveTracesExceeded => tracing::warn!(
            max = limits.max_live_traces,
            %trace,
            tenant,
            kept_back,
            "LIVE_TRACES_EXCEEDED"
        ),
    }
}
