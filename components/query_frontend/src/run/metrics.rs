//! A metrics query: all jobs, added up.

use std::sync::Arc;

use vivace_query_metrics::{MetricsPlan, Outcome, Partials};
use vivace_shards::memory::{Charge, Kind, OverBudget, charge, try_charge};
use vivace_shards::time::{Instant, timeout};
use vivace_shards::{breathe, side};

use super::runner::{Progress, Runner};
use crate::error::QueryError;
use crate::limits::{ANSWER_BYTES_PER_SAMPLE, SAMPLES_ON_THE_SHARD};
use crate::source::SourceError;

/// A metrics query under way.
pub struct MetricsRun {
    plan: Arc<MetricsPlan>,
    runner: Runner<Partials>,
    merged: Partials,
    /// Of `merged`.
    charge: Charge,
}

impl MetricsRun {
    pub fn new(plan: MetricsPlan, runner: Runner<Partials>) -> Self {
        Self {
            merged: plan.no_partials(),
            plan: Arc::new(plan),
            runner,
            charge: charge(0, Kind::Query),
        }
    }

    pub fn progress(&self) -> Progress {
        self.runner.progress()
    }

    /// Runs until the answer is there (true) or the time has come.
    pub async fn advance(&mut self, until: Option<Instant>) -> Result<bool, QueryError> {
        loop {
            let next = match until {
                None => self.runner.next().await,
                Some(until) if until <= Instant::now() => return Ok(false),
                Some(until) => match timeout(until - Instant::now(), self.runner.next()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(false),
                },
            };
            let Some(found) = next else {
                return Ok(true);
            };
            self.merged.merge(found?.1);
            let bytes = self.merged.memory_bytes() as u64;
            self.charge.try_resize(bytes).map_err(no_memory)?;
            breathe().await;
        }
    }

    /// Waits for something else while jobs go on.
    pub async fn during<F: Future>(&mut self, other: F) -> F::Output {
        self.runner.during(other).await
    }

    /// The series as they stand, and the memory that the answer may take until it is sent. Long ones are made beside the shard.
    pub async fn outcome(&mut self) -> Result<(Outcome, Charge), QueryError> {
        let samples = self.plan.answer_samples(&self.merged);
        let bytes = samples.saturating_mul(ANSWER_BYTES_PER_SAMPLE);
        let charge = try_charge(bytes, Kind::Query).map_err(|over| {
            let text = format!(
                "not enough memory for an answer of some {samples} samples: {over}; ask for fewer series, a longer step or a shorter range"
            );
            QueryError::Source(SourceError::Busy(text))
        })?;
        if samples <= SAMPLES_ON_THE_SHARD {
            return Ok((self.plan.finish(&self.merged), charge));
        }
        let plan = Arc::clone(&self.plan);
        let merged = std::mem::replace(&mut self.merged, plan.no_partials());
        let finished = side::blocking(move || (plan.finish(&merged), merged));
        let finished = self.runner.during(finished).await;
        let (outcome, merged) = finished.map_err(|error| {
            QueryError::Source(SourceError::Unavailable(format!(
                "the series could not be put together: {error}"
            )))
        })?;
        self.merged = merged;
        Ok((outcome, charge))
    }
}

/// What a query finds does not fit into the shard's memory.
pub(super) fn no_memory(over: OverBudget) -> QueryError {
    let text = format!("not enough memory for what the query finds: {over}");
    QueryError::Source(SourceError::Busy(text))
}
