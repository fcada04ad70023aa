//! Chunks of live data: one batch, read in place.

mod attributes;
mod intrinsics;
mod nested;
mod pause;
mod text;
mod traces;
mod values;

use std::collections::HashMap;
use std::convert::Infallible;

use vivace_model::{SpanBatch, TraceId, View};
use vivace_traceql::Field;

use self::intrinsics::Needs;
use self::pause::Pause;
use self::traces::{Doubles, TraceFacts};
use crate::bitmap::Bitmap;
use crate::cells::Cells;
use crate::chunk::{Chunk, ServiceStats};
use crate::column::{Column, Level};
use crate::shape::{Members, Shape};
use crate::strings::Strings;
use crate::table::AttributeTable;

/// The traces of a batch; trace, span, resource, scope, event and link numbers are those of the batch. `P` is called after every
/// 20,000 cells that were made, and may wait.
///
/// What a trace has once, its statistics and the numbers of its tree are those that a block of the batch would have: spans that are
/// there twice (with the same id and kind) count once. As spans they stay twice; both have the same numbers then.
pub struct BatchChunk<P> {
    batch: SpanBatch,
    strings: Strings,
    shape: Shape,
    columns: HashMap<Column, Cells>,
    tables: HashMap<Level, AttributeTable>,
    events: Option<Members>,
    links: Option<Members>,
    trace_ids: Option<Vec<TraceId>>,
    doubles: Option<Doubles>,
    facts: Option<Vec<TraceFacts>>,
    /// Bytes of strings that were made for columns.
    own_strings: usize,
    pause: Pause<P>,
}

impl<P: AsyncFn()> BatchChunk<P> {
    /// Copies which trace, resource and scope spans have; everything else is made when it is asked for.
    pub fn new(batch: &SpanBatch, pause: P) -> Self {
        Self {
            strings: Strings::of_batch(batch),
            shape: shape_of(&batch.view()),
            batch: batch.clone(),
            columns: HashMap::new(),
            tables: HashMap::new(),
            events: None,
            links: None,
            trace_ids: None,
            doubles: None,
            facts: None,
            own_strings: 0,
            pause: Pause::new(pause),
        }
    }

    async fn make(&mut self, column: &Column) {
        let view = self.batch.view();
        let (strings, pause) = (&self.strings, &mut self.pause);
        let made = match column {
            Column::Attribute(level, key) => {
                let cells = attributes::column(&view, strings, (*level, key), pause).await;
                Some((cells, 0))
            }
            _ => intrinsics::plain(&view, strings, column, pause).await,
        };
        if let Some((cells, own_strings)) = made {
            self.own_strings += own_strings;
            self.columns.insert(column.clone(), cells);
        }
    }

    async fn make_of_traces(&mut self, columns: &[&Column]) {
        if columns.is_empty() {
            return;
        }
        let view = self.batch.view();
        if self.facts.is_none() {
            let doubles = doubles_of(&mut self.doubles, &view, &mut self.pause).await;
            self.facts = Some(traces::facts(&view, doubles, &mut self.pause).await);
        }
        let facts = self.facts.as_deref().unwrap_or_default();
        for column in columns {
            let cells = intrinsics::of_traces(facts, &self.strings, column);
            self.pause.after(cells.len()).await;
            self.columns.insert((*column).clone(), cells);
        }
    }

    /// The numbers of trees take longest, so only those of traces in `keep` are made.
    async fn make_nested(&mut self, columns: &[&Column], keep: Option<&Bitmap>) {
        if columns.is_empty() {
            return;
        }
        let view = self.batch.view();
        let doubles = doubles_of(&mut self.doubles, &view, &mut self.pause).await;
        let nested = nested::nested(&view, doubles, keep, &mut self.pause).await;
        for column in columns {
            let cells = intrinsics::of_nested(&nested, column);
            self.pause.after(cells.len()).await;
            self.columns.insert((*column).clone(), cells);
        }
    }
}

async fn doubles_of<'d, P: AsyncFn()>(
    known: &'d mut Option<Doubles>,
    view: &View<'_>,
    pause: &mut Pause<P>,
) -> &'d Doubles {
    if known.is_none() {
        *known = Some(Doubles::find(view, pause).await);
    }
    known.get_or_insert_default()
}

fn shape_of(view: &View<'_>) -> Shape {
    let spans = view.span_count() as u32;
    Shape {
        trace_starts: view.trace_starts().iter().chain([spans]).collect(),
        resource_of_span: view.resource_indexes().iter().collect(),
        scope_of_span: view.scope_indexes().iter().collect(),
        resources: view.resource_count() as u32,
        scopes: view.scope_count() as u32,
    }
}

impl<P: AsyncFn()> Chunk for BatchChunk<P> {
    type Error = Infallible;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    async fn load(&mut self, columns: &[Column], keep: Option<&Bitmap>) -> Result<(), Infallible> {
        let (mut of_traces, mut nested) = (Vec::new(), Vec::new());
        for column in columns {
            if self.columns.contains_key(column) {
                continue;
            }
            match intrinsics::needs(column) {
                None => self.make(column).await,
                Some(Needs::Facts) => of_traces.push(column),
                Some(Needs::Nested) => nested.push(column),
                Some(Needs::Nothing) => {
                    let cells = Cells::nil(column.level(), self.shape.spans());
                    self.columns.insert(column.clone(), cells);
                }
            }
        }
        self.make_of_traces(&of_traces).await;
        self.make_nested(&nested, keep).await;
        Ok(())
    }

    fn cells(&self, column: &Column) -> Option<&Cells> {
        self.columns.get(column)
    }

    async fn strings_of(&mut self, column: &Column) -> Result<Option<Strings>, Infallible> {
        let Column::Attribute(level, key) = column else {
            return Ok(None);
        };
        let view = self.batch.view();
        let has_none =
            !attributes::is_service_name(*level, key) && text::find_string(&view, key).is_none();
        self.pause.after(view.string_count()).await;
        Ok(has_none.then(Strings::none))
    }

    async fn load_events(&mut self) -> Result<(), Infallible> {
        if self.events.is_none() {
            let starts = self.batch.view().event_starts().iter().collect();
            self.events = Some(Members { starts });
            self.pause.after(self.shape.spans() as usize).await;
        }
        Ok(())
    }

    fn events(&self) -> Option<&Members> {
        self.events.as_ref()
    }

    async fn load_links(&mut self) -> Result<(), Infallible> {
        if self.links.is_none() {
            let starts = self.batch.view().link_starts().iter().collect();
            self.links = Some(Members { starts });
            self.pause.after(self.shape.spans() as usize).await;
        }
        Ok(())
    }

    fn links(&self) -> Option<&Members> {
        self.links.as_ref()
    }

    async fn load_trace_ids(&mut self) -> Result<(), Infallible> {
        if self.trace_ids.is_none() {
            let ids = self.batch.view().trace_ids().iter().map(TraceId).collect();
            self.trace_ids = Some(ids);
            self.pause.after(self.shape.traces() as usize).await;
        }
        Ok(())
    }

    fn trace_ids(&self) -> Option<&[TraceId]> {
        self.trace_ids.as_deref()
    }

    async fn service_stats(&mut self, trace: u32) -> Result<Vec<ServiceStats>, Infallible> {
        let rows = self.shape.spans_of(trace);
        let rows = rows.start as usize..rows.end as usize;
        let view = self.batch.view();
        let doubles = doubles_of(&mut self.doubles, &view, &mut self.pause).await;
        Ok(traces::service_stats(&view, rows, doubles, &mut self.pause).await)
    }

    async fn load_table(&mut self, level: Level) -> Result<(), Infallible> {
        if !self.tables.contains_key(&level) {
            let view = self.batch.view();
            let table = attributes::table(&view, &self.strings, level, &mut self.pause).await;
            self.tables.insert(level, table);
        }
        Ok(())
    }

    fn table(&self, level: Level) -> Option<&AttributeTable> {
        self.tables.get(&level)
    }

    async fn keys(&mut self, level: Level) -> Result<Vec<Box<str>>, Infallible> {
        Ok(attributes::keys(&self.batch.view(), level, &mut self.pause).await)
    }

    /// None: a batch has all attributes in one place.
    fn named(&self, _level: Level) -> Vec<Field> {
        Vec::new()
    }

    /// Those of the batch, whatever was loaded.
    fn bytes_read(&self) -> u64 {
        self.batch.as_bytes().len() as u64
    }

    /// Without the batch itself, which others hold too.
    fn memory_bytes(&self) -> usize {
        let shape = &self.shape;
        let numbers = shape.trace_starts.capacity()
            + shape.resource_of_span.capacity()
            + shape.scope_of_span.capacity();
        let members = [&self.events, &self.links].into_iter().flatten();
        let members: usize = members.map(|members| members.starts.capacity()).sum();
        let columns: usize = self.columns.values().map(Cells::memory_bytes).sum();
        let tables: usize = self.tables.values().map(table_bytes).sum();
        let ids = self.trace_ids.as_ref().map_or(0, Vec::capacity) * size_of::<TraceId>();
        let facts = self.facts.as_ref().map_or(0, Vec::capacity) * size_of::<TraceFacts>();
        let doubles = self.doubles.as_ref().map_or(0, Doubles::memory_bytes);
        let own = columns + tables + ids + facts + doubles + self.own_strings;
        own + (numbers + members) * size_of::<u32>()
    }
}

fn table_bytes(table: &AttributeTable) -> usize {
    (table.owners.capacity() + table.keys.capacity()) * size_of::<u32>()
        + table.kinds.capacity()
        + (table.bits.capacity() + table.elements.capacity()) * size_of::<u64>()
}
