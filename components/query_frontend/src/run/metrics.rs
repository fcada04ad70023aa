//! A metrics query: all jobs, added up.

use vivace_query_metrics::{MetricsPlan, Outcome, Partials};
use vivace_shards::breathe;
use vivace_shards::time::{Instant, timeout};

use super::runner::{Progress, Runner};
use crate::error::QueryError;

/// A metrics query under way.
pub struct MetricsRun {
    plan: MetricsPlan,
    runner: Runner<Partials>,
    merged: Partials,
}

impl MetricsRun {
    pub fn new(plan: MetricsPlan, runner: Runner<Partials>) -> Self {
        Self {
            merged: plan.no_partials(),
            plan,
            runner,
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
            breathe().await;
        }
    }

    /// Waits for something else while jobs go on.
    pub async fn during<F: Future>(&mut self, other: F) -> F::Output {
        self.runner.during(other).await
    }

    /// The series as they stand.
    pub fn outcome(&self) -> Outcome {
        self.plan.finish(&self.merged)
    }
}
