//! All leaves of a block, and how a trace becomes a row of them.

use vivace_block::Format;
use vivace_block::dedicated::{Assigned, Scope};
use vivace_block::nested::Nested;
use vivace_block::schema::{Column, Schema};
use vivace_model::TraceId;

use super::estimate::Estimate;
use super::resources::Resources;
use super::rows::{Root, RowFacts, Rows, ServiceStats};
use super::scopes::Scopes;
use super::slots::{Slots, columns_of};
use super::spans::Spans;
use crate::EncodeError;
use crate::column::{Finished, PageEnd};
use crate::pause::Pause;
use crate::pool::{Pool, Text};
use crate::trace::{Contexts, Gathered, Groups, Scalar, Source};

/// OTLP's status for errors.
const ERROR: i32 = 2;

/// A link with this attribute and value names a parent in the same trace: its span is no root.
const REFERENCE_TYPE: &str = "opentracing.ref_type";
const CHILD_OF: &str = "child_of";

/// Texts that the writer itself looks for.
#[derive(Clone, Copy)]
struct Names {
    reference_type: Text,
    child_of: Text,
}

pub(crate) struct Tables<'b> {
    rows: Rows,
    resources: Resources<'b>,
    scopes: Scopes,
    spans: Spans<'b>,
    names: Names,
    estimate: Estimate,
    stats: Vec<ServiceStats>,
}

/// A trace, ready to be a row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r, 'b> {
    pub(crate) id: TraceId,
    pub(crate) sources: &'r [Source<'b>],
    pub(crate) contexts: &'r Contexts<'b>,
    pub(crate) gathered: &'r Gathered,
    pub(crate) groups: &'r Groups,
    /// By place.
    pub(crate) nested: &'r [Nested],
    pub(crate) pool: &'r Pool<'b>,
}

/// Names of attributes that have leaves of their own, and others that the writer looks for. Numbered first, they get
/// the lowest numbers, so that one comparison tells most other keys apart.
pub(crate) struct Keys {
    columns: [Vec<(String, Column)>; 3],
}

impl Keys {
    pub(crate) fn new(format: Format, assigned: &[Assigned]) -> Self {
        Self {
            columns: Scope::ALL.map(|scope| columns_of(format, assigned, scope)),
        }
    }

    /// Numbers the names and returns that of `service.name`.
    pub(crate) fn number<'b>(&'b self, pool: &mut Pool<'b>) -> Text {
        for (name, _) in self.columns.iter().flatten() {
            pool.number(name);
        }
        pool.number(REFERENCE_TYPE);
        pool.number(CHILD_OF);
        pool.number(vivace_block::WellKnown::ServiceName.attribute())
    }
}

impl<'b> Tables<'b> {
    /// None: the schema lacks a leaf that every format has.
    pub(crate) fn new(
        format: Format,
        schema: &Schema,
        keys: &Keys,
        service_name: Text,
        pool: &Pool<'_>,
    ) -> Option<Self> {
        let slots = |scope: Scope| Slots::new(schema, &keys.columns[scope as usize], scope, pool);
        let estimate = Estimate::new(format);
        Some(Self {
            rows: Rows::new(schema)?,
            resources: Resources::new(schema, slots(Scope::Resource), service_name, estimate)?,
            scopes: Scopes::new(schema, estimate)?,
            spans: Spans::new(schema, slots(Scope::Span), slots(Scope::Event), estimate)?,
            names: Names {
                reference_type: pool.find(REFERENCE_TYPE),
                child_of: pool.find(CHILD_OF),
            },
            estimate,
            stats: Vec::new(),
        })
    }

    /// Adds a row. Returns its estimated bytes and its facts.
    pub(crate) async fn push<F: AsyncFn()>(
        &mut self,
        row: Row<'_, 'b>,
        pause: &mut Pause<F>,
    ) -> (u64, RowFacts) {
        let mut cost = self.estimate.row();
        let mut facts = RowFacts::default();
        self.stats.clear();
        let mut at = 0;
        let mut rep = 0;
        for of_resource in row.groups.groups.chunk_by(|a, b| a.rank == b.rank) {
            let resource = &row.contexts.resources[of_resource[0].resource as usize];
            let (of_this, service_name) = self.resources.push(resource, rep, row.pool);
            cost += of_this;
            let mut stats = ServiceStats {
                service_name,
                spans: 0,
                errors: 0,
            };
            for group in of_resource {
                let scope = &row.contexts.scopes[group.scope as usize];
                let alone = of_resource.len() == 1;
                cost += self.scopes.push(scope, group.spans, alone, rep, row.pool);
                for _ in 0..group.spans {
                    let place = row.groups.order[at];
                    let placed = &row.gathered.spans[place as usize];
                    let source = &row.sources[placed.batch as usize];
                    let nested = row.nested[place as usize];
                    cost += self.spans.push(source, placed, nested, rep, row.pool);
                    self.note(&row, source, place, resource.service_name, &mut facts);
                    let status = source.view.status_codes().get(placed.row as usize);
                    stats.errors += u32::from(status == ERROR);
                    at += 1;
                    rep = self.spans.max_rep();
                    pause.step().await;
                }
                stats.spans += group.spans;
                rep = self.scopes.max_rep();
            }
            self.stats.push(stats);
            rep = self.resources.max_rep();
        }
        self.sum_up_stats(row.pool);
        self.rows.push(row.id, &facts, &self.stats);
        (cost, facts)
    }

    /// Notes what the row says of the span.
    fn note(
        &self,
        row: &Row<'_, '_>,
        source: &Source<'_>,
        place: u32,
        service_name: Text,
        facts: &mut RowFacts,
    ) {
        let placed = &row.gathered.spans[place as usize];
        let (view, span) = (source.view, placed.row as usize);
        let end = placed.start.wrapping_add(view.duration_nanos().get(span));
        // 0 is no time.
        if facts.start == 0 || (placed.start != 0 && placed.start < facts.start) {
            facts.start = placed.start;
        }
        facts.end = facts.end.max(end);
        facts.last_start = facts.last_start.max(placed.start);
        let orphan = view.parent_span_ids().get(span) == [0; 8];
        // Of several roots the one that started first.
        let is_first = facts.root.as_ref().is_none_or(|root| place < root.place);
        if orphan && is_first && !self.is_child_by_link(row.id, source, span) {
            facts.root = Some(Root {
                place,
                service_name,
                name: source.numbers.get(view.names().get(span)),
            });
        }
    }

    fn is_child_by_link(&self, id: TraceId, source: &Source<'_>, span: usize) -> bool {
        source.links(span).any(|link| {
            source.view.link(link).trace_id() == id.0
                && source.link(link).collect().iter().any(|attribute| {
                    attribute.key == self.names.reference_type
                        && attribute.scalar == Scalar::Text(self.names.child_of)
                })
        })
    }

    /// One entry for each service, sorted by name.
    fn sum_up_stats(&mut self, pool: &Pool<'_>) {
        self.stats
            .sort_by(|a, b| pool.text(a.service_name).cmp(pool.text(b.service_name)));
        self.stats.dedup_by(|next, kept| {
            let same = next.service_name == kept.service_name;
            if same {
                kept.spans += next.spans;
                kept.errors += next.errors;
            }
            same
        });
    }

    /// Ends the pages that are full.
    pub(crate) async fn end_row<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.rows.end_row(end).await?;
        self.resources.end_row(end).await?;
        self.scopes.end_row(end).await?;
        self.spans.end_row(end).await
    }

    /// Ends all pages.
    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.rows.end_page(end).await?;
        self.resources.end_page(end).await?;
        self.scopes.end_page(end).await?;
        self.spans.end_page(end).await
    }

    /// Takes the chunks of the row group, in the order of the schema. The pages must be ended.
    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<Vec<Finished>, EncodeError> {
        let mut chunks = Vec::new();
        self.rows.take(end, &mut chunks).await?;
        self.resources.take(end, &mut chunks).await?;
        self.scopes.take(end, &mut chunks).await?;
        self.spans.take(end, &mut chunks).await?;
        chunks.sort_by_key(|chunk| chunk.leaf);
        Ok(chunks)
    }
}
