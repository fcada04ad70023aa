//! The rows that a filter is evaluated on.

use vivace_columns::{Bitmap, Level, Members, Shape};

const NOBODY: u32 = u32::MAX;

/// Spans, or for filters that look at events or links, each event and link of each span: all terms of a filter must hold for one and
/// the same of them (traceql.md §5.3 R5). A span without events has one row all the same, on which its events have no values.
pub struct Domain {
    rows: u32,
    /// None: row = span.
    span_of_row: Option<Vec<u32>>,
    event_of_row: Option<Vec<u32>>,
    link_of_row: Option<Vec<u32>>,
}

impl Domain {
    pub fn spans(shape: &Shape) -> Self {
        Self {
            rows: shape.spans(),
            span_of_row: None,
            event_of_row: None,
            link_of_row: None,
        }
    }

    /// The events and links of some spans.
    pub fn members(among: &Bitmap, events: Option<&Members>, links: Option<&Members>) -> Self {
        let mut spans = Vec::new();
        let (mut of_event, mut of_link) = (Vec::new(), Vec::new());
        let range_of = |members: Option<&Members>, span| {
            let range = members.map_or(0..0, |members| members.of_span(span));
            match range.is_empty() {
                true => NOBODY..NOBODY,
                false => range,
            }
        };
        let or_nobody = |range: std::ops::Range<u32>| match range.is_empty() {
            true => NOBODY..=NOBODY,
            false => range.start..=range.end - 1,
        };
        for span in among.iter() {
            for event in or_nobody(range_of(events, span)) {
                for link in or_nobody(range_of(links, span)) {
                    spans.push(span);
                    of_event.push(event);
                    of_link.push(link);
                }
            }
        }
        Self {
            rows: spans.len() as u32,
            span_of_row: Some(spans),
            event_of_row: events.is_some().then_some(of_event),
            link_of_row: links.is_some().then_some(of_link),
        }
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    #[inline]
    pub fn span(&self, row: u32) -> u32 {
        match &self.span_of_row {
            None => row,
            Some(spans) => spans.get(row as usize).copied().unwrap_or(NOBODY),
        }
    }

    /// Whether rows are events, and links.
    pub fn has_members(&self) -> (bool, bool) {
        (self.event_of_row.is_some(), self.link_of_row.is_some())
    }

    pub fn event(&self, row: u32) -> Option<u32> {
        let events = self.event_of_row.as_ref()?;
        events
            .get(row as usize)
            .copied()
            .filter(|&event| event != NOBODY)
    }

    pub fn link(&self, row: u32) -> Option<u32> {
        let links = self.link_of_row.as_ref()?;
        links
            .get(row as usize)
            .copied()
            .filter(|&link| link != NOBODY)
    }

    /// The owner of a level; none for events and links of a span without them. `trace_of_span` is asked for traces only.
    #[inline]
    pub fn owner(
        &self,
        shape: &Shape,
        trace_of_span: &[u32],
        level: Level,
        row: u32,
    ) -> Option<u32> {
        let span = self.span(row) as usize;
        match level {
            Level::Span => Some(self.span(row)),
            Level::Trace => trace_of_span.get(span).copied(),
            Level::Resource => shape.resource_of_span.get(span).copied(),
            Level::Scope => shape.scope_of_span.get(span).copied(),
            Level::Event => self.event(row),
            Level::Link => self.link(row),
        }
    }

    /// Rows whose owner is in a set.
    pub fn broadcast(&self, shape: &Shape, level: Level, owners: &Bitmap) -> Bitmap {
        if owners.is_empty() {
            return Bitmap::empty(self.rows);
        }
        let through = |of_span: &[u32]| {
            Bitmap::from_fn(self.rows, |row| {
                let owner = of_span.get(self.span(row) as usize);
                owner.is_some_and(|&owner| owners.contains(owner))
            })
        };
        match level {
            Level::Span if self.span_of_row.is_none() => owners.clone(),
            Level::Span => Bitmap::from_fn(self.rows, |row| owners.contains(self.span(row))),
            Level::Resource => through(&shape.resource_of_span),
            Level::Scope => through(&shape.scope_of_span),
            Level::Trace if self.span_of_row.is_none() => {
                let mut rows = Bitmap::empty(self.rows);
                for trace in owners.iter() {
                    rows.insert_range(shape.spans_of(trace));
                }
                rows
            }
            Level::Trace => through(&shape.trace_of_span()),
            Level::Event => Bitmap::from_fn(self.rows, |row| {
                self.event(row).is_some_and(|event| owners.contains(event))
            }),
            Level::Link => Bitmap::from_fn(self.rows, |row| {
                self.link(row).is_some_and(|link| owners.contains(link))
            }),
        }
    }
}
