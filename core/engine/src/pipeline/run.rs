//! A pipeline over the traces of a chunk.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use vivace_columns::{Bitmap, Chunk, Column, Level, Selection, Shape};
use vivace_model::TraceId;
use vivace_traceql::{Intrinsic, SpansetOp, Static};

use super::aggregate::fold;
use super::plan::{Plan, SetExpr, Step};
use super::structural::{Numbers, relate};
use crate::error::{EngineError, QueryError};
use crate::filter::{General, Rows, select};
use crate::keep::{Keep, traces_of};
use crate::value::{Key, Val, compare};

/// Spans between two pauses where every trace is looked at on its own.
const SPANS_PER_PAUSE: usize = 2048;

/// Spans of one trace, ascending, and what the query computed for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spanset {
    pub spans: Vec<u32>,
    pub attributes: Vec<(Arc<str>, Static)>,
}

/// What a chunk is searched for.
#[derive(Clone, Default)]
pub struct Scope<'a> {
    /// Unix nanoseconds: traces that overlap.
    pub window: Option<RangeInclusive<u64>>,
    /// Only these spans; None: all.
    pub among: Option<&'a Bitmap>,
    /// Traces that have parts elsewhere: they are not evaluated here, only told.
    pub elsewhere: Option<&'a dyn Fn(TraceId) -> bool>,
}

/// What passed.
#[derive(Debug, Default)]
pub struct Matches {
    /// All spans that passed, and the events and links that met the conditions.
    pub selection: Selection,
    /// The spansets of traces, ascending by trace; None for simple queries: all passing spans of a trace are its only spanset.
    pub sets: Option<Vec<(u32, Vec<Spanset>)>>,
    /// Traces of `Scope::elsewhere` that may match as a whole.
    pub elsewhere: Vec<TraceId>,
}

/// Runs the plan over a chunk.
pub async fn find<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    scope: &Scope<'_>,
    pause: &impl AsyncFn(),
) -> Result<Matches, EngineError<C::Error>> {
    let mut among = match scope.among {
        Some(among) => among.clone(),
        None => Bitmap::full(chunk.shape().spans()),
    };
    if plan.is_never() {
        return Ok(Matches {
            selection: Selection::of(Bitmap::empty(chunk.shape().spans())),
            sets: (!plan.is_simple).then(Vec::new),
            elsewhere: Vec::new(),
        });
    }
    if let Some(window) = &scope.window {
        among.and(&overlapping(chunk, window).await?);
    }
    let mut elsewhere = Vec::new();
    let mut apart = None;
    if let Some(is_elsewhere) = scope.elsewhere {
        chunk.load_trace_ids().await.map_err(EngineError::Load)?;
        let ids = chunk.trace_ids().unwrap_or_default();
        let traces = Bitmap::from_fn(chunk.shape().traces(), |trace| {
            ids.get(trace as usize).is_some_and(|&id| is_elsewhere(id))
        });
        apart = (!traces.is_empty()).then_some(traces);
    }
    let (selection, sets) = if plan.is_simple {
        let mut keep = Keep::narrowing();
        keep.narrow(chunk.shape(), &among);
        let mut left = Selection::of(among);
        for filter in &plan.filters {
            let next = select(filter, chunk, &left.spans, &mut keep, pause).await?;
            merge_members(&mut left, &next);
            left.spans = next.spans;
        }
        (left, None)
    } else {
        (Selection::of(among), Some(()))
    };
    let mut matches = match sets {
        None => Matches {
            selection,
            ..Matches::default()
        },
        Some(()) => {
            let all = first_candidates(plan, chunk, selection.spans, pause).await?;
            let mut candidates = all.candidates.clone();
            if let Some(apart) = &apart {
                tell(plan, chunk, apart, &candidates, &mut elsewhere);
                without(chunk.shape(), apart, &mut candidates);
            }
            return Ok(Matches {
                elsewhere,
                ..complex(plan, chunk, all, candidates, pause).await?
            });
        }
    };
    if let Some(apart) = &apart {
        tell(plan, chunk, apart, &matches.selection.spans, &mut elsewhere);
        without(chunk.shape(), apart, &mut matches.selection.spans);
    }
    matches.elsewhere = elsewhere;
    Ok(matches)
}

/// Ids of traces apart that have a candidate, or that may match though no part of theirs does.
fn tell<C: Chunk>(
    plan: &Plan,
    chunk: &C,
    apart: &Bitmap,
    candidates: &Bitmap,
    out: &mut Vec<TraceId>,
) {
    let ids = chunk.trace_ids().unwrap_or_default();
    for trace in apart.iter() {
        let spans = chunk.shape().spans_of(trace);
        if plan.needs.traces || candidates.any_of(spans) {
            out.extend(ids.get(trace as usize));
        }
    }
}

fn without(shape: &Shape, traces: &Bitmap, spans: &mut Bitmap) {
    for trace in traces.iter() {
        for span in shape.spans_of(trace) {
            spans.remove(span);
        }
    }
}

/// Spans of traces that overlap a time.
async fn overlapping<C: Chunk>(
    chunk: &mut C,
    window: &RangeInclusive<u64>,
) -> Result<Bitmap, EngineError<C::Error>> {
    let columns = [Column::TraceStart, Column::TraceEnd];
    chunk
        .load(&columns, None)
        .await
        .map_err(EngineError::Load)?;
    let shape = chunk.shape();
    let (starts, ends) = (chunk.cells(&columns[0]), chunk.cells(&columns[1]));
    let mut spans = Bitmap::empty(shape.spans());
    if let (Some(starts), Some(ends)) = (starts, ends) {
        for trace in 0..shape.traces() {
            let (start, end) = (starts.get(trace).1, ends.get(trace).1);
            if start <= *window.end() && end >= *window.start() {
                spans.insert_range(shape.spans_of(trace));
            }
        }
    }
    Ok(spans)
}

fn merge_members(into: &mut Selection, from: &Selection) {
    for (&span, &event) in &from.event_of_span {
        into.event_of_span.entry(span).or_insert(event);
    }
    for (&span, &link) in &from.link_of_span {
        into.link_of_span.entry(span).or_insert(link);
    }
    for (&span, &event) in &from.last_event_of_span {
        into.last_event_of_span.entry(span).or_insert(event);
    }
    for (&span, &link) in &from.last_link_of_span {
        into.last_link_of_span.entry(span).or_insert(link);
    }
}

/// What the first filters found.
struct First {
    /// By filter of the plan; None: not evaluated yet.
    selections: Vec<Option<Selection>>,
    /// Spans that some first filter lets pass, or all.
    candidates: Bitmap,
}

async fn first_candidates<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    among: Bitmap,
    pause: &impl AsyncFn(),
) -> Result<First, EngineError<C::Error>> {
    let mut keep = Keep::all();
    keep.set(traces_of(chunk.shape(), &among));
    let mut selections: Vec<Option<Selection>> = vec![None; plan.filters.len()];
    let mut candidates = Bitmap::empty(among.len());
    let mut everything = Vec::new();
    for &number in &plan.first {
        let filter = &plan.filters[number];
        if plan.is_structural && filter.is_always() {
            everything.push(number);
            continue;
        }
        let selection = select(filter, chunk, &among, &mut keep, pause).await?;
        candidates.or(&selection.spans);
        selections[number] = Some(selection);
    }
    if !everything.is_empty() {
        let selection =
            Selection::of(numbered(plan, chunk, &among, &candidates, &mut keep, pause).await?);
        candidates.or(&selection.spans);
        for number in everything {
            selections[number] = Some(selection.clone());
        }
    }
    if plan.first.is_empty() {
        candidates = among;
    }
    Ok(First {
        selections,
        candidates,
    })
}

/// What `{}` means beside a structural operator: spans with nested set numbers, and those that another condition of the query
/// meets (traceql.md §5.3 R6, accident 6).
async fn numbered<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    among: &Bitmap,
    met: &Bitmap,
    keep: &mut Keep,
    pause: &impl AsyncFn(),
) -> Result<Bitmap, EngineError<C::Error>> {
    let left = Column::Intrinsic(Intrinsic::NestedSetLeft);
    let loaded = chunk.load(std::slice::from_ref(&left), keep.traces()).await;
    loaded.map_err(EngineError::Load)?;
    let mut spans = among.clone();
    if let Some(cells) = chunk.cells(&left) {
        let numbered = Bitmap::from_fn(among.len(), |span| cells.get(span).1 != 0);
        spans.and(&numbered);
    }
    let mut orphans = among.clone();
    orphans.subtract(&spans);
    orphans.subtract(met);
    spans.or(met);
    if !orphans.is_empty() {
        for condition in &plan.conditions {
            let hit = select(condition, chunk, &orphans, keep, pause).await?;
            spans.or(&hit.spans);
            orphans.subtract(&hit.spans);
        }
    }
    Ok(spans)
}

/// Everything that is looked at while traces are evaluated one by one.
struct Evaluation<'c> {
    plan: &'c Plan,
    /// By filter of the plan.
    passing: Vec<Bitmap>,
    /// By expression of the plan.
    rows: Vec<Rows<'c>>,
    numbers: Option<Numbers<'c>>,
}

async fn complex<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    first: First,
    candidates: Bitmap,
    pause: &impl AsyncFn(),
) -> Result<Matches, EngineError<C::Error>> {
    let mut keep = Keep::all();
    keep.set(traces_of(chunk.shape(), &candidates));
    let mut selection = Selection::of(Bitmap::empty(candidates.len()));
    let mut passing = Vec::with_capacity(plan.filters.len());
    for (filter, known) in plan.filters.iter().zip(first.selections) {
        let of_filter = match known {
            Some(known) => known,
            None => select(filter, chunk, &candidates, &mut keep, pause).await?,
        };
        merge_members(&mut selection, &of_filter);
        passing.push(of_filter.spans);
    }
    let mut columns = plan.expr_columns();
    let of_level = |level| columns.iter().any(|column| column.level() == level);
    let (events, links) = (of_level(Level::Event), of_level(Level::Link));
    let numbers = [
        Column::Intrinsic(Intrinsic::NestedSetLeft),
        Column::Intrinsic(Intrinsic::NestedSetRight),
        Column::Intrinsic(Intrinsic::NestedSetParent),
    ];
    if plan.is_structural {
        columns.extend(numbers.iter().cloned());
    }
    let loaded = chunk.load(&columns, keep.traces()).await;
    loaded.map_err(EngineError::Load)?;
    if events {
        chunk.load_events().await.map_err(EngineError::Load)?;
    }
    if links {
        chunk.load_links().await.map_err(EngineError::Load)?;
    }
    let chunk = &*chunk;
    let column = |number: usize| chunk.cells(&numbers[number]).map(|cells| &cells.bits[..]);
    let evaluation = Evaluation {
        plan,
        passing,
        rows: plan
            .exprs
            .iter()
            .map(|expr: &General| Rows::of_spans(chunk, &expr.fields, &selection))
            .collect(),
        numbers: match (column(0), column(1), column(2)) {
            (Some(left), Some(right), Some(parent)) if plan.is_structural => Some(Numbers {
                left,
                right,
                parent,
            }),
            _ => None,
        },
    };
    let mut sets = Vec::new();
    let mut spans_passed = Bitmap::empty(candidates.len());
    let mut since_pause = 0;
    // Used again for each trace: lists of traces are as long as they have to be, and do not grow step by step.
    let mut of_trace = Vec::new();
    for trace in 0..chunk.shape().traces() {
        of_trace.clear();
        of_trace.extend(candidates.iter_range(chunk.shape().spans_of(trace)));
        if of_trace.is_empty() {
            continue;
        }
        since_pause += of_trace.len();
        let all = Vec::from([Spanset {
            spans: of_trace.clone(),
            attributes: Vec::new(),
        }]);
        let found = evaluation.steps(&plan.steps, all)?;
        for span in found.iter().flat_map(|set| &set.spans) {
            spans_passed.insert(*span);
        }
        if !found.is_empty() {
            sets.push((trace, found));
        }
        if since_pause >= SPANS_PER_PAUSE {
            since_pause = 0;
            pause().await;
        }
    }
    drop(evaluation);
    selection.spans = spans_passed;
    Ok(Matches {
        selection,
        sets: Some(sets),
        elsewhere: Vec::new(),
    })
}

impl<'c> Evaluation<'c> {
    fn steps(&self, steps: &[Step], mut sets: Vec<Spanset>) -> Result<Vec<Spanset>, QueryError> {
        for step in steps {
            sets = self.step(step, sets)?;
            if sets.is_empty() {
                break;
            }
        }
        Ok(sets)
    }

    fn step(&self, step: &Step, sets: Vec<Spanset>) -> Result<Vec<Spanset>, QueryError> {
        let mut out = Vec::with_capacity(sets.len());
        match step {
            Step::Set(expr) => {
                for set in sets {
                    let found = self.set(expr, &set)?;
                    out.extend(found.into_iter().map(|one| with_attributes(&set, one)));
                }
            }
            Step::Coalesce => {
                let mut spans: Vec<u32> = sets.into_iter().flat_map(|set| set.spans).collect();
                spans.sort_unstable();
                spans.dedup();
                out.push(Spanset {
                    spans,
                    attributes: Vec::new(),
                });
            }
            Step::By { expr, name } => {
                for set in sets {
                    self.group(*expr, name, &set, &mut out)?;
                }
            }
            Step::Scalar {
                aggregate,
                op,
                than,
                name,
            } => {
                for mut set in sets {
                    let value = fold(*aggregate, &self.plan.exprs, &self.rows, &set.spans)?;
                    let Some(value) = value else { continue };
                    if value.number().is_none() {
                        continue;
                    }
                    if compare(*op, value, Val::of_static(than))? == Some(true) {
                        set.attributes.push((name.clone(), value.to_static()));
                        out.push(set);
                    }
                }
            }
        }
        out.retain(|set| !set.spans.is_empty());
        Ok(out)
    }

    /// One spanset by the values of an expression; groups in the order in which they turn up.
    fn group(
        &self,
        expr: usize,
        name: &Arc<str>,
        set: &Spanset,
        out: &mut Vec<Spanset>,
    ) -> Result<(), QueryError> {
        let first = out.len();
        let mut places: HashMap<Key<'_>, usize> = HashMap::new();
        for &span in &set.spans {
            let value = self.plan.exprs[expr].value(&self.rows[expr], span)?;
            let place = *places.entry(Key(value)).or_insert_with(|| {
                let mut attributes = set.attributes.clone();
                attributes.push((name.clone(), value.to_static()));
                out.push(Spanset {
                    spans: Vec::new(),
                    attributes,
                });
                out.len() - 1 - first
            });
            if let Some(group) = out.get_mut(first + place) {
                group.spans.push(span);
            }
        }
        Ok(())
    }

    /// The spansets of an expression over one spanset.
    fn set(&self, expr: &SetExpr, input: &Spanset) -> Result<Vec<Spanset>, QueryError> {
        let one = |spans: Vec<u32>| match spans.is_empty() {
            true => Vec::new(),
            false => Vec::from([Spanset {
                spans,
                attributes: Vec::new(),
            }]),
        };
        Ok(match expr {
            SetExpr::Filter(number) => {
                let passing = &self.passing[*number];
                let passing = |&span: &u32| passing.contains(span);
                let spans = input.spans.iter().copied();
                let mut passed = Vec::with_capacity(spans.clone().filter(passing).count());
                passed.extend(spans.filter(passing));
                one(passed)
            }
            SetExpr::Pipeline(steps) => {
                let start = Spanset {
                    spans: input.spans.clone(),
                    attributes: Vec::new(),
                };
                self.steps(steps, Vec::from([start]))?
            }
            SetExpr::Binary { op, left, right } => {
                let left = self.set(left, input)?;
                match op {
                    SpansetOp::And if left.is_empty() => Vec::new(),
                    SpansetOp::And => {
                        let right = self.set(right, input)?;
                        match right.is_empty() {
                            true => Vec::new(),
                            false => one(union(left, right)),
                        }
                    }
                    SpansetOp::Or => one(union(left, self.set(right, input)?)),
                    SpansetOp::Structural { relation, form } => {
                        let right = self.set(right, input)?;
                        let (left, right) = (single(left)?, single(right)?);
                        match &self.numbers {
                            Some(numbers) => one(relate(numbers, *relation, *form, &left, &right)),
                            None => Vec::new(),
                        }
                    }
                }
            }
        })
    }
}

/// What a spanset operation gives keeps the attributes of what it was given.
fn with_attributes(given: &Spanset, mut result: Spanset) -> Spanset {
    let mut attributes = given.attributes.clone();
    attributes.append(&mut result.attributes);
    Spanset {
        spans: result.spans,
        attributes,
    }
}

fn union(left: Vec<Spanset>, right: Vec<Spanset>) -> Vec<u32> {
    let all = left.into_iter().chain(right);
    let mut spans: Vec<u32> = all.flat_map(|set| set.spans).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn single(mut sets: Vec<Spanset>) -> Result<Vec<u32>, QueryError> {
    match sets.len() {
        0 => Ok(Vec::new()),
        1 => Ok(std::mem::take(&mut sets[0].spans)),
        _ => Err(QueryError::SeveralSpansets),
    }
}
