//! Filters over chunks.

use std::future::Future;
use std::pin::Pin;

use vivace_columns::{Bitmap, Cells, Chunk, Column, Level, Selection};
use vivace_traceql::{Compare, Field};

use super::compile::{Filter, Needs, Node};
use super::condition::{Literal, Test, present};
use super::domain::Domain;
use super::general::{General, Rows};
use super::truth::Truth;
use crate::error::EngineError;
use crate::keep::Keep;
use crate::value::Val;

/// Rows of a general expression between two pauses.
const ROWS_PER_PAUSE: usize = 2048;

/// Dictionaries of at most this many strings are searched with a regular expression before the column is read.
const REGEX_AHEAD: usize = 4096;

/// Rows of a filter for which it holds.
pub enum Passing {
    Spans(Bitmap),
    /// The filter looks at events or links.
    Members(Domain, Bitmap),
}

/// Spans of `among` for which the filter holds.
pub async fn select<C: Chunk>(
    filter: &Filter,
    chunk: &mut C,
    among: &Bitmap,
    keep: &mut Keep,
    pause: &impl AsyncFn(),
) -> Result<Selection, EngineError<C::Error>> {
    let (domain, rows) = match passing(filter, chunk, among, keep, pause).await? {
        Passing::Spans(spans) => return Ok(Selection::of(spans)),
        Passing::Members(domain, rows) => (domain, rows),
    };
    let mut selection = Selection::of(Bitmap::empty(chunk.shape().spans()));
    for row in rows.iter() {
        let span = domain.span(row);
        selection.spans.insert(span);
        if let Some(event) = domain.event(row) {
            selection.event_of_span.entry(span).or_insert(event);
            selection.last_event_of_span.insert(span, event);
        }
        if let Some(link) = domain.link(row) {
            selection.link_of_span.entry(span).or_insert(link);
            selection.last_link_of_span.insert(span, link);
        }
    }
    Ok(selection)
}

/// Rows of spans of `among` for which the filter holds. Loads columns only while there is something left to decide.
pub async fn passing<C: Chunk>(
    filter: &Filter,
    chunk: &mut C,
    among: &Bitmap,
    keep: &mut Keep,
    pause: &impl AsyncFn(),
) -> Result<Passing, EngineError<C::Error>> {
    let mut left = among.clone();
    let mut of_members: Vec<&Node> = Vec::new();
    let mut needs = Needs::default();
    for term in &filter.terms {
        if left.is_empty() {
            return Ok(Passing::Spans(left));
        }
        let of_term = term.needs();
        if of_term.members() {
            needs = needs.or(of_term);
            of_members.push(term);
            continue;
        }
        let domain = Domain::spans(chunk.shape());
        let truth = evaluate(term, chunk, &domain, &left, keep, false, pause).await?;
        left.and(&truth.yes);
        keep.narrow(chunk.shape(), &left);
        pause().await;
    }
    if of_members.is_empty() || left.is_empty() {
        return Ok(Passing::Spans(left));
    }
    if needs.events {
        chunk.load_events().await.map_err(EngineError::Load)?;
    }
    if needs.links {
        chunk.load_links().await.map_err(EngineError::Load)?;
    }
    let events = chunk.events().filter(|_| needs.events);
    let links = chunk.links().filter(|_| needs.links);
    let domain = Domain::members(&left, events, links);
    let mut rows = Bitmap::full(domain.rows());
    for term in of_members {
        if rows.is_empty() {
            break;
        }
        let truth = evaluate(term, chunk, &domain, &rows, keep, false, pause).await?;
        rows.and(&truth.yes);
        pause().await;
    }
    Ok(Passing::Members(domain, rows))
}

/// A future of this thread.
type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The truth of a node for the rows of `among`; of other rows it says nothing.
fn evaluate<'a, C: Chunk>(
    node: &'a Node,
    chunk: &'a mut C,
    domain: &'a Domain,
    among: &'a Bitmap,
    keep: &'a Keep,
    want_no: bool,
    pause: &'a impl AsyncFn(),
) -> Local<'a, Result<Truth, EngineError<C::Error>>> {
    Box::pin(async move {
        let rows = domain.rows();
        Ok(match node {
            Node::Constant(value) => Truth::constant(*value, rows, want_no),
            Node::Compare(field, test) => {
                compare(field, test, chunk, domain, keep, want_no).await?
            }
            Node::Truthy(field) => truthy(field, chunk, domain, keep, want_no).await?,
            Node::Exists(field) => exists(field, chunk, domain, keep).await?,
            Node::NotExists(field) => lacks(field, chunk, domain, keep).await?,
            Node::Not(inner) => {
                let mut truth = evaluate(inner, chunk, domain, among, keep, true, pause).await?;
                truth.negate();
                truth
            }
            Node::And(parts) => {
                let mut all = Truth::constant(true, rows, want_no);
                let mut left = among.clone();
                for part in parts {
                    let truth = evaluate(part, chunk, domain, &left, keep, want_no, pause).await?;
                    all.and(&truth);
                    // What one part does not say yes to, no other part can change, unless somebody asks for the no.
                    if !want_no {
                        left.and(&truth.yes);
                        if left.is_empty() {
                            break;
                        }
                    }
                }
                all
            }
            Node::Or(parts) => {
                let mut any = Truth::constant(false, rows, want_no);
                let mut left = among.clone();
                for part in parts {
                    let truth = evaluate(part, chunk, domain, &left, keep, want_no, pause).await?;
                    any.or(&truth);
                    left.subtract(&truth.yes);
                    if left.is_empty() {
                        break;
                    }
                }
                any
            }
            Node::General(general) => {
                run_general(general, chunk, domain, among, keep, want_no, pause).await?
            }
        })
    })
}

async fn load<C: Chunk>(
    chunk: &mut C,
    columns: &[Column],
    keep: &Keep,
) -> Result<(), EngineError<C::Error>> {
    let loaded = chunk.load(columns, keep.traces());
    loaded.await.map_err(EngineError::Load)
}

/// Whether some text that the column may have passes; true when that is not known.
async fn may_pass<C: Chunk>(
    test: &Test,
    chunk: &mut C,
    column: &Column,
) -> Result<bool, EngineError<C::Error>> {
    let is_regex = matches!(test.literal, Literal::Regex(_));
    let is_text = matches!(test.literal, Literal::Text(_) | Literal::Texts(_)) || is_regex;
    if !is_text || !matches!(test.op, Compare::Equal | Compare::Regex) {
        return Ok(true);
    }
    let known = chunk.strings_of(column).await.map_err(EngineError::Load)?;
    let Some(strings) = known else {
        return Ok(true);
    };
    if is_regex && strings.len() > REGEX_AHEAD {
        return Ok(true);
    }
    let mut numbers = 0..strings.len() as u64;
    Ok(numbers.any(|number| test.accepts_text(strings.get(number))))
}

async fn compare<C: Chunk>(
    field: &Field,
    test: &Test,
    chunk: &mut C,
    domain: &Domain,
    keep: &Keep,
    want_no: bool,
) -> Result<Truth, EngineError<C::Error>> {
    let columns = Column::of_field(field);
    if !want_no {
        let mut maybe = false;
        for column in &columns {
            maybe = maybe || may_pass(test, chunk, column).await?;
        }
        if !maybe {
            return Ok(Truth::constant(false, domain.rows(), false));
        }
    }
    load(chunk, &columns, keep).await?;
    let over = |cells: &Cells| test.over(cells, want_no);
    Ok(first_of(&columns, chunk, domain, want_no, over))
}

async fn truthy<C: Chunk>(
    field: &Field,
    chunk: &mut C,
    domain: &Domain,
    keep: &Keep,
    want_no: bool,
) -> Result<Truth, EngineError<C::Error>> {
    let columns = Column::of_field(field);
    load(chunk, &columns, keep).await?;
    let with = |cells: &Cells, wanted: bool| {
        let mut set = Bitmap::empty(cells.owners);
        for (cell, &bits) in cells.bits.iter().enumerate() {
            if matches!(Val::of_cell(cells, cells.kind(cell), bits), Val::Bool(is) if is == wanted)
            {
                set.insert(cells.owner(cell));
            }
        }
        set
    };
    let over = |cells: &Cells| Truth {
        yes: with(cells, true),
        no: want_no.then(|| with(cells, false)),
    };
    Ok(first_of(&columns, chunk, domain, want_no, over))
}

/// The truth by the first column that has a value for a row.
fn first_of<C: Chunk>(
    columns: &[Column],
    chunk: &C,
    domain: &Domain,
    want_no: bool,
    over: impl Fn(&Cells) -> Truth,
) -> Truth {
    let shape = chunk.shape();
    let mut all = Truth {
        yes: Bitmap::empty(domain.rows()),
        no: want_no.then(|| Bitmap::empty(domain.rows())),
    };
    let mut decided: Option<Bitmap> = None;
    for (number, column) in columns.iter().enumerate() {
        let Some(cells) = chunk.cells(column) else {
            continue;
        };
        let truth = over(cells);
        let of_rows = |owners: &Bitmap| {
            let mut rows = domain.broadcast(shape, cells.level, owners);
            if let Some(decided) = &decided {
                rows.subtract(decided);
            }
            rows
        };
        all.yes.or(&of_rows(&truth.yes));
        if let (Some(no), Some(owners)) = (&mut all.no, &truth.no) {
            no.or(&of_rows(owners));
        }
        if number + 1 < columns.len() {
            let here = domain.broadcast(shape, cells.level, &present(cells));
            match &mut decided {
                Some(decided) => decided.or(&here),
                None => decided = Some(here),
            }
        }
    }
    all
}

/// Rows whose owner of the level is there at all: rows of spans without events lack them.
fn with_owner(domain: &Domain, level: Level) -> Bitmap {
    match level {
        Level::Event => Bitmap::from_fn(domain.rows(), |row| domain.event(row).is_some()),
        Level::Link => Bitmap::from_fn(domain.rows(), |row| domain.link(row).is_some()),
        _ => Bitmap::full(domain.rows()),
    }
}

/// Rows on which some column has a value.
async fn exists<C: Chunk>(
    field: &Field,
    chunk: &mut C,
    domain: &Domain,
    keep: &Keep,
) -> Result<Truth, EngineError<C::Error>> {
    let columns = Column::of_field(field);
    load(chunk, &columns, keep).await?;
    let mut yes = Bitmap::empty(domain.rows());
    let mut no = Bitmap::empty(domain.rows());
    for column in &columns {
        if let Some(cells) = chunk.cells(column) {
            yes.or(&domain.broadcast(chunk.shape(), cells.level, &present(cells)));
            no.or(&with_owner(domain, cells.level));
        }
    }
    no.subtract(&yes);
    Ok(Truth { yes, no: Some(no) })
}

/// Rows on which some column has not even the key: `.x = nil` is true where the span or the resource lacks it (accident 5).
async fn lacks<C: Chunk>(
    field: &Field,
    chunk: &mut C,
    domain: &Domain,
    keep: &Keep,
) -> Result<Truth, EngineError<C::Error>> {
    let columns = Column::of_field(field);
    load(chunk, &columns, keep).await?;
    let mut yes = Bitmap::empty(domain.rows());
    let mut no = Bitmap::full(domain.rows());
    for column in &columns {
        if let Some(cells) = chunk.cells(column) {
            let mut with_key = present(cells);
            for &owner in &cells.hidden {
                with_key.insert(owner);
            }
            let with_key = domain.broadcast(chunk.shape(), cells.level, &with_key);
            let mut without = with_owner(domain, cells.level);
            without.subtract(&with_key);
            yes.or(&without);
            no.and(&with_key);
        }
    }
    Ok(Truth { yes, no: Some(no) })
}

async fn run_general<C: Chunk>(
    general: &General,
    chunk: &mut C,
    domain: &Domain,
    among: &Bitmap,
    keep: &Keep,
    want_no: bool,
    pause: &impl AsyncFn(),
) -> Result<Truth, EngineError<C::Error>> {
    let columns: Vec<Column> = general.columns().collect();
    load(chunk, &columns, keep).await?;
    let rows = Rows::new(chunk, &general.fields, domain);
    let mut truth = Truth {
        yes: Bitmap::empty(domain.rows()),
        no: want_no.then(|| Bitmap::empty(domain.rows())),
    };
    for (count, row) in among.iter().enumerate() {
        match (general.is_true(&rows, row)?, &mut truth.no) {
            (Some(true), _) => truth.yes.insert(row),
            (Some(false), Some(no)) => no.insert(row),
            _ => {}
        }
        if count % ROWS_PER_PAUSE == ROWS_PER_PAUSE - 1 {
            pause().await;
        }
    }
    Ok(truth)
}
