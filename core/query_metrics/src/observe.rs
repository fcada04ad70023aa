//! Counts spans of a chunk.

use std::sync::Arc;

use thiserror::Error;
use vivace_columns::{Cells, Chunk, Column, FieldReader, Selection, Shape};
use vivace_traceql::{Attribute, Field, MetricsFunction, Scope, Static};

use crate::accumulate::Reading;
use crate::cursor::{FieldCursor, Place};
use crate::exemplars::{Chosen, Reservoir, mix, trace_hash};
use crate::group::{Grouper, IGNORED};
use crate::labels::{field_name, label_value};
use crate::leaf::MetricsLeaf;
use crate::limits::PAUSE_EVERY;
use crate::partials::Partials;
use crate::plan::MetricsPlan;
use crate::series::Labels;
use crate::time::Clock;
use crate::weights::Weights;

/// A caller's mistake: nothing was counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ObserveError {
    #[error("the plan has no sub-query {leaf}, or the partial results are another plan's")]
    NoLeaf { leaf: usize },
    #[error("sub-query {leaf} is a compare(), or it is none")]
    WrongFunction { leaf: usize },
    #[error("the column {column:?} was not loaded")]
    NotLoaded { column: Column },
    #[error("the events of spans were not loaded")]
    NoEvents,
    #[error("the links of spans were not loaded")]
    NoLinks,
    #[error("the ids of traces were not loaded")]
    NoTraceIds,
}

impl ObserveError {
    /// The same call fails next time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl MetricsPlan {
    /// Adds the selected spans of a chunk to the partial results of a leaf: those that start in the request's range.
    ///
    /// `factor`: spans that each stands for (1 unless the caller samples and knows the share; see `Partials::multiply` for those that
    /// know it later). Needs what `MetricsLeaf::columns`, `needs_events`, `needs_links` and `needs_trace_ids` tell.
    pub async fn observe<C: Chunk>(
        &self,
        leaf_index: usize,
        partials: &mut Partials,
        chunk: &C,
        selection: &Selection,
        factor: f64,
        pause: &impl AsyncFn(),
    ) -> Result<(), ObserveError> {
        let wrong = ObserveError::NoLeaf { leaf: leaf_index };
        let leaf = self.leaves().get(leaf_index).ok_or(wrong.clone())?;
        if leaf.compare_filter().is_some() {
            return Err(ObserveError::WrongFunction { leaf: leaf_index });
        }
        let room = &mut partials.room;
        let part = partials.leaves.get_mut(leaf_index).ok_or(wrong)?;
        if leaf.is_trivially_false() || selection.spans.is_empty() {
            return Ok(());
        }
        let mut walk = Walk::new(self, chunk)?;
        let values = leaf.value_field();
        let values = values.map(|field| FieldCursor::new(chunk, field));
        let mut values = values.transpose()?;
        let mut grouper = Grouper::new(chunk, &leaf.query.by, leaf.has_own_label())?;
        let mut weights = Weights::new(chunk, leaf.extrapolates, factor)?;
        let mut examples = Examples::new(chunk, leaf)?;
        for (number, span) in selection.spans.iter().enumerate() {
            if number % PAUSE_EVERY == PAUSE_EVERY - 1 {
                pause().await;
            }
            let Some(seen) = walk.visit(span) else {
                continue;
            };
            let mut value = f64::NAN;
            let reading = match &mut values {
                None => Reading::Span,
                Some(values) => {
                    let (kind, bits) = match values.find(seen.place, selection) {
                        Some(found) => found,
                        None => match &values.without {
                            Some(value) => MetricsLeaf::bits_of(value),
                            None => continue,
                        },
                    };
                    let Some(reading) = leaf.reading(kind, bits) else {
                        continue;
                    };
                    value = leaf.number(kind, bits).unwrap_or(f64::NAN);
                    reading
                }
            };
            let group = grouper.group(seen.place, selection, &mut part.groups);
            if group == IGNORED {
                continue;
            }
            let weight = weights.of(span);
            if let Some((_, points)) = part.groups.all.get_mut(group as usize) {
                part.is_cut |= !points.add(seen.interval, reading, weight, room);
            }
            if examples.is_on {
                examples.offer(
                    &mut part.exemplars,
                    seen,
                    selection,
                    (group, reading, value),
                );
            }
        }
        Ok(())
    }
}

/// A span within the range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) place: Place,
    pub(crate) unix_nano: u64,
    pub(crate) interval: u32,
}

/// Tells trace, time and interval of spans that come in ascending order.
pub(crate) struct Walk<'c> {
    starts: &'c Cells,
    shape: &'c Shape,
    trace: u32,
    /// The first span behind the trace.
    trace_end: u32,
    clock: Clock,
}

impl<'c> Walk<'c> {
    pub(crate) fn new<C: Chunk>(plan: &MetricsPlan, chunk: &'c C) -> Result<Self, ObserveError> {
        let column = Column::SpanStart;
        let starts = chunk.cells(&column);
        let shape = chunk.shape();
        Ok(Self {
            starts: starts.ok_or(ObserveError::NotLoaded { column })?,
            shape,
            trace: 0,
            trace_end: shape.spans_of(0).end,
            clock: plan.clock(),
        })
    }

    /// None: the span starts outside of the range.
    #[inline]
    pub(crate) fn visit(&mut self, span: u32) -> Option<Seen> {
        while span >= self.trace_end && self.trace + 1 < self.shape.traces() {
            self.trace += 1;
            self.trace_end = self.shape.spans_of(self.trace).end;
        }
        let (_, unix_nano) = self.starts.get(span);
        let interval = self.clock.interval(unix_nano)?;
        let trace = self.trace;
        Some(Seen {
            place: Place { span, trace },
            unix_nano,
            interval,
        })
    }
}

/// Chooses exemplars among the spans of a chunk.
pub(crate) struct Examples<'c, C> {
    chunk: &'c C,
    leaf: &'c MetricsLeaf,
    pub(crate) is_on: bool,
    /// The trace of the last span, and its hash.
    trace: (u32, u64),
    /// What exemplars show, with names; made for the first one.
    readers: Option<Vec<(Arc<str>, FieldReader<'c>)>>,
}

impl<'c, C: Chunk> Examples<'c, C> {
    pub(crate) fn new(chunk: &'c C, leaf: &'c MetricsLeaf) -> Result<Self, ObserveError> {
        if leaf.has_exemplars && chunk.trace_ids().is_none() {
            return Err(ObserveError::NoTraceIds);
        }
        Ok(Self {
            chunk,
            leaf,
            is_on: leaf.has_exemplars,
            trace: (u32::MAX, 0),
            readers: None,
        })
    }

    /// `of`: number of the series, what was read, and the value if it has one.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        reservoir: &mut Reservoir,
        seen: Seen,
        selection: &Selection,
        of: (u32, Reading, f64),
    ) {
        let Place { span, trace } = seen.place;
        if self.trace.0 != trace {
            let ids = self.chunk.trace_ids();
            let id = ids.and_then(|ids| ids.get(trace as usize));
            self.trace = (trace, id.map_or(0, |id| trace_hash(&id.0)));
        }
        let rank = mix(self.trace.1 ^ mix(seen.unix_nano ^ u64::from(span) << 32));
        if !reservoir.wants(seen.unix_nano, rank) {
            return;
        }
        let (series, reading, value) = of;
        let shows_sample = matches!(self.leaf.function(), MetricsFunction::HistogramOverTime(_));
        reservoir.offer(Chosen {
            rank,
            trace: self.trace.1,
            unix_nano: seen.unix_nano,
            interval: seen.interval,
            series,
            bucket: match reading {
                Reading::Bucket(exponent) => exponent,
                Reading::Span | Reading::Number(_) => 0,
            },
            value: if shows_sample { f64::NAN } else { value },
            labels: self.labels(seen.place, selection),
        });
    }

    #[cold]
    fn labels(&mut self, at: Place, selection: &Selection) -> Labels {
        let (chunk, leaf) = (self.chunk, self.leaf);
        let readers = self.readers.get_or_insert_with(|| {
            let fields = leaf.fields().iter().flat_map(scoped);
            let reader = |field: Field| {
                let reader = FieldReader::new(chunk, &field, chunk.events(), chunk.links());
                (field_name(&field), reader)
            };
            fields.map(reader).collect()
        });
        let mut labels = Labels::new();
        for (name, reader) in readers {
            let value = reader.value(at.span, selection);
            if value != Static::Nil && !labels.iter().any(|(known, _)| known == name) {
                labels.push((name.clone(), label_value(value)));
            }
        }
        let ids = self.chunk.trace_ids();
        if let Some(id) = ids.and_then(|ids| ids.get(at.trace as usize)) {
            let text = id.to_string();
            let text = match text.trim_start_matches('0') {
                "" => "0",
                text => text,
            };
            let name = field_name(&Field::Intrinsic(vivace_traceql::Intrinsic::TraceId));
            labels.retain(|(known, _)| *known != name);
            labels.push((name, Static::String(text.into())));
        }
        labels
    }
}

/// An unscoped attribute as those of the span and of the resource.
fn scoped(field: &Field) -> Vec<Field> {
    match field {
        Field::Attribute(attribute) if attribute.scope == Scope::Unscoped && !attribute.parent => {
            [Scope::Span, Scope::Resource]
                .into_iter()
                .map(|scope| {
                    Field::Attribute(Attribute {
                        scope,
                        ..attribute.clone()
                    })
                })
                .collect()
        }
        field => vec![field.clone()],
    }
}
