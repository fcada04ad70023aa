//! Answers of a search out of what passed (traceql.md §6.3).

use std::sync::Arc;

use vivace_columns::{Bitmap, CellKind, Cells, Chunk, Column, Level, Selection};
use vivace_model::SpanId;
use vivace_traceql::{Field, Intrinsic, Static};

use crate::dedicated::MISSING;
use crate::error::EngineError;
use crate::filter::{Test, without_member};
use crate::pipeline::{Matches, Plan, Spanset, Visible};
use crate::result::{SpanResult, SpanSetResult, TraceResult};
use crate::value::Val;

/// What of the matches becomes an answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerOptions {
    /// Spans listed of a set; 0: all.
    pub spans_per_set: u32,
    /// Traces; 0: all.
    pub limit: u32,
    /// Of more traces than `limit` the newest, not the first ones.
    pub most_recent: bool,
}

/// A field of listed spans.
struct Listed<'c> {
    name: Arc<str>,
    /// What spans without an event or link have (traceql.md, accident 30).
    without: Option<Static>,
    /// With whether they are dedicated.
    columns: Vec<(&'c Cells, bool)>,
    values: &'c Visible,
}

/// The traces of a chunk's matches, in the order of the chunk or newest first.
pub async fn answer<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    matches: Matches,
    options: AnswerOptions,
    pause: &impl AsyncFn(),
) -> Result<Vec<TraceResult>, EngineError<C::Error>> {
    let Matches {
        selection, sets, ..
    } = matches;
    let sets = match sets {
        Some(sets) => sets,
        None => one_set_each(chunk, &selection),
    };
    let sets = chosen(chunk, sets, options).await?;
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let mut keep = Bitmap::empty(chunk.shape().traces());
    for (trace, _) in &sets {
        keep.insert(*trace);
    }
    let columns = load(plan, chunk, &keep).await?;
    let mut services = Vec::with_capacity(sets.len());
    for (trace, _) in &sets {
        let of_trace = chunk.service_stats(*trace).await;
        services.push(of_trace.map_err(EngineError::Load)?);
        pause().await;
    }
    let view = View::new(plan, &*chunk, &selection, &columns);
    let mut traces = Vec::with_capacity(sets.len());
    for ((trace, sets), services) in sets.into_iter().zip(services) {
        let ids = chunk.trace_ids().unwrap_or_default();
        let Some(&trace_id) = ids.get(trace as usize) else {
            continue;
        };
        traces.push(TraceResult {
            trace_id,
            root_service: view.trace_text(&columns.root_service, trace),
            root_name: view.trace_text(&columns.root_name, trace),
            start_unix_nano: view.number(&columns.trace_start, trace),
            duration_nano: view.number(&columns.trace_duration, trace),
            services,
            span_sets: sets
                .into_iter()
                .map(|set| view.set(set, options.spans_per_set))
                .collect(),
        });
        pause().await;
    }
    Ok(traces)
}

/// Traces with their passing spans.
fn one_set_each<C: Chunk>(chunk: &C, selection: &Selection) -> Vec<(u32, Vec<Spanset>)> {
    let shape = chunk.shape();
    let mut sets = Vec::new();
    for trace in 0..shape.traces() {
        let spans: Vec<u32> = selection.spans.iter_range(shape.spans_of(trace)).collect();
        if !spans.is_empty() {
            let attributes = Vec::new();
            sets.push((trace, Vec::from([Spanset { spans, attributes }])));
        }
    }
    sets
}

/// At most as many traces as are wanted.
async fn chosen<C: Chunk>(
    chunk: &mut C,
    mut sets: Vec<(u32, Vec<Spanset>)>,
    options: AnswerOptions,
) -> Result<Vec<(u32, Vec<Spanset>)>, EngineError<C::Error>> {
    let limit = options.limit as usize;
    if limit == 0 || sets.len() <= limit {
        return Ok(sets);
    }
    if options.most_recent {
        let mut keep = Bitmap::empty(chunk.shape().traces());
        for (trace, _) in &sets {
            keep.insert(*trace);
        }
        let loaded = chunk.load(&[Column::TraceStart], Some(&keep)).await;
        loaded.map_err(EngineError::Load)?;
        if let Some(starts) = chunk.cells(&Column::TraceStart) {
            sets.sort_by_key(|(trace, _)| std::cmp::Reverse(starts.get(*trace).1));
        }
    }
    sets.truncate(limit);
    Ok(sets)
}

/// Columns that every answer has.
struct Common {
    root_service: Column,
    root_name: Column,
    trace_start: Column,
    trace_duration: Column,
    span_id: Column,
    span_start: Column,
    duration: Column,
    name: Column,
}

async fn load<C: Chunk>(
    plan: &Plan,
    chunk: &mut C,
    keep: &Bitmap,
) -> Result<Common, EngineError<C::Error>> {
    let intrinsic = Column::Intrinsic;
    let common = Common {
        root_service: intrinsic(Intrinsic::TraceRootService),
        root_name: intrinsic(Intrinsic::TraceRootName),
        trace_start: Column::TraceStart,
        trace_duration: intrinsic(Intrinsic::TraceDuration),
        span_id: intrinsic(Intrinsic::SpanId),
        span_start: Column::SpanStart,
        duration: intrinsic(Intrinsic::Duration),
        name: intrinsic(Intrinsic::Name),
    };
    let mut columns = Vec::from([
        common.root_service.clone(),
        common.root_name.clone(),
        common.trace_start.clone(),
        common.trace_duration.clone(),
        common.span_id.clone(),
        common.span_start.clone(),
        common.duration.clone(),
    ]);
    if plan.names().is_some() {
        columns.push(common.name.clone());
    }
    for one in listed_fields(plan) {
        columns.extend(Column::of_field(&one.field));
    }
    let loaded = chunk.load(&columns, Some(keep)).await;
    loaded.map_err(EngineError::Load)?;
    let has = |level| columns.iter().any(|column| column.level() == level);
    if has(Level::Event) {
        chunk.load_events().await.map_err(EngineError::Load)?;
    }
    if has(Level::Link) {
        chunk.load_links().await.map_err(EngineError::Load)?;
    }
    chunk.load_trace_ids().await.map_err(EngineError::Load)?;
    Ok(common)
}

/// Fields that stand among the attributes of spans.
fn listed_fields(plan: &Plan) -> impl Iterator<Item = &crate::pipeline::VisibleField> {
    let elsewhere = |field: &Field| {
        matches!(
            field,
            Field::Intrinsic(
                Intrinsic::Name
                    | Intrinsic::Duration
                    | Intrinsic::TraceDuration
                    | Intrinsic::TraceRootName
                    | Intrinsic::TraceRootService
                    | Intrinsic::TraceId
                    | Intrinsic::SpanId
                    | Intrinsic::Parent
            )
        )
    };
    plan.visible
        .iter()
        .filter(move |one| !elsewhere(&one.field))
}

struct View<'c, C> {
    chunk: &'c C,
    selection: &'c Selection,
    listed: Vec<Listed<'c>>,
    common: &'c Common,
    names: Option<&'c Visible>,
}

impl<'c, C: Chunk> View<'c, C> {
    fn new(plan: &'c Plan, chunk: &'c C, selection: &'c Selection, common: &'c Common) -> Self {
        let listed = listed_fields(plan).map(|one| Listed {
            name: one.field.bare_key().into(),
            without: match without_member(&one.field) {
                Val::Nil => None,
                value => Some(value.to_static()),
            },
            columns: Column::of_field(&one.field)
                .iter()
                .filter_map(|column| {
                    let cells = chunk.cells(column)?;
                    Some((cells, plan.dedicated.has_column(column)))
                })
                .collect(),
            values: &one.values,
        });
        Self {
            listed: listed.collect(),
            chunk,
            selection,
            common,
            names: plan.names(),
        }
    }

    fn number(&self, column: &Column, owner: u32) -> u64 {
        let cells = self.chunk.cells(column);
        cells.map_or(0, |cells| cells.get(owner).1)
    }

    fn trace_text(&self, column: &Column, trace: u32) -> Box<str> {
        let text = self.chunk.cells(column).map(|cells| {
            let (kind, bits) = cells.get(trace);
            match kind {
                CellKind::String => String::from_utf8_lossy(cells.strings.get(bits)),
                _ => "".into(),
            }
        });
        text.unwrap_or_default().into()
    }

    fn set(&self, set: Spanset, limit: u32) -> SpanSetResult {
        let wanted = match limit {
            0 => set.spans.len(),
            limit => limit as usize,
        };
        SpanSetResult {
            matched: set.spans.len() as u32,
            spans: set
                .spans
                .iter()
                .take(wanted)
                .map(|&span| self.span(span))
                .collect(),
            attributes: set
                .attributes
                .into_iter()
                .map(|(name, value)| match value {
                    Static::Nil => (name, Static::String("nil".into())),
                    value => (name, value),
                })
                .collect(),
        }
    }

    fn span(&self, span: u32) -> SpanResult {
        let mut attributes = Vec::new();
        for listed in &self.listed {
            for (cells, is_dedicated) in &listed.columns {
                let value = self.value(cells, span, listed.values);
                let missing = || match listed.values {
                    Visible::All if self.has_no_member(cells.level, span) => listed.without.clone(),
                    Visible::All => (*is_dedicated && self.is_nil(cells, span, true))
                        .then(|| Static::String(MISSING.into())),
                    Visible::Passing { nil, .. } => (*nil && self.is_nil(cells, span, false))
                        .then(|| Static::String(MISSING.into())),
                };
                if let Some(value) = value.or_else(missing) {
                    attributes.push((listed.name.clone(), value));
                }
            }
        }
        SpanResult {
            span_id: SpanId(self.number(&self.common.span_id, span).to_be_bytes()),
            name: self.names.and_then(|names| self.name(span, names)),
            start_unix_nano: self.number(&self.common.span_start, span),
            duration_nano: self.number(&self.common.duration, span),
            attributes,
        }
    }

    /// The name, if the query's conditions let it through.
    fn name(&self, span: u32, names: &Visible) -> Option<Box<str>> {
        let cells = self.chunk.cells(&self.common.name)?;
        match self.value(cells, span, names)? {
            Static::String(name) => Some((&*name).into()),
            _ => None,
        }
    }

    /// Whether a span has no event, or no link.
    fn has_no_member(&self, level: Level, span: u32) -> bool {
        let members = match level {
            Level::Event => self.chunk.events(),
            Level::Link => self.chunk.links(),
            _ => return false,
        };
        members.is_none_or(|members| members.of_span(span).is_empty())
    }

    /// Whether a span has no value at all, which can be told for columns with one owner a span. `hidden`: what queries can't see is
    /// none.
    fn is_nil(&self, cells: &Cells, span: u32, hidden: bool) -> bool {
        let shape = self.chunk.shape();
        let owner = match cells.level {
            Level::Span => Some(span),
            Level::Resource => shape.resource_of_span.get(span as usize).copied(),
            Level::Scope => shape.scope_of_span.get(span as usize).copied(),
            Level::Trace | Level::Event | Level::Link => None,
        };
        owner.is_some_and(|owner| {
            cells.get(owner).0 == CellKind::Nil
                && (hidden || cells.hidden.binary_search(&owner).is_err())
        })
    }

    /// The value that is listed for a span; of events and links the last one that met the conditions, else the last with a value.
    fn value(&self, cells: &Cells, span: u32, values: &Visible) -> Option<Static> {
        let shape = self.chunk.shape();
        let of_owner = |owner: u32| {
            let (kind, bits) = cells.get(owner);
            visible(Val::of_cell(cells, kind, bits), values)
        };
        let of_span = |owners: &[u32]| owners.get(span as usize).copied();
        let owner = match cells.level {
            Level::Span => Some(span),
            Level::Resource => of_span(&shape.resource_of_span),
            Level::Scope => of_span(&shape.scope_of_span),
            Level::Trace => {
                let after = shape.trace_starts.partition_point(|&start| start <= span);
                after.checked_sub(1).map(|trace| trace as u32)
            }
            Level::Event => {
                let members = self.chunk.events().map(|events| events.of_span(span));
                let chosen = self.selection.last_event_of_span.get(&span).copied();
                let mut all = chosen.into_iter().chain(members.unwrap_or(0..0).rev());
                return all.find_map(of_owner);
            }
            Level::Link => {
                let members = self.chunk.links().map(|links| links.of_span(span));
                let chosen = self.selection.last_link_of_span.get(&span).copied();
                let mut all = chosen.into_iter().chain(members.unwrap_or(0..0).rev());
                return all.find_map(of_owner);
            }
        };
        owner.and_then(of_owner)
    }
}

/// The part of a value that the query's comparisons let through; of arrays the elements that pass.
fn visible(value: Val<'_>, values: &Visible) -> Option<Static> {
    if value.is_nil() {
        return None;
    }
    let Visible::Passing { tests, .. } = values else {
        return Some(value.to_static());
    };
    let Val::Array(array) = value else {
        let passes = tests.iter().any(|test| test.accepts(value));
        return passes.then(|| value.to_static());
    };
    let passes = |one: &Val<'_>| tests.iter().any(|test: &Test| test.accepts_element(*one));
    let mut elements: Vec<Static> = array.iter().filter(passes).map(Val::to_static).collect();
    match elements.len() {
        0 => None,
        1 => elements.pop(),
        _ => Some(collected(elements)),
    }
}

/// An array of elements of one type.
fn collected(elements: Vec<Static>) -> Static {
    match elements.first() {
        Some(Static::Int(_)) => Static::IntArray(pick(elements, |one| match one {
            Static::Int(value) => Some(value),
            _ => None,
        })),
        Some(Static::Float(_)) => Static::FloatArray(pick(elements, |one| match one {
            Static::Float(value) => Some(value),
            _ => None,
        })),
        Some(Static::Bool(_)) => Static::BoolArray(pick(elements, |one| match one {
            Static::Bool(value) => Some(value),
            _ => None,
        })),
        _ => Static::StringArray(pick(elements, |one| match one {
            Static::String(text) => Some(text),
            _ => None,
        })),
    }
}

fn pick<T>(elements: Vec<Static>, value: impl Fn(Static) -> Option<T>) -> Vec<T> {
    elements.into_iter().filter_map(value).collect()
}
