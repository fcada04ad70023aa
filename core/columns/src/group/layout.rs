//! Who belongs to whom: from the levels of a leaf to the shape.

use std::ops::Range;

use vivace_block::schema::Column as Leaf;
use vivace_block_reader::{DefLevels, Part, Ranges, RepLevels, Values, Wanted};

use super::error::LoadError;
use super::limits::{SHAPE_BYTES_PER_SPAN, SLOTS_PER_PAUSE};
use super::source::{LeafData, Source};
use crate::column::Level;
use crate::shape::{Members, Shape};

/// The shape, and the first resource and scope of each trace.
#[derive(Default)]
pub(super) struct Layout {
    pub shape: Shape,
    resource_starts: Vec<u32>,
    scope_starts: Vec<u32>,
}

/// The repeated groups that a slot may begin.
const RESOURCE: u8 = 1;
const SCOPE: u8 = 2;
const SPAN: u8 = 3;

impl Layout {
    /// Version 5 says how many spans each scope has; of version 4 the levels of a leaf of spans are counted.
    pub async fn load<R: Ranges, P: AsyncFn()>(
        source: &mut Source<R, P>,
    ) -> Result<Self, LoadError<R::Error>> {
        let find = |column| source.block.find(Part::Column(column));
        let (leaf, is_counted) = match (find(Leaf::ScopeSpanCount), find(Leaf::StatusCode)) {
            (Some(leaf), _) => (leaf, true),
            (None, Some(leaf)) => (leaf, false),
            (None, None) => return Err(source.version3()),
        };
        let most = find(Leaf::SpanId).map_or(0, |leaf| source.slots_of(leaf));
        let rows = source.rows.clone();
        source.fetch(&[leaf], rows.clone()).await?;
        let wanted = Wanted {
            rep: RepLevels::All,
            def: DefLevels::All,
            values: is_counted,
        };
        let data = source.read(leaf, rows.clone(), wanted).await?;
        // A count that is wrong must not take memory: no more spans than a leaf of theirs has slots.
        let room = source.left() / SHAPE_BYTES_PER_SPAN;
        let mut building = Building {
            layout: Self::default(),
            most: most.min(u64::from(u32::MAX)),
            room,
            spans: 0,
        };
        let mut counts = counts(&data.page.values);
        let parts = (0..data.page.slots).step_by(SLOTS_PER_PAUSE);
        for part in parts {
            let part = part..(part + SLOTS_PER_PAUSE).min(data.page.slots);
            building
                .part(&data, part, is_counted, &mut counts)
                .map_err(|failed| failed.error(source, leaf))?;
            source.worked(SLOTS_PER_PAUSE).await;
        }
        let mut layout = building.layout;
        if layout.shape.trace_starts.len() != rows.len() {
            return Err(source.corrupt(leaf, "another number of rows than the row group has"));
        }
        layout.shape.trace_starts.push(building.spans as u32);
        layout.resource_starts.push(layout.shape.resources);
        layout.scope_starts.push(layout.shape.scopes);
        source.hold(leaf, layout.memory_bytes())?;
        Ok(layout)
    }

    pub fn memory_bytes(&self) -> usize {
        let shape = &self.shape;
        let numbers = [
            &shape.trace_starts,
            &shape.resource_of_span,
            &shape.scope_of_span,
            &self.resource_starts,
            &self.scope_starts,
        ];
        numbers.iter().map(|numbers| numbers.capacity() * 4).sum()
    }

    /// The owners of a level that belong to some traces. None: events or links that were not loaded.
    pub fn owners_of(
        &self,
        level: Level,
        traces: &Range<u32>,
        events: Option<&Members>,
        links: Option<&Members>,
    ) -> Option<Range<u32>> {
        let within = |starts: &[u32], range: &Range<u32>| -> Option<Range<u32>> {
            Some(*starts.get(range.start as usize)?..*starts.get(range.end as usize)?)
        };
        let spans = || within(&self.shape.trace_starts, traces);
        match level {
            Level::Trace => Some(traces.clone()),
            Level::Resource => within(&self.resource_starts, traces),
            Level::Scope => within(&self.scope_starts, traces),
            Level::Span => spans(),
            Level::Event => within(&events?.starts, &spans()?),
            Level::Link => within(&links?.starts, &spans()?),
        }
    }
}

/// Numbers of spans; nothing for a leaf that was read without values.
fn counts(values: &Values) -> impl Iterator<Item = i64> + '_ {
    (0..).map_while(|index| values.int(index))
}

enum Failed {
    Corrupt(&'static str),
    TooMuch,
}

impl Failed {
    fn error<R: Ranges, P: AsyncFn()>(
        self,
        source: &Source<R, P>,
        leaf: usize,
    ) -> LoadError<R::Error> {
        match self {
            Self::Corrupt(reason) => source.corrupt(leaf, reason),
            Self::TooMuch => source.too_much(leaf),
        }
    }
}

struct Building {
    layout: Layout,
    /// Spans that are possible.
    most: u64,
    /// Spans for which there is memory.
    room: usize,
    spans: u64,
}

impl Building {
    fn part(
        &mut self,
        data: &LeafData,
        slots: Range<usize>,
        is_counted: bool,
        counts: &mut impl Iterator<Item = i64>,
    ) -> Result<(), Failed> {
        let page = &data.page;
        let levels = (
            page.rep_levels.get(slots.clone()),
            page.def_levels.get(slots),
        );
        let (Some(rep), Some(def)) = levels else {
            return Err(Failed::Corrupt("another number of levels than of slots"));
        };
        for (&rep, &def) in rep.iter().zip(def) {
            let shape = &mut self.layout.shape;
            if rep == 0 {
                shape.trace_starts.push(self.spans as u32);
                self.layout.resource_starts.push(shape.resources);
                self.layout.scope_starts.push(shape.scopes);
            }
            if rep <= RESOURCE && def >= RESOURCE {
                shape.resources += 1;
            }
            if rep <= SCOPE && def >= SCOPE {
                shape.scopes += 1;
            }
            let count = match is_counted {
                true if def == SCOPE => counts.next().unwrap_or(0),
                true => 0,
                false => i64::from(def == SPAN),
            };
            if count != 0 {
                self.spans(count)?;
            }
        }
        Ok(())
    }

    /// Spans of the scope that began last.
    fn spans(&mut self, count: i64) -> Result<(), Failed> {
        let wrong = Failed::Corrupt("a number of spans that is not possible");
        let Ok(count) = u64::try_from(count) else {
            return Err(wrong);
        };
        self.spans = self.spans.saturating_add(count);
        if self.spans > self.most {
            return Err(wrong);
        }
        if self.spans > self.room as u64 {
            return Err(Failed::TooMuch);
        }
        let Layout {
            shape,
            resource_starts,
            scope_starts,
        } = &mut self.layout;
        let of_trace = (resource_starts.last(), scope_starts.last());
        if of_trace.0 >= Some(&shape.resources) || of_trace.1 >= Some(&shape.scopes) {
            return Err(Failed::Corrupt("a span without a resource or scope"));
        }
        if count == 1 {
            shape.resource_of_span.push(shape.resources - 1);
            shape.scope_of_span.push(shape.scopes - 1);
            return Ok(());
        }
        let spans = self.spans as usize;
        shape.resource_of_span.resize(spans, shape.resources - 1);
        shape.scope_of_span.resize(spans, shape.scopes - 1);
        Ok(())
    }
}
