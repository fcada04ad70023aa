//! A search: jobs until there are enough traces, then the traces whole.

use std::collections::HashMap;
use std::rc::Rc;

use vivace_engine::TraceResult;
use vivace_model::TraceId;
use vivace_shards::memory::{Charge, Kind, charge, try_charge};
use vivace_shards::time::{Instant, timeout};

use super::held::Held;
use super::metrics::no_memory;
use super::runner::{Progress, Runner};
use crate::error::QueryError;
use crate::jobs::{QuerySource, SearchSpec};
use crate::limits::{ANSWER_FACTOR, COMPLETE_AT_ONCE};

/// A search under way.
pub struct SearchRun {
    source: Rc<dyn QuerySource>,
    tenants: Vec<String>,
    spec: Rc<SearchSpec>,
    runner: Runner<Vec<TraceResult>>,
    held: Held,
    /// Of `held`.
    charge: Charge,
    /// Traces given out already, with the tenants that had a part then.
    given: HashMap<TraceId, usize>,
}

/// A trace of the answer, and the number of the first tenant that has it.
pub type Found = (usize, TraceResult);

impl SearchRun {
    pub fn new(
        source: Rc<dyn QuerySource>,
        tenants: Vec<String>,
        spec: Rc<SearchSpec>,
        runner: Runner<Vec<TraceResult>>,
    ) -> Self {
        let held = Held::new(spec.limit, spec.most_recent);
        Self {
            source,
            tenants,
            spec,
            runner,
            held,
            charge: charge(0, Kind::Query),
            given: HashMap::new(),
        }
    }

    pub fn progress(&self) -> Progress {
        self.runner.progress()
    }

    /// Runs until the answer is there (true) or the time has come.
    pub async fn advance(&mut self, until: Option<Instant>) -> Result<bool, QueryError> {
        loop {
            while !self.held.is_enough(self.runner.newest_left()) {
                if until.is_some_and(|until| until <= Instant::now()) {
                    return Ok(false);
                }
                let next = match until {
                    None => self.runner.next().await,
                    Some(until) => {
                        match timeout(until - Instant::now(), self.runner.next()).await {
                            Ok(next) => next,
                            Err(_) => return Ok(false),
                        }
                    }
                };
                match next {
                    Some(found) => {
                        let (tenant, found) = found?;
                        self.held.add(tenant, found);
                        self.charge_held()?;
                    }
                    None => break,
                }
            }
            // What turns out not to match as a whole makes room for others.
            if self.complete(self.held.answer()).await? {
                return Ok(true);
            }
        }
    }

    /// Evaluates these traces whole where that has not been done. True: there was nothing to do.
    async fn complete(&mut self, ids: Vec<TraceId>) -> Result<bool, QueryError> {
        let mut was_complete = true;
        loop {
            let parts = self.held.take_incomplete(&ids, COMPLETE_AT_ONCE);
            if parts.is_empty() {
                return Ok(was_complete);
            }
            was_complete = false;
            for (tenant, found) in parts {
                let asked: Vec<TraceId> = found.iter().map(|trace| trace.trace_id).collect();
                let name = self.tenants.get(tenant).map_or("", String::as_str);
                let spec = Rc::clone(&self.spec);
                let whole = self.source.complete(name, spec, found);
                let whole = self.runner.during(whole).await?;
                self.held.put_complete(tenant, &asked, whole);
                self.charge_held()?;
            }
        }
    }

    fn charge_held(&mut self) -> Result<(), QueryError> {
        let bytes = self.held.memory_bytes() as u64;
        self.charge.try_resize(bytes).map_err(no_memory)
    }

    /// Takes the memory that the answer needs until it is sent.
    pub fn charge_answer(&self) -> Result<Charge, QueryError> {
        let bytes = self.charge.bytes().saturating_mul(ANSWER_FACTOR);
        try_charge(bytes, Kind::Query).map_err(no_memory)
    }

    /// Waits for something else while jobs go on.
    pub async fn during<F: Future>(&mut self, other: F) -> F::Output {
        self.runner.during(other).await
    }

    /// Traces that will be in the answer and were not given out yet, or have changed since.
    pub async fn news(&mut self) -> Result<Vec<Found>, QueryError> {
        let newest = self.runner.newest_left();
        self.complete(self.held.certain(newest)).await?;
        let mut ids = self.held.certain(newest);
        // Others may have moved up meanwhile.
        ids.retain(|id| self.held.is_complete(id));
        ids.retain(|id| {
            let parts = self.held.parts(id);
            self.given.insert(*id, parts) != Some(parts)
        });
        Ok(self.traces(&ids))
    }

    /// The whole answer, newest first.
    pub fn answer(&self) -> Vec<Found> {
        self.traces(&self.held.answer())
    }

    fn traces(&self, ids: &[TraceId]) -> Vec<Found> {
        let mut traces: Vec<Found> = ids.iter().filter_map(|id| self.held.get(id)).collect();
        traces.sort_by_key(|(_, trace)| (std::cmp::Reverse(trace.start_unix_nano), trace.trace_id));
        traces
    }
}
