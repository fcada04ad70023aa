//! Metrics queries.

use std::ops::ControlFlow;
use std::sync::Arc;

use vivace_columns::{Bitmap, Chunk, Column, Selection};
use vivace_engine::{Compiler, Dedicated, Filter, Keep, Plan, Scope, find, select};
use vivace_model::TraceId;
use vivace_query_metrics::{CompareError, MetricsPlan, Partials, Sampler, Sampling};

use super::found::FoundMemory;
use super::gather::Gathered;
use super::overlap::Overlap;
use super::view::Unit;
use super::walk::{Cost, VisitError, Visitor};
use crate::error::Error;
use crate::lookup::Querier;

/// A metrics query of one tenant; shared by the shards that work on it.
pub struct MetricsJob {
    pub tenant: Arc<str>,
    pub metrics: MetricsPlan,
    /// By leaf of `metrics`: what chooses the spans.
    pub plans: Vec<Plan>,
    /// By leaf: what `compare` sets apart.
    pub compared: Vec<Option<Filter>>,
    /// Traces that are evaluated apart; None when every span can be looked at on its own.
    pub overlap: Option<Arc<Overlap>>,
}

struct Metrics<'j> {
    job: &'j MetricsJob,
    /// Everything of each trace is there.
    is_whole: bool,
    partials: Partials,
    /// Traces to evaluate apart.
    apart: Vec<TraceId>,
    sampler: Option<Sampler>,
    memory: FoundMemory,
}

impl MetricsJob {
    /// Compiles what chooses the spans of each leaf.
    pub fn new(
        tenant: Arc<str>,
        metrics: MetricsPlan,
        dedicated: &Dedicated,
    ) -> Result<Self, Error> {
        let mut plans = Vec::new();
        let mut compared = Vec::new();
        for leaf in metrics.leaves() {
            plans.push(Plan::new(leaf.pipeline(), leaf.fields(), dedicated).map_err(Error::Plan)?);
            let filter = leaf.compare_filter();
            let compiled = filter.map(|filter| Compiler::default().filter(filter));
            compared.push(compiled.transpose().map_err(Error::Plan)?);
        }
        Ok(Self {
            tenant,
            metrics,
            plans,
            compared,
            overlap: None,
        })
    }

    /// Whether traces must be evaluated with all of their spans at once.
    pub fn needs_whole_traces(&self) -> bool {
        self.plans.iter().any(Plan::needs_whole_traces)
    }

    /// What it looks at, for `Querier::gather`; None: all, as `compare` does.
    pub fn columns(&self) -> Option<Vec<Column>> {
        if self.compared.iter().any(Option::is_some) {
            return None;
        }
        let leaves = self.metrics.leaves().iter();
        let columns = leaves.flat_map(|leaf| {
            let of_fields = leaf.fields().iter().flat_map(Column::of_field);
            of_fields.chain(leaf.columns())
        });
        Some(columns.collect())
    }
}

/// What a unit had.
pub struct Counted {
    pub partials: Partials,
    /// Traces to evaluate apart.
    pub apart: Vec<TraceId>,
    pub cost: Cost,
    /// Of `partials` and `apart`.
    pub memory: FoundMemory,
}

impl Visitor for Metrics<'_> {
    async fn visit<C: Chunk>(
        &mut self,
        chunk: &mut C,
    ) -> Result<ControlFlow<()>, VisitError<C::Error>> {
        let job = self.job;
        let sampled = self.sample(chunk);
        let overlap = job.overlap.as_deref().filter(|overlap| !overlap.is_empty());
        let is_elsewhere = |id: TraceId| overlap.is_some_and(|overlap| overlap.contains(id));
        let mut all_matched = Bitmap::empty(chunk.shape().spans());
        for (number, plan) in job.plans.iter().enumerate() {
            let scope = Scope {
                window: None,
                among: sampled.as_ref(),
                elsewhere: match overlap {
                    Some(_) if !self.is_whole && job.needs_whole_traces() => Some(&is_elsewhere),
                    _ => None,
                },
            };
            let mut matches = find(plan, chunk, &scope, &vivace_shards::breathe).await?;
            self.apart.append(&mut matches.elsewhere);
            all_matched.or(&matches.selection.spans);
            if !matches.selection.spans.is_empty() {
                self.count(number, chunk, &matches.selection).await?;
            }
        }
        if let Some(sampler) = &mut self.sampler {
            sampler.matched_spans(&all_matched, chunk.shape());
        }
        let bytes = self.partials.memory_bytes() + size_of_val(&self.apart[..]);
        self.memory.is_now(bytes).map_err(VisitError::Other)?;
        Ok(ControlFlow::Continue(()))
    }
}

impl Metrics<'_> {
    /// Spans of the chunk that are read; None: all.
    fn sample<C: Chunk>(&mut self, chunk: &C) -> Option<Bitmap> {
        let sampler = self.sampler.as_mut()?;
        let shape = chunk.shape();
        let mut traces = Bitmap::full(shape.traces());
        sampler.keep_traces(&mut traces);
        let mut spans = Bitmap::empty(shape.spans());
        for trace in traces.iter() {
            spans.insert_range(shape.spans_of(trace));
        }
        sampler.keep_spans(&mut spans);
        Some(spans)
    }

    async fn count<C: Chunk>(
        &mut self,
        number: usize,
        chunk: &mut C,
        selection: &Selection,
    ) -> Result<(), VisitError<C::Error>> {
        let (metrics, pause) = (&self.job.metrics, &vivace_shards::breathe);
        let partials = &mut self.partials;
        let internal = |error: &dyn std::fmt::Display| {
            VisitError::Other(Error::Internal {
                why: error.to_string(),
            })
        };
        let keep = vivace_engine::traces_of(chunk.shape(), &selection.spans);
        let load = VisitError::load;
        if let Some(filter) = &self.job.compared[number] {
            // Columns that the filter needs and nobody has loaded yet are loaded for all traces: another leaf may need them.
            let mut keep = Keep::all();
            let selected = select(filter, chunk, &selection.spans, &mut keep, pause).await?;
            let counted = metrics.observe_compare(
                number,
                partials,
                chunk,
                selection,
                &selected.spans,
                1.0,
                pause,
            );
            return counted.await.map_err(|error| match error {
                CompareError::Chunk(error) => load(error),
                error => internal(&error),
            });
        }
        let leaf = &metrics.leaves()[number];
        let only = (metrics.leaves().len() == 1).then_some(&keep);
        chunk.load(&leaf.columns(), only).await.map_err(load)?;
        if leaf.needs_events() {
            chunk.load_events().await.map_err(load)?;
        }
        if leaf.needs_links() {
            chunk.load_links().await.map_err(load)?;
        }
        if leaf.needs_trace_ids() {
            chunk.load_trace_ids().await.map_err(load)?;
        }
        let counted = metrics.observe(number, partials, &*chunk, selection, 1.0, pause);
        counted.await.map_err(|error| internal(&error))
    }
}

impl Querier {
    /// Counts the spans of one unit.
    pub async fn count(&self, job: &MetricsJob, unit: &Unit) -> Result<Counted, Error> {
        self.count_in(job, unit, false).await
    }

    /// Counts the spans of batches that have every span of their traces.
    pub async fn count_whole(
        &self,
        job: &MetricsJob,
        gathered: Gathered,
    ) -> Result<Counted, Error> {
        let unit = Unit::Live(gathered.batches);
        self.count_in(job, &unit, true).await
    }

    async fn count_in(
        &self,
        job: &MetricsJob,
        unit: &Unit,
        is_whole: bool,
    ) -> Result<Counted, Error> {
        let sampling = job.metrics.sampling();
        let mut metrics = Metrics {
            job,
            is_whole,
            partials: job.metrics.new_partials(),
            apart: Vec::new(),
            // Traces apart are few, and taken whole.
            sampler: (sampling != Sampling::None && !is_whole).then(|| Sampler::new(sampling)),
            memory: FoundMemory::default(),
        };
        let mut cost = Cost::default();
        self.walk(&job.tenant, unit, &mut metrics, &mut cost)
            .await?;
        if let Some(sampler) = &metrics.sampler {
            metrics.partials.multiply(sampler.factor());
        }
        Ok(Counted {
            partials: metrics.partials,
            apart: metrics.apart,
            cost,
            memory: metrics.memory,
        })
    }
}
