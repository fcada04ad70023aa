//! Counts the attributes of a chunk's spans for `compare`.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use thiserror::Error;
use vivace_columns::{
    AttributeTable, Bitmap, CellKind, Cells, Chunk, Column, Level, Selection, Shape, ValueAt,
};
use vivace_traceql::{Field, Intrinsic, MetricsFunction, Scope};

use crate::accumulate::{Count, Reading, Room};
use crate::compare::{Comparison, Sides};
use crate::cursor::Place;
use crate::group::{FieldCodes, NO_VALUE};
use crate::labels::{field_name, label_value};
use crate::limits::PAUSE_EVERY;
use crate::observe::{Examples, ObserveError, Walk};
use crate::partials::Partials;
use crate::plan::MetricsPlan;
use crate::weights::Weights;

/// Built-in fields that are compared.
const INTRINSICS: [Intrinsic; 7] = [
    Intrinsic::Name,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::Kind,
    Intrinsic::ChildCount,
    Intrinsic::TraceRootName,
    Intrinsic::TraceRootService,
];
/// Levels whose attributes are compared.
const LEVELS: [Level; 3] = [Level::Span, Level::Resource, Level::Scope];
const UNKNOWN: u32 = u32::MAX;
const IGNORED: u32 = u32::MAX - 1;

/// Why a chunk could not be compared.
#[derive(Debug, Error)]
pub enum CompareError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error("can't read spans to compare: {0}")]
    Chunk(#[source] E),
}

/// A span that counts.
struct Counted {
    place: Place,
    interval: u32,
    side: usize,
    weight: f64,
}

impl MetricsPlan {
    /// Adds the spans of a chunk to the partial results of a `compare`. `all` are those that the leaf's pipeline selects; `selected`
    /// those of them for which `MetricsLeaf::compare_filter` is true, the function's window not looked at. Loads what it needs.
    #[allow(
        clippy::too_many_arguments,
        reason = "as `observe`, with one set of spans more"
    )]
    pub async fn observe_compare<C: Chunk>(
        &self,
        leaf_index: usize,
        partials: &mut Partials,
        chunk: &mut C,
        all: &Selection,
        selected: &Bitmap,
        factor: f64,
        pause: &impl AsyncFn(),
    ) -> Result<(), CompareError<C::Error>> {
        let wrong = ObserveError::NoLeaf { leaf: leaf_index };
        let leaf = self.leaves().get(leaf_index).ok_or(wrong.clone())?;
        let MetricsFunction::Compare { start, end, .. } = *leaf.function() else {
            return Err(ObserveError::WrongFunction { leaf: leaf_index }.into());
        };
        let room = &mut partials.room;
        let part = partials.leaves.get_mut(leaf_index).ok_or(wrong)?;
        if leaf.is_trivially_false() || all.spans.is_empty() {
            return Ok(());
        }
        let fields = load(chunk, leaf.columns(), &all.spans, leaf.needs_trace_ids()).await?;
        let chunk = &*chunk;
        let is_in_window = |unix_nano: u64| {
            let bound = |bound: i64| u64::try_from(bound).unwrap_or(0);
            (start == 0 && end == 0) || (unix_nano > bound(start) && unix_nano <= bound(end))
        };

        let mut walk = Walk::new(self, chunk)?;
        let mut weights = Weights::new(chunk, leaf.extrapolates, factor)?;
        let mut examples = Examples::new(chunk, leaf)?;
        let mut counted = Vec::new();
        for (number, span) in all.spans.iter().enumerate() {
            if number % PAUSE_EVERY == PAUSE_EVERY - 1 {
                pause().await;
            }
            if let Some(seen) = walk.visit(span) {
                let side = usize::from(selected.contains(span) && is_in_window(seen.unix_nano));
                if examples.is_on {
                    let of = (side as u32, Reading::Span, f64::NAN);
                    examples.offer(&mut part.exemplars, seen, all, of);
                }
                counted.push(Counted {
                    place: seen.place,
                    interval: seen.interval,
                    side,
                    weight: weights.of(span),
                });
            }
        }

        let shared = Shared::new(chunk.shape(), &counted);
        let mut counting = Counting {
            shared: &shared,
            all,
            counted: &counted,
            comparison: &mut part.comparison,
            room,
            fits: true,
        };
        for field in &fields {
            match Column::of_field(field).first().map(Column::level) {
                Some(level @ (Level::Resource | Level::Scope)) => {
                    counting.shared_field(chunk, field, level)?;
                }
                _ => counting.field(chunk, field, pause).await?,
            }
        }
        for level in LEVELS {
            if let Some(table) = chunk.table(level) {
                counting.table(table, pause).await;
            }
        }
        part.is_cut |= !counting.fits;
        part.comparison.prune(room);
        Ok(())
    }
}

/// Loads all that is compared; gives the fields that have columns.
async fn load<C: Chunk>(
    chunk: &mut C,
    mut columns: Vec<Column>,
    spans: &Bitmap,
    with_ids: bool,
) -> Result<Vec<Field>, CompareError<C::Error>> {
    let mut fields: Vec<Field> = INTRINSICS.into_iter().map(Field::Intrinsic).collect();
    fields.extend(LEVELS.into_iter().flat_map(|level| chunk.named(level)));
    columns.extend(fields.iter().flat_map(Column::of_field));
    let shape = chunk.shape();
    let traces = Bitmap::from_fn(shape.traces(), |trace| spans.any_of(shape.spans_of(trace)));
    let failed = CompareError::Chunk;
    chunk.load(&columns, Some(&traces)).await.map_err(failed)?;
    for level in LEVELS {
        chunk.load_table(level).await.map_err(failed)?;
    }
    if with_ids {
        chunk.load_trace_ids().await.map_err(failed)?;
    }
    Ok(fields)
}

/// Spans that count, by resource and by scope; None where there are none.
struct Shared {
    resources: Vec<Option<Box<Sides>>>,
    scopes: Vec<Option<Box<Sides>>>,
}

impl Shared {
    fn new(shape: &Shape, counted: &[Counted]) -> Self {
        // At most as many values as spans and intervals of the chunk: gone when the chunk is counted.
        let mut room = Room::default();
        let mut by_owner = |owners: u32, of_span: &[u32]| {
            let mut all = vec![None; owners as usize];
            for span in counted {
                let owner = of_span.get(span.place.span as usize);
                if let Some(sides) = owner.and_then(|&owner| all.get_mut(owner as usize)) {
                    let sides: &mut Box<Sides> = sides.get_or_insert_default();
                    sides[span.side].add(span.interval, Count(span.weight), &mut room);
                }
            }
            all
        };
        Self {
            resources: by_owner(shape.resources, &shape.resource_of_span),
            scopes: by_owner(shape.scopes, &shape.scope_of_span),
        }
    }

    fn of(&self, level: Level) -> &[Option<Box<Sides>>] {
        match level {
            Level::Scope => &self.scopes,
            _ => &self.resources,
        }
    }
}

struct Counting<'a> {
    shared: &'a Shared,
    all: &'a Selection,
    counted: &'a [Counted],
    comparison: &'a mut Comparison,
    room: &'a mut Room,
    /// Everything had room.
    fits: bool,
}

impl Counting<'_> {
    /// A field that is looked up span by span.
    async fn field<C: Chunk>(
        &mut self,
        chunk: &C,
        field: &Field,
        pause: &impl AsyncFn(),
    ) -> Result<(), ObserveError> {
        let mut codes = FieldCodes::new(chunk, field)?;
        let Some(attribute) = self.comparison.attribute(&field_name(field)) else {
            return Ok(());
        };
        // By code.
        let mut values: Vec<u32> = Vec::new();
        for (number, span) in self.counted.iter().enumerate() {
            if number % PAUSE_EVERY == PAUSE_EVERY - 1 {
                pause().await;
            }
            let code = codes.code(span.place, self.all);
            if code == NO_VALUE {
                continue;
            }
            if codes.len() > values.len() {
                for code in values.len()..codes.len() {
                    let value = match code as u32 {
                        NO_VALUE => UNKNOWN,
                        code => self.comparison.value(attribute, codes.value(code).clone()),
                    };
                    values.push(value);
                }
            }
            let value = values.get(code as usize).copied().unwrap_or(UNKNOWN);
            let at = (span.interval, span.weight);
            let fits = self
                .comparison
                .add((attribute, value), span.side, at, self.room);
            self.fits &= fits;
        }
        Ok(())
    }

    /// A field of a level whose owners many spans share.
    fn shared_field<C: Chunk>(
        &mut self,
        chunk: &C,
        field: &Field,
        level: Level,
    ) -> Result<(), ObserveError> {
        let mut codes = FieldCodes::new(chunk, field)?;
        let Some(attribute) = self.comparison.attribute(&field_name(field)) else {
            return Ok(());
        };
        for (owner, sides) in (0..).zip(self.shared.of(level)) {
            let Some(sides) = sides else {
                continue;
            };
            let code = codes.code_of_owner(0, owner);
            if code != NO_VALUE {
                let value = self.comparison.value(attribute, codes.value(code).clone());
                let of = (attribute, value);
                self.fits &= self.comparison.add_all(of, sides, self.room);
            }
        }
        Ok(())
    }

    /// Attributes without columns.
    async fn table(&mut self, table: &AttributeTable, pause: &impl AsyncFn()) {
        let mut rows = TableRows::new(table);
        match table.level {
            Level::Span => self.span_table(table, &mut rows, pause).await,
            level => {
                let sides = self.shared.of(level);
                for (row, &owner) in table.owners.iter().enumerate() {
                    if row % PAUSE_EVERY == PAUSE_EVERY - 1 {
                        pause().await;
                    }
                    if let Some(Some(sides)) = sides.get(owner as usize)
                        && let Some(of) = rows.find(row, self.comparison)
                    {
                        self.fits &= self.comparison.add_all(of, sides, self.room);
                    }
                }
            }
        }
    }

    async fn span_table(
        &mut self,
        table: &AttributeTable,
        rows: &mut TableRows<'_>,
        pause: &impl AsyncFn(),
    ) {
        let (mut row, mut until_pause) = (0, PAUSE_EVERY);
        for span in self.counted {
            let owner = span.place.span;
            row += table.owners[row..].partition_point_near(owner);
            while table.owners.get(row) == Some(&owner) {
                if let Some(of) = rows.find(row, self.comparison) {
                    let at = (span.interval, span.weight);
                    self.fits &= self.comparison.add(of, span.side, at, self.room);
                }
                row += 1;
                until_pause -= 1;
                if until_pause == 0 {
                    pause().await;
                    until_pause = PAUSE_EVERY;
                }
            }
        }
    }
}

/// How many of ascending numbers are below one that is probably near.
trait PartitionPointNear {
    fn partition_point_near(&self, number: u32) -> usize;
}

impl PartitionPointNear for [u32] {
    fn partition_point_near(&self, number: u32) -> usize {
        const NEAR: usize = 16;
        let near = self.iter().take(NEAR).position(|&other| other >= number);
        near.unwrap_or_else(|| self.partition_point(|&other| other < number))
    }
}

/// Attributes and values of a table by the numbers that a `Comparison` has for them.
struct TableRows<'c> {
    table: &'c AttributeTable,
    scope: Scope,
    /// Strings of the values, for `ValueAt`.
    cells: Cells,
    /// By number of the key.
    attributes: Vec<u32>,
    /// By attribute, owner that had it last, plus 1: of several with one key the first counts.
    last_owners: Vec<u32>,
    by_bits: HashMap<(u32, CellKind, u64), u32, RandomState>,
    by_text: HashMap<(u32, Box<[u8]>), u32, RandomState>,
}

impl<'c> TableRows<'c> {
    fn new(table: &'c AttributeTable) -> Self {
        let mut cells = Cells::nil(table.level, 0);
        cells.strings = table.strings.clone();
        Self {
            table,
            scope: match table.level {
                Level::Resource => Scope::Resource,
                Level::Scope => Scope::Instrumentation,
                _ => Scope::Span,
            },
            cells,
            attributes: vec![UNKNOWN; table.key_strings.len()],
            last_owners: Vec::new(),
            by_bits: HashMap::default(),
            by_text: HashMap::default(),
        }
    }

    /// Attribute and value of a row; None if it does not count.
    fn find(&mut self, row: usize, comparison: &mut Comparison) -> Option<(u32, u32)> {
        let table = self.table;
        let key = *table.keys.get(row)? as usize;
        let mut attribute = *self.attributes.get(key)?;
        if attribute == UNKNOWN {
            let text = String::from_utf8_lossy(table.key_strings.get(key as u64));
            let name: Arc<str> = field_name(&Field::attribute(self.scope, &text));
            attribute = comparison.attribute(&name).unwrap_or(IGNORED);
            self.attributes[key] = attribute;
        }
        if attribute == IGNORED {
            return None;
        }
        let owner = *table.owners.get(row)?;
        if self.last_owners.len() <= attribute as usize {
            self.last_owners.resize(attribute as usize + 1, 0);
        }
        let last_owner = &mut self.last_owners[attribute as usize];
        if *last_owner == owner + 1 {
            return None;
        }
        *last_owner = owner + 1;
        let (kind, bits) = (*table.kinds.get(row)?, *table.bits.get(row)?);
        let code = match kind {
            CellKind::Nil => return None,
            CellKind::String if !table.strings.is_dictionary() => {
                let text = (attribute, table.strings.get(bits).into());
                self.by_text.entry(text).or_insert(UNKNOWN)
            }
            // All lists have one label value.
            CellKind::StringArray
            | CellKind::IntArray
            | CellKind::FloatArray
            | CellKind::BoolArray => {
                let list = (attribute, CellKind::StringArray, 0);
                self.by_bits.entry(list).or_insert(UNKNOWN)
            }
            _ => self
                .by_bits
                .entry((attribute, kind, bits))
                .or_insert(UNKNOWN),
        };
        if *code == UNKNOWN {
            let cells = Some(&self.cells);
            let value = label_value(ValueAt { kind, bits, cells }.to_static());
            *code = comparison.value(attribute, value);
        }
        Some((attribute, *code))
    }
}
