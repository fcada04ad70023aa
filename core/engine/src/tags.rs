//! Names and values of tags in a chunk (traceql.md §8).

use std::collections::{BTreeSet, HashSet};

use vivace_block::WellKnown;
use vivace_columns::{Bitmap, CellKind, Cells, Chunk, Column, Level, Members};
use vivace_traceql::{BinaryOp, Condition, Expr, Field, Static};

use crate::error::{EngineError, PlanError};
use crate::filter::{Compiler, Filter, Passing, passing};
use crate::keep::{Keep, traces_of};
use crate::value::Val;

/// Cells or attributes between two pauses.
const CELLS_PER_PAUSE: usize = 50_000;

/// A value of a tag: its type (`string`, `int`, `float`, `bool`, `duration`, `keyword`) and its text.
pub type Tag = (&'static str, Box<str>);

/// What was found, nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundTags {
    pub names: BTreeSet<(Level, Box<str>)>,
    pub values: BTreeSet<Tag>,
}

impl FoundTags {
    /// Bytes of all texts.
    pub fn bytes(&self) -> usize {
        let names = self.names.iter().map(|(_, name)| name.len());
        let values = self.values.iter().map(|(_, value)| value.len());
        names.chain(values).sum()
    }
}

/// Groups of conditions as filters: a span passes if it passes any of them.
pub fn tag_filters(groups: &[Vec<Condition>]) -> Result<Vec<Filter>, PlanError> {
    let compiler = Compiler::default();
    let filter = |group: &Vec<Condition>| {
        let all = group
            .iter()
            .map(expr_of)
            .reduce(|left, right| Expr::Binary {
                op: BinaryOp::And,
                left: Box::new(left),
                right: Box::new(right),
            });
        compiler.filter(&all.unwrap_or(Expr::Static(Static::Bool(true))))
    };
    groups.iter().map(filter).collect()
}

fn expr_of(condition: &Condition) -> Expr {
    let field = |field: &Field| Box::new(Expr::Field(field.clone()));
    match condition {
        Condition::Compare {
            field: of,
            op,
            value,
        } => Expr::Binary {
            op: BinaryOp::Compare(*op),
            left: field(of),
            right: Box::new(Expr::Static(value.clone())),
        },
        Condition::Exists(of) => Expr::Exists(field(of)),
        Condition::NotExists(of) => Expr::NotExists(field(of)),
    }
}

/// What passes any filter.
struct Chosen {
    spans: Bitmap,
    /// Of each filter.
    events: Vec<Met>,
    links: Vec<Met>,
}

/// Events or links that count.
enum Met {
    /// All of these spans.
    AllOf(Bitmap),
    /// Those that met the filter.
    Only(Vec<u32>),
}

/// Spans that pass any filter, with their events and links; None: all.
async fn chosen<C: Chunk>(
    chunk: &mut C,
    filters: Option<&[Filter]>,
    pause: &impl AsyncFn(),
) -> Result<Option<Chosen>, EngineError<C::Error>> {
    let Some(filters) = filters else {
        return Ok(None);
    };
    let all = Bitmap::full(chunk.shape().spans());
    let mut any = Chosen {
        spans: Bitmap::empty(all.len()),
        events: Vec::new(),
        links: Vec::new(),
    };
    let mut keep = Keep::all();
    for filter in filters {
        let (domain, rows) = match passing(filter, chunk, &all, &mut keep, pause).await? {
            Passing::Members(domain, rows) => (domain, rows),
            Passing::Spans(spans) => {
                any.spans.or(&spans);
                any.events.push(Met::AllOf(spans.clone()));
                any.links.push(Met::AllOf(spans));
                continue;
            }
        };
        let mut spans = Bitmap::empty(all.len());
        for row in rows.iter() {
            spans.insert(domain.span(row));
        }
        any.spans.or(&spans);
        let (events, links) = domain.has_members();
        any.events.push(match events {
            true => Met::Only(rows.iter().filter_map(|row| domain.event(row)).collect()),
            false => Met::AllOf(spans.clone()),
        });
        any.links.push(match links {
            true => Met::Only(rows.iter().filter_map(|row| domain.link(row)).collect()),
            false => Met::AllOf(spans),
        });
    }
    Ok(Some(any))
}

/// Owners of a level that belong to chosen spans.
fn owners<C: Chunk>(chunk: &C, level: Level, chosen: &Chosen) -> Bitmap {
    let shape = chunk.shape();
    let through = |of_span: &[u32], count: u32| {
        let mut owners = Bitmap::empty(count);
        for span in chosen.spans.iter() {
            if let Some(&owner) = of_span.get(span as usize) {
                owners.insert(owner);
            }
        }
        owners
    };
    let of_members = |members: Option<&Members>, met: &[Met]| {
        let mut owners = Bitmap::empty(members.map_or(0, Members::count));
        for met in met {
            match (met, members) {
                (Met::Only(met), Some(_)) => met.iter().for_each(|&one| owners.insert(one)),
                (Met::AllOf(spans), Some(members)) => {
                    for span in spans.iter() {
                        owners.insert_range(members.of_span(span));
                    }
                }
                (_, None) => {}
            }
        }
        owners
    };
    match level {
        Level::Trace => traces_of(shape, &chosen.spans),
        Level::Span => chosen.spans.clone(),
        Level::Resource => through(&shape.resource_of_span, shape.resources),
        Level::Scope => through(&shape.scope_of_span, shape.scopes),
        Level::Event => of_members(chunk.events(), &chosen.events),
        Level::Link => of_members(chunk.links(), &chosen.links),
    }
}

async fn load_members<C: Chunk>(chunk: &mut C, level: Level) -> Result<(), EngineError<C::Error>> {
    match level {
        Level::Event => chunk.load_events().await.map_err(EngineError::Load),
        Level::Link => chunk.load_links().await.map_err(EngineError::Load),
        _ => Ok(()),
    }
}

/// Adds the names of attributes of some levels, of spans that pass the filters.
pub async fn tag_names<C: Chunk>(
    chunk: &mut C,
    levels: &[Level],
    filters: Option<&[Filter]>,
    found: &mut FoundTags,
    pause: &impl AsyncFn(),
) -> Result<(), EngineError<C::Error>> {
    let Some(chosen) = chosen(chunk, filters, pause).await? else {
        for &level in levels {
            let keys = chunk.keys(level).await.map_err(EngineError::Load)?;
            found.names.extend(keys.into_iter().map(|key| (level, key)));
            pause().await;
        }
        return Ok(());
    };
    if chosen.spans.is_empty() {
        return Ok(());
    }
    for &level in levels {
        load_members(chunk, level).await?;
        chunk.load_table(level).await.map_err(EngineError::Load)?;
        let named = chunk.named(level);
        let columns: Vec<Column> = named.iter().flat_map(Column::of_field).collect();
        let loaded = chunk.load(&columns, None).await;
        loaded.map_err(EngineError::Load)?;
        let owners = owners(&*chunk, level, &chosen);
        for (field, column) in named.iter().zip(&columns) {
            let has = |cells: &Cells| owners.iter().any(|owner| is_there(column, cells, owner));
            if chunk.cells(column).is_some_and(has) {
                found.names.insert((level, field.bare_key().into()));
            }
        }
        // The attributes that blocks have always had columns for are told wherever they occur, filtered or not (traceql.md §8.2).
        let keys = chunk.keys(level).await.map_err(EngineError::Load)?;
        let well_known = keys.into_iter().filter(|key| is_well_known(level, key));
        found.names.extend(well_known.map(|key| (level, key)));
        let Some(table) = chunk.table(level) else {
            continue;
        };
        let mut seen = HashSet::new();
        for (number, (owner, key)) in table.owners.iter().zip(&table.keys).enumerate() {
            if owners.contains(*owner) && seen.insert(*key) {
                let name = String::from_utf8_lossy(table.key_strings.get((*key).into()));
                found.names.insert((level, name.into()));
            }
            if number % CELLS_PER_PAUSE == CELLS_PER_PAUSE - 1 {
                pause().await;
            }
        }
    }
    Ok(())
}

fn is_well_known(level: Level, key: &str) -> bool {
    let of_level: &[WellKnown] = match level {
        Level::Resource => &WellKnown::OF_RESOURCE,
        Level::Span => &WellKnown::OF_SPAN,
        _ => &[],
    };
    of_level.iter().any(|known| known.attribute() == key)
}

/// A service name that is missing reads as empty; that is no tag.
fn is_there(column: &Column, cells: &Cells, owner: u32) -> bool {
    let (kind, bits) = cells.get(owner);
    match (kind, column) {
        (CellKind::Nil, _) => false,
        (CellKind::String, Column::Attribute(Level::Resource, key))
            if **key == *WellKnown::ServiceName.attribute() =>
        {
            !cells.strings.get(bits).is_empty()
        }
        _ => true,
    }
}

/// Adds the values of a field on spans that pass the filters.
pub async fn tag_values<C: Chunk>(
    chunk: &mut C,
    field: &Field,
    filters: Option<&[Filter]>,
    found: &mut FoundTags,
    pause: &impl AsyncFn(),
) -> Result<(), EngineError<C::Error>> {
    let chosen = chosen(chunk, filters, pause).await?;
    if chosen
        .as_ref()
        .is_some_and(|chosen| chosen.spans.is_empty())
    {
        return Ok(());
    }
    let columns = Column::of_field(field);
    for column in &columns {
        // A filter may have loaded the column for every trace already.
        let loaded = chunk.load(std::slice::from_ref(column), None);
        loaded.await.map_err(EngineError::Load)?;
        let owners = match &chosen {
            None => None,
            Some(chosen) => {
                load_members(chunk, column.level()).await?;
                Some(owners(&*chunk, column.level(), chosen))
            }
        };
        if let Some(cells) = chunk.cells(column) {
            distinct(cells, owners.as_ref(), found, pause).await;
        }
    }
    Ok(())
}

async fn distinct(
    cells: &Cells,
    owners: Option<&Bitmap>,
    found: &mut FoundTags,
    pause: &impl AsyncFn(),
) {
    let mut seen = HashSet::new();
    for (cell, &bits) in cells.bits.iter().enumerate() {
        if cell % CELLS_PER_PAUSE == CELLS_PER_PAUSE - 1 {
            pause().await;
        }
        if owners.is_some_and(|owners| !owners.contains(cells.owner(cell))) {
            continue;
        }
        let kind = cells.kind(cell);
        if !seen.insert((kind as u8, bits)) {
            continue;
        }
        match Val::of_cell(cells, kind, bits) {
            Val::Array(array) => {
                for element in array.iter() {
                    found.values.extend(tag_of(element));
                }
            }
            value => found.values.extend(tag_of(value)),
        }
    }
}

fn tag_of(value: Val<'_>) -> Option<Tag> {
    let kind = match value {
        Val::Nil | Val::Failed | Val::Array(_) => return None,
        Val::Int(_) => "int",
        Val::Float(_) => "float",
        Val::Text(_) | Val::SpanId(_) => "string",
        Val::Bool(_) => "bool",
        Val::Duration(_) => "duration",
        Val::Status(_) | Val::Kind(_) => "keyword",
    };
    Some((kind, value.to_static().text().into()))
}
