//! Counts and latencies of one shard of the generator, or of all.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::limits;

/// Latencies in microseconds, three digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, limits::MAX_LATENCY_MICROS, 3);
        Self(histogram.unwrap_or_else(|error| unreachable!("constant bounds are valid: {error}")))
    }
}

impl Latencies {
    /// Counts one; what is longer than the longest counts as the longest.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        // Cannot fail: all have the same bounds.
        let _same_bounds = self.0.add(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds; 0 when there are none.
    pub fn quantile(&self, quantile: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// In milliseconds; 0 when there are none.
    pub fn mean(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    /// In milliseconds; 0 when there are none.
    pub fn max(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }
}

/// What reading traces back has shown.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// From request to whole answer.
    pub latency: Latencies,
    /// Spans that were acknowledged, but are not in the answer.
    pub missing: u64,
    /// Spans that are in the answer more than once (each further time counts).
    pub doubled: u64,
    /// Spans in the answer that were never sent.
    pub strangers: u64,
    /// Reads that were not answered with a trace.
    pub failed: u64,
    /// The first thing that was wrong.
    pub first_problem: Option<String>,
}

impl Reads {
    /// Whether every answer was as it should be.
    pub fn clean(&self) -> bool {
        self.missing == 0 && self.doubled == 0 && self.strangers == 0 && self.failed == 0
    }

    /// Adds what another shard has read.
    pub fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.missing += other.missing;
        self.doubled += other.doubled;
        self.strangers += other.strangers;
        self.failed += other.failed;
        keep_first(&mut self.first_problem, &other.first_problem);
    }
}

/// Of requests that were due while it was measured.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Spans that were acknowledged.
    pub spans: u64,
    /// Requests that were acknowledged.
    pub requests: u64,
    /// Spans that the server rejected within requests that it acknowledged (partial success).
    pub rejected_spans: u64,
    /// Requests that were refused with the invitation to come back (429, 503, RESOURCE_EXHAUSTED, UNAVAILABLE).
    pub refused: u64,
    /// Requests that failed otherwise.
    pub failed: u64,
    /// Requests that the generator did not send, because too many were waiting.
    pub dropped: u64,
    /// Body bytes of acknowledged requests, as sent.
    pub bytes: u64,
    /// From the moment a request was due (closed loop: sent) to its acknowledgement.
    pub latency: Latencies,
    /// From the moment a request was due to when it was sent.
    pub waited: Latencies,
    /// The first failure or refusal, for the reader of the report.
    pub first_failure: Option<String>,
    /// Traces read beside the load.
    pub beside: Reads,
    /// Traces read after the load.
    pub after: Reads,
    /// Id and acknowledged spans of the traces sampled, where they are asked for.
    pub sampled: Vec<([u8; 16], usize)>,
}

impl Outcome {
    /// Adds what another shard measured.
    pub fn add(&mut self, other: &Self) {
        self.spans += other.spans;
        self.requests += other.requests;
        self.rejected_spans += other.rejected_spans;
        self.refused += other.refused;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.bytes += other.bytes;
        self.latency.add(&other.latency);
        self.waited.add(&other.waited);
        self.beside.add(&other.beside);
        self.after.add(&other.after);
        self.sampled.extend_from_slice(&other.sampled);
        keep_first(&mut self.first_failure, &other.first_failure);
    }
}

fn keep_first(mine: &mut Option<String>, other: &Option<String>) {
    if mine.is_none() {
        mine.clone_from(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_shards_is_the_same_as_measuring_in_one() {
        let mut one = Outcome::default();
        let mut parts = [Outcome::default(), Outcome::default(), Outcome::default()];
        for n in 0..3000u64 {
            let latency = Duration::from_micros(1 + n * n % 90_001);
            for outcome in [&mut one, &mut parts[n as usize % 3]] {
                outcome.latency.record(latency);
                outcome.beside.latency.record(latency * 2);
                outcome.requests += 1;
                outcome.spans += n;
            }
        }
        parts[1].first_failure = Some("late".into());
        let mut merged = Outcome::default();
        for part in &parts {
            merged.add(part);
        }
        assert_eq!((merged.requests, merged.spans), (one.requests, one.spans));
        assert_eq!(merged.first_failure.as_deref(), Some("late"));
        for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(
                merged.latency.quantile(quantile),
                one.latency.quantile(quantile)
            );
            assert_eq!(
                merged.beside.latency.quantile(quantile),
                one.beside.latency.quantile(quantile)
            );
        }
        assert_eq!(merged.latency.count(), 3000);
    }

    #[test]
    fn latencies_beyond_the_bounds_count_at_the_bound() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 2);
        assert!(latencies.max() >= 299_000.0);
        latencies.clear();
        assert_eq!((latencies.count(), latencies.max()), (0, 0.0));
        assert_eq!(latencies.quantile(0.5), 0.0);
    }
}
