//! Searches.

use std::collections::HashSet;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use vivace_columns::{Chunk, Column};
use vivace_engine::{AnswerOptions, Plan, Scope, TraceResult, answer, find};
use vivace_model::TraceId;

use super::found::FoundMemory;
use super::gather::Gathered;
use super::overlap::Overlap;
use super::view::Unit;
use super::walk::{Cost, VisitError, Visitor};
use crate::error::Error;
use crate::lookup::Querier;

/// A search of one tenant; shared by the shards that work on it.
#[derive(Debug)]
pub struct SearchJob {
    pub tenant: Arc<str>,
    pub plan: Plan,
    /// Unix nanoseconds: traces that overlap.
    pub window: RangeInclusive<u64>,
    pub options: AnswerOptions,
    /// Traces that are evaluated apart; None when every span can be looked at on its own.
    pub overlap: Option<Arc<Overlap>>,
}

impl SearchJob {
    /// What it looks at, for `Querier::gather`.
    pub fn columns(&self) -> Vec<Column> {
        self.plan.fields().flat_map(Column::of_field).collect()
    }
}

/// What a unit had.
#[derive(Debug, Default)]
pub struct Searched {
    pub traces: Vec<TraceResult>,
    /// Traces to evaluate apart.
    pub apart: Vec<TraceId>,
    pub cost: Cost,
    /// Of `traces` and `apart`.
    pub memory: FoundMemory,
}

struct Search<'j> {
    job: &'j SearchJob,
    /// Everything of each trace is there.
    is_whole: bool,
    found: Searched,
    /// Of `found.traces`.
    ids: HashSet<TraceId>,
}

impl Visitor for Search<'_> {
    async fn visit<C: Chunk>(
        &mut self,
        chunk: &mut C,
    ) -> Result<ControlFlow<()>, VisitError<C::Error>> {
        let job = self.job;
        let overlap = job.overlap.as_deref().filter(|overlap| !overlap.is_empty());
        let is_elsewhere = |id: TraceId| overlap.is_some_and(|overlap| overlap.contains(id));
        let scope = Scope {
            window: Some(job.window.clone()),
            among: None,
            elsewhere: match overlap {
                Some(_) if !self.is_whole => Some(&is_elsewhere),
                _ => None,
            },
        };
        let mut matches = find(&job.plan, chunk, &scope, &vivace_shards::breathe).await?;
        let found = &mut self.found;
        let apart = size_of_val(&matches.elsewhere[..]);
        found.memory.grows(apart).map_err(VisitError::Other)?;
        found.apart.append(&mut matches.elsewhere);
        let traces = answer(
            &job.plan,
            chunk,
            matches,
            job.options,
            &vivace_shards::breathe,
        );
        // A trace may have parts in several chunks; one stands for it until it is completed.
        for trace in traces.await? {
            if self.ids.insert(trace.trace_id) {
                let grown = self.found.memory.grows(trace.memory_bytes());
                grown.map_err(VisitError::Other)?;
                self.found.traces.push(trace);
            }
        }
        let limit = job.options.limit as usize;
        let enough = limit > 0 && !job.options.most_recent && self.found.traces.len() >= limit;
        Ok(match enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

impl Querier {
    /// Searches one unit.
    pub async fn search(&self, job: &SearchJob, unit: &Unit) -> Result<Searched, Error> {
        let mut search = Search {
            job,
            is_whole: false,
            found: Searched::default(),
            ids: HashSet::new(),
        };
        let mut cost = Cost::default();
        self.walk(&job.tenant, unit, &mut search, &mut cost).await?;
        search.found.cost = cost;
        Ok(search.found)
    }

    /// Searches batches that have every span of their traces.
    pub async fn search_whole(
        &self,
        job: &SearchJob,
        gathered: Gathered,
    ) -> Result<Searched, Error> {
        let mut search = Search {
            job,
            is_whole: true,
            found: Searched::default(),
            ids: HashSet::new(),
        };
        let unit = Unit::Live(gathered.batches);
        let mut cost = Cost::default();
        self.walk(&job.tenant, &unit, &mut search, &mut cost)
            .await?;
        search.found.cost = cost;
        Ok(search.found)
    }
}
