//! What a row has once, and its service statistics.

use vivace_block::schema::{Column, Schema};
use vivace_model::TraceId;

use crate::EncodeError;
use crate::column::{ByteArrays, Finished, Layout, Leaf, Levels, Numbers, PageEnd, Texts};
use crate::limits::{PAGE_ROWS, PAGE_SLOTS};
use crate::pool::Text;

/// What a trace has once.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowFacts {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The latest start; above `end` when spans end before they start.
    pub(crate) last_start: u64,
    pub(crate) root: Option<Root>,
}

/// The span that a trace is named after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    /// In the order of starts.
    pub(crate) place: u32,
    pub(crate) service_name: Text,
    pub(crate) name: Text,
}

/// Spans of one service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceStats {
    pub(crate) service_name: Text,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
}

pub(crate) struct Rows {
    levels: Levels,
    trace_id: Leaf<ByteArrays>,
    trace_id_text: Leaf<ByteArrays>,
    start: Leaf<Numbers<u64>>,
    end: Leaf<Numbers<u64>>,
    duration: Leaf<Numbers<u64>>,
    root_service_name: Leaf<Texts>,
    root_span_name: Leaf<Texts>,
    stats: Stats,
}

struct Stats {
    levels: Levels,
    service_name: Leaf<Texts>,
    spans: Leaf<Numbers<u32>>,
    errors: Leaf<Numbers<u32>>,
    rows: u32,
}

impl Rows {
    pub(crate) fn new(schema: &Schema) -> Option<Self> {
        let position = |column| schema.find(column).map(|(position, _)| position);
        let number = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Split)));
        let count = |column| Some(Leaf::new(position(column)?, Numbers::new(Layout::Split)));
        let (service_name, leaf) = schema.find(Column::StatsServiceName)?;
        Some(Self {
            levels: Levels::new(0, 0),
            trace_id: Leaf::new(position(Column::TraceId)?, ByteArrays::sharing_prefixes()),
            trace_id_text: Leaf::new(
                position(Column::TraceIdText)?,
                ByteArrays::sharing_prefixes(),
            ),
            start: number(Column::TraceStartUnixNano)?,
            end: number(Column::TraceEndUnixNano)?,
            duration: number(Column::TraceDurationNano)?,
            root_service_name: Leaf::new(position(Column::RootServiceName)?, Texts::new()),
            root_span_name: Leaf::new(position(Column::RootSpanName)?, Texts::new()),
            stats: Stats {
                levels: Levels::new(leaf.max_rep, leaf.max_def),
                service_name: Leaf::new(service_name, Texts::new()),
                spans: count(Column::StatsSpanCount)?,
                errors: count(Column::StatsErrorCount)?,
                rows: 0,
            },
        })
    }

    pub(crate) fn push(&mut self, id: TraceId, facts: &RowFacts, stats: &[ServiceStats]) {
        self.levels.push(0, 0);
        self.trace_id.values.push(&id.0);
        let text = hex(id);
        let zeros = text.iter().take_while(|digit| **digit == b'0').count();
        self.trace_id_text.values.push(&text[zeros..]);
        self.start.values.push(facts.start);
        self.end.values.push(facts.end);
        self.duration
            .values
            .push(facts.end.wrapping_sub(facts.start));
        let (service, name) = (facts.root).map_or((Text::EMPTY, Text::EMPTY), |root| {
            (root.service_name, root.name)
        });
        self.root_service_name.values.push(service);
        self.root_span_name.values.push(name);
        let mut rep = 0;
        for one in stats {
            self.stats.levels.push(rep, self.stats.levels.max_def);
            self.stats.service_name.values.push(one.service_name);
            self.stats.spans.values.push(one.spans);
            self.stats.errors.values.push(one.errors);
            rep = self.stats.levels.max_rep;
        }
    }

    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        if self.levels.len() >= PAGE_ROWS {
            self.end_own_page(end).await?;
        }
        self.stats.rows += 1;
        if self.stats.levels.len() >= PAGE_SLOTS {
            self.stats.end_page(end).await?;
        }
        Ok(())
    }

    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.end_own_page(end).await?;
        self.stats.end_page(end).await
    }

    async fn end_own_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        if self.levels.len() == 0 {
            return Ok(());
        }
        end.rows = self.levels.len() as u32;
        let levels = &mut self.levels;
        for leaf in [&mut self.trace_id, &mut self.trace_id_text] {
            leaf.end_page(levels, end).await?;
        }
        for leaf in [&mut self.start, &mut self.end, &mut self.duration] {
            leaf.end_page(levels, end).await?;
        }
        for leaf in [&mut self.root_service_name, &mut self.root_span_name] {
            leaf.end_page(levels, end).await?;
        }
        self.levels.clear();
        Ok(())
    }

    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
        out: &mut Vec<Finished>,
    ) -> Result<(), EncodeError> {
        for leaf in [&mut self.trace_id, &mut self.trace_id_text] {
            out.push(leaf.take(end).await?);
        }
        for leaf in [&mut self.start, &mut self.end, &mut self.duration] {
            out.push(leaf.take(end).await?);
        }
        for leaf in [
            &mut self.root_service_name,
            &mut self.root_span_name,
            &mut self.stats.service_name,
        ] {
            out.push(leaf.take(end).await?);
        }
        for leaf in [&mut self.stats.spans, &mut self.stats.errors] {
            out.push(leaf.take(end).await?);
        }
        Ok(())
    }
}

/// Lower-case digits.
fn hex(id: TraceId) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id.0) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if half < 10 {
                b'0' + half
            } else {
                b'a' - 10 + half
            };
        }
    }
    digits
}

impl Stats {
    async fn end_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        if self.rows == 0 {
            return Ok(());
        }
        end.rows = std::mem::take(&mut self.rows);
        self.service_name.end_page(&mut self.levels, end).await?;
        for leaf in [&mut self.spans, &mut self.errors] {
            leaf.end_page(&mut self.levels, end).await?;
        }
        self.levels.clear();
        Ok(())
    }
}
