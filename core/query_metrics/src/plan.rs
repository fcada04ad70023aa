//! A metrics query made ready to run.

use thiserror::Error;
use vivace_traceql::{
    Body, Compare, Exemplars, Hints, MathOp, MetricsExpr, MetricsFunction, MetricsQuery, Query,
    SecondStage, Static,
};

use crate::accumulate::Room;
use crate::compare::Comparison;
use crate::exemplars::Reservoir;
use crate::leaf::MetricsLeaf;
use crate::limits::{
    MAX_BY, MAX_DEPTH, MAX_EXEMPLARS, MAX_INTERVALS, MAX_LEAVES, MAX_QUANTILES, MAX_SERIES,
};
use crate::partials::{Groups, LeafPartial, Partials};
use crate::sampling::Sampling;
use crate::second_stage::Stage;
use crate::series::MetricsRequest;
use crate::time::{Clock, count_intervals};

/// Why a query can't run as a metrics query. The request is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("not a metrics query")]
    NotMetrics,
    #[error("the time range is empty: start {start} is not before end {end}")]
    EmptyRange { start: u64, end: u64 },
    #[error("step must not be 0")]
    NoStep,
    #[error("{intervals} intervals are more than {MAX_INTERVALS}: a larger step is needed")]
    TooManyIntervals { intervals: u64 },
    #[error("metrics group by {fields} values not yet supported")]
    TooManyFields { fields: usize },
    #[error("{quantiles} quantiles in one function are more than {MAX_QUANTILES}")]
    TooManyQuantiles { quantiles: usize },
    #[error("more than {MAX_LEAVES} different metrics queries in one expression")]
    TooManyQueries,
    #[error("the expression is more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("compare() cannot be combined with second stages or arithmetic")]
    CompareCombined,
    #[error("metrics can be compared with numbers and durations only")]
    BadComparison,
    #[error("limit must be greater than 0")]
    BadTop,
}

impl PlanError {
    /// The same query fails next time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Sub-queries under stages and arithmetic.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Leaf(usize),
    Constant(f64),
    Math {
        op: MathOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    Stages {
        inner: Box<Node>,
        stages: Vec<Stage>,
    },
}

/// A metrics query over a time range: what jobs have to count, and how an answer is made of that.
#[derive(Clone, Debug)]
pub struct MetricsPlan {
    leaves: Vec<MetricsLeaf>,
    pub(crate) root: Node,
    pub(crate) request: MetricsRequest,
    pub(crate) intervals: u32,
    exemplars: u32,
    sampling: Sampling,
    job_bytes: Option<u64>,
}

impl MetricsPlan {
    /// `request` is aligned already. Of the query's hints those for operators count only if `allow_unsafe_hints`; the others always.
    pub fn new(
        query: &Query,
        request: MetricsRequest,
        allow_unsafe_hints: bool,
    ) -> Result<Self, PlanError> {
        let Body::Metrics(expr) = &query.body else {
            return Err(PlanError::NotMetrics);
        };
        let MetricsRequest {
            start, end, step, ..
        } = request;
        if start >= end {
            return Err(PlanError::EmptyRange { start, end });
        }
        if step == 0 {
            return Err(PlanError::NoStep);
        }
        let intervals = match request.is_instant {
            true => 1,
            false => count_intervals(start, end, step),
        };
        if intervals > MAX_INTERVALS {
            return Err(PlanError::TooManyIntervals { intervals });
        }
        let hints = query.typed_hints(allow_unsafe_hints);
        let exemplars = exemplar_budget(&hints, &request);
        let mut builder = Builder {
            leaves: Vec::new(),
            extrapolates: hints.extrapolate(),
            has_exemplars: exemplars > 0,
        };
        let root = builder.node(expr, 0)?;
        let leaves = builder.leaves;
        if matches!(root, Node::Constant(_)) || leaves.is_empty() {
            return Err(PlanError::NotMetrics);
        }
        let has_compare = leaves.iter().any(|leaf| leaf.compare_filter().is_some());
        if has_compare && !matches!(root, Node::Leaf(_)) {
            return Err(PlanError::CompareCombined);
        }
        let by_trace = leaves.iter().any(MetricsLeaf::is_about_traces);
        Ok(Self {
            sampling: Sampling::of_hints(&hints, by_trace),
            job_bytes: hints.job_size().and_then(|bytes| u64::try_from(bytes).ok()),
            intervals: intervals as u32,
            leaves,
            root,
            request,
            exemplars,
        })
    }

    /// Each distinct metrics query of the expression.
    pub fn leaves(&self) -> &[MetricsLeaf] {
        &self.leaves
    }

    pub fn request(&self) -> &MetricsRequest {
        &self.request
    }

    /// What part of the spans jobs read.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Bytes of a job, if the query asks for it and may.
    pub fn job_bytes(&self) -> Option<u64> {
        self.job_bytes
    }

    /// Exemplars that are wanted, of the whole answer.
    pub fn exemplars(&self) -> u32 {
        self.exemplars
    }

    /// No span needs to be read: the answer is there without jobs.
    pub fn is_trivially_false(&self) -> bool {
        self.leaves.iter().all(MetricsLeaf::is_trivially_false)
    }

    /// What a job begins with. Having them means that a job has run: give a job's back even if it found nothing.
    pub fn new_partials(&self) -> Partials {
        Partials {
            has_run: true,
            ..self.no_partials()
        }
    }

    /// What merging begins with: those of no job.
    pub fn no_partials(&self) -> Partials {
        let max_series = match self.request.max_series {
            0 => MAX_SERIES,
            max => max.min(MAX_SERIES),
        };
        let MetricsRequest { start, end, .. } = self.request;
        let leaf = |leaf: &MetricsLeaf| LeafPartial {
            groups: Groups::new(leaf.no_points(), max_series),
            comparison: Comparison::of(leaf.function()),
            exemplars: Reservoir::new(start, end, self.exemplars),
            is_cut: false,
        };
        Partials {
            leaves: self.leaves.iter().map(leaf).collect(),
            room: Room::default(),
            has_run: false,
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        let MetricsRequest {
            start, end, step, ..
        } = self.request;
        let step = if self.request.is_instant {
            end - start
        } else {
            step
        };
        Clock::new(start, end, step, self.intervals)
    }

    /// Unix milliseconds of an interval's sample: its end.
    pub(crate) fn stamp(&self, interval: u32) -> i64 {
        const NANOS_A_MILLI: u64 = 1_000_000;
        let MetricsRequest {
            start, end, step, ..
        } = self.request;
        let stamp = match self.request.is_instant {
            true => end,
            false => start.saturating_add(step.saturating_mul(u64::from(interval) + 1)),
        };
        (stamp / NANOS_A_MILLI) as i64
    }
}

struct Builder {
    leaves: Vec<MetricsLeaf>,
    extrapolates: bool,
    has_exemplars: bool,
}

impl Builder {
    fn node(&mut self, expr: &MetricsExpr, depth: usize) -> Result<Node, PlanError> {
        if depth > MAX_DEPTH {
            return Err(PlanError::TooDeep);
        }
        match expr {
            MetricsExpr::Query(query) => {
                let leaf = Node::Leaf(self.leaf(query)?);
                with_stages(leaf, &query.stages)
            }
            MetricsExpr::Constant(constant) => match constant {
                Static::Int(number) => Ok(Node::Constant(*number as f64)),
                Static::Float(number) => Ok(Node::Constant(*number)),
                _ => Err(PlanError::BadComparison),
            },
            MetricsExpr::Math { op, left, right } => {
                let left = self.node(left, depth + 1)?;
                let right = self.node(right, depth + 1)?;
                if let (Node::Constant(left), Node::Constant(right)) = (&left, &right) {
                    return Ok(Node::Constant(crate::math::apply(*op, *left, *right)));
                }
                Ok(Node::Math {
                    op: *op,
                    left: Box::new(left),
                    right: Box::new(right),
                })
            }
            MetricsExpr::Stages { inner, stages } => {
                let inner = self.node(inner, depth + 1)?;
                with_stages(inner, stages)
            }
        }
    }

    /// Two queries that differ in their stages only are counted once.
    fn leaf(&mut self, query: &MetricsQuery) -> Result<usize, PlanError> {
        let same = |leaf: &MetricsLeaf| {
            let known = &leaf.query;
            known.function == query.function
                && known.by == query.by
                && known.pipeline == query.pipeline
        };
        if let Some(number) = self.leaves.iter().position(same) {
            return Ok(number);
        }
        if self.leaves.len() >= MAX_LEAVES {
            return Err(PlanError::TooManyQueries);
        }
        if query.by.len() > MAX_BY {
            let fields = query.by.len();
            return Err(PlanError::TooManyFields { fields });
        }
        if let MetricsFunction::QuantileOverTime(_, quantiles) = &query.function
            && quantiles.len() > MAX_QUANTILES
        {
            let quantiles = quantiles.len();
            return Err(PlanError::TooManyQuantiles { quantiles });
        }
        let leaf = MetricsLeaf::new(query, self.extrapolates, self.has_exemplars);
        self.leaves.push(leaf);
        Ok(self.leaves.len() - 1)
    }
}

fn with_stages(inner: Node, stages: &[SecondStage]) -> Result<Node, PlanError> {
    if stages.is_empty() {
        return Ok(inner);
    }
    let stages = stages.iter().map(stage).collect::<Result<_, _>>()?;
    Ok(Node::Stages {
        inner: Box::new(inner),
        stages,
    })
}

fn stage(stage: &SecondStage) -> Result<Stage, PlanError> {
    const NANOS: f64 = 1e9;
    let keep = |count: i64| match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(PlanError::BadTop),
    };
    Ok(match stage {
        SecondStage::TopK(count) => Stage::Top(keep(*count)?),
        SecondStage::BottomK(count) => Stage::Bottom(keep(*count)?),
        SecondStage::Filter(Compare::Regex | Compare::NotRegex, _) => {
            return Err(PlanError::BadComparison);
        }
        SecondStage::Filter(compare, value) => {
            let limit = match value {
                Static::Int(number) => *number as f64,
                Static::Float(number) => *number,
                Static::Duration(nanos) => *nanos as f64 / NANOS,
                _ => return Err(PlanError::BadComparison),
            };
            Stage::Filter(*compare, limit)
        }
    })
}

/// The hints', else the request's; at most `MAX_EXEMPLARS`; instant queries have none.
fn exemplar_budget(hints: &Hints<'_>, request: &MetricsRequest) -> u32 {
    if request.is_instant {
        return 0;
    }
    let budget = match hints.exemplars() {
        None => request.exemplars,
        Some(Exemplars::None) => 0,
        Some(Exemplars::AtMost(count)) => u32::try_from(count).unwrap_or(u32::MAX),
    };
    budget.min(MAX_EXEMPLARS)
}
