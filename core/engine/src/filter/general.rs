//! Expressions that have no faster form, row by row.

use std::sync::Arc;

use vivace_columns::{CellKind, Cells, Chunk, Column, Level, Members, Selection, Shape};
use vivace_traceql::regex::Matcher;
use vivace_traceql::{Arithmetic, BinaryOp, Compare, Expr, Field, Intrinsic, Static, UnaryOp};

use super::compile::Compiler;
use super::condition::Test;
use super::domain::Domain;
use crate::dedicated::MISSING;
use crate::error::{PlanError, QueryError};
use crate::value::{Val, arithmetic, compare, of_elements, span_id_text};

/// An expression ready to run. Fields are numbers of `fields`.
#[derive(Clone, Debug)]
pub struct General {
    pub fields: Vec<Field>,
    root: Node,
    /// By field: whether it is dedicated.
    dedicated: Vec<bool>,
}

#[derive(Clone, Debug)]
enum Node {
    Static(Static),
    Field(usize),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Compare, Box<Node>, Box<Node>),
    /// A field compared with a literal.
    Test(usize, Test),
    /// Matches, or does not.
    Regex(Box<Node>, Arc<Matcher>, bool),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    /// Has a value, or has none.
    Exists(Box<Node>, bool),
    /// A field is there.
    Has(usize),
    /// A field is not there.
    Lacks(usize),
}

impl General {
    pub fn new(expr: &Expr, compiler: &Compiler) -> Result<Self, PlanError> {
        let mut fields = Vec::new();
        let root = build(expr, compiler, &mut fields)?;
        let is_dedicated = |field: &Field| compiler.dedicated().has(field);
        Ok(Self {
            dedicated: fields.iter().map(is_dedicated).collect(),
            fields,
            root,
        })
    }

    /// The columns of all fields.
    pub fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        self.fields.iter().flat_map(Column::of_field)
    }

    /// The value on a row.
    pub fn value<'c>(&'c self, rows: &Rows<'c>, row: u32) -> Result<Val<'c>, QueryError> {
        evaluate(self, &self.root, rows, row)
    }

    /// A side of a comparison. A dedicated column that is missing reads as a text there (traceql.md §5.3 R7).
    fn operand<'c>(
        &'c self,
        node: &'c Node,
        rows: &Rows<'c>,
        row: u32,
    ) -> Result<Val<'c>, QueryError> {
        let value = evaluate(self, node, rows, row)?;
        match node {
            Node::Field(field) if value.is_nil() && self.dedicated[*field] => {
                Ok(Val::Text(MISSING.as_bytes()))
            }
            _ => Ok(value),
        }
    }

    /// None: unknown.
    pub fn is_true(&self, rows: &Rows<'_>, row: u32) -> Result<Option<bool>, QueryError> {
        self.value(rows, row).map(truth)
    }
}

/// The number of a field.
fn numbered(field: &Field, fields: &mut Vec<Field>) -> usize {
    let known = fields.iter().position(|one| one == field);
    known.unwrap_or_else(|| {
        fields.push(field.clone());
        fields.len() - 1
    })
}

fn build(expr: &Expr, compiler: &Compiler, fields: &mut Vec<Field>) -> Result<Node, PlanError> {
    if let Some((field, test)) = compiler.test(expr)? {
        return Ok(Node::Test(numbered(field, fields), test));
    }
    match expr {
        Expr::Field(field) => return Ok(Node::Field(numbered(field, fields))),
        Expr::Exists(inner) => {
            if let Expr::Field(field) = &**inner {
                return Ok(Node::Has(numbered(field, fields)));
            }
        }
        Expr::NotExists(inner) => {
            if let Expr::Field(field) = &**inner {
                return Ok(Node::Lacks(numbered(field, fields)));
            }
        }
        _ => {}
    }
    let mut inner = |expr: &Expr| build(expr, compiler, fields).map(Box::new);
    Ok(match expr {
        Expr::Static(value) => Node::Static(value.clone()),
        Expr::Field(field) => Node::Field(numbered(field, fields)),
        Expr::Unary { op, inner: of } => match op {
            UnaryOp::Not => Node::Not(inner(of)?),
            UnaryOp::Negate => Node::Negate(inner(of)?),
        },
        Expr::Exists(of) => Node::Exists(inner(of)?, true),
        Expr::NotExists(of) => Node::Exists(inner(of)?, false),
        Expr::Binary { op, left, right } => match op {
            BinaryOp::And => Node::And(inner(left)?, inner(right)?),
            BinaryOp::Or => Node::Or(inner(left)?, inner(right)?),
            BinaryOp::Arithmetic(op) => Node::Arithmetic(*op, inner(left)?, inner(right)?),
            BinaryOp::Compare(op @ (Compare::Regex | Compare::NotRegex)) => match &**right {
                Expr::Static(Static::String(pattern)) => {
                    let matcher = Arc::new(Matcher::new(pattern)?);
                    Node::Regex(inner(left)?, matcher, *op == Compare::Regex)
                }
                _ => {
                    return Err(PlanError::Unsupported {
                        what: "a regular expression that is no literal",
                    });
                }
            },
            BinaryOp::Compare(op) => Node::Compare(*op, inner(left)?, inner(right)?),
        },
    })
}

/// None: unknown, as something is missing or is no boolean.
fn truth(value: Val<'_>) -> Option<bool> {
    match value {
        Val::Bool(value) => Some(value),
        _ => None,
    }
}

fn of_truth<'c>(value: Option<bool>) -> Val<'c> {
    value.map_or(Val::Failed, Val::Bool)
}

fn evaluate<'c>(
    general: &'c General,
    node: &'c Node,
    rows: &Rows<'c>,
    row: u32,
) -> Result<Val<'c>, QueryError> {
    let value = |node: &'c Node| evaluate(general, node, rows, row);
    Ok(match node {
        Node::Static(value) => Val::of_static(value),
        Node::Field(field) => rows.value(*field, row),
        Node::Not(inner) => of_truth(truth(value(inner)?).map(|value| !value)),
        Node::Negate(inner) => match value(inner)? {
            Val::Int(value) => Val::Int(value.wrapping_neg()),
            Val::Float(value) => Val::Float(-value),
            Val::Duration(nanos) => Val::Duration(nanos.wrapping_neg()),
            _ => Val::Failed,
        },
        Node::And(left, right) => match truth(value(left)?) {
            Some(false) => Val::Bool(false),
            left => of_truth(match (left, truth(value(right)?)) {
                (_, Some(false)) => Some(false),
                (Some(true), right) => right,
                _ => None,
            }),
        },
        Node::Or(left, right) => match truth(value(left)?) {
            Some(true) => Val::Bool(true),
            left => of_truth(match (left, truth(value(right)?)) {
                (_, Some(true)) => Some(true),
                (Some(false), right) => right,
                _ => None,
            }),
        },
        Node::Compare(op, left, right) => {
            let left = general.operand(left, rows, row)?;
            of_truth(compare(*op, left, general.operand(right, rows, row)?)?)
        }
        Node::Regex(inner, matcher, wanted) => of_truth(regex(value(inner)?, matcher, *wanted)),
        Node::Arithmetic(op, left, right) => arithmetic(*op, value(left)?, value(right)?)?,
        Node::Test(field, test) => match rows.value(*field, row) {
            Val::Nil => Val::Failed,
            value => Val::Bool(test.accepts(value)),
        },
        Node::Exists(inner, wanted) => match value(inner)? {
            Val::Failed => Val::Failed,
            value => Val::Bool(value.is_nil() != *wanted),
        },
        Node::Has(field) => of_truth(rows.presence(*field, row).map(|found| found.0)),
        Node::Lacks(field) => of_truth(rows.presence(*field, row).map(|found| found.1)),
    })
}

fn regex(value: Val<'_>, matcher: &Matcher, wanted: bool) -> Option<bool> {
    let is = |value: Val<'_>| match value {
        Val::Text(text) => matcher.is_match(text) == wanted,
        Val::SpanId(id) => matcher.is_match(&span_id_text(id)) == wanted,
        _ => false,
    };
    match value {
        Val::Nil | Val::Failed => None,
        Val::Array(array) => {
            let op = if wanted {
                Compare::Regex
            } else {
                Compare::NotRegex
            };
            Some(of_elements(op, array, is))
        }
        scalar => Some(is(scalar)),
    }
}

/// Who stands for a row.
enum Place<'c> {
    /// Rows of a filter.
    Domain(&'c Domain),
    /// Rows are spans; of their events and links, those that met the conditions of the query come first.
    Chosen {
        selection: &'c Selection,
        events: Option<&'c Members>,
        links: Option<&'c Members>,
    },
}

/// The fields of an expression on rows. Columns must be loaded.
pub struct Rows<'c> {
    /// By field, in the order in which a value is looked for, and what spans without an event or link have.
    fields: Vec<(Vec<&'c Cells>, Val<'c>)>,
    place: Place<'c>,
    shape: &'c Shape,
    trace_of_span: Vec<u32>,
}

impl<'c> Rows<'c> {
    /// Rows of a filter: conditions on events hold for no span without events.
    pub fn new<C: Chunk>(chunk: &'c C, fields: &[Field], domain: &'c Domain) -> Self {
        Self::at(chunk, fields, Place::Domain(domain))
    }

    /// Rows are spans. Events and links must be loaded if a field is one of theirs.
    pub fn of_spans<C: Chunk>(chunk: &'c C, fields: &[Field], selection: &'c Selection) -> Self {
        let place = Place::Chosen {
            selection,
            events: chunk.events(),
            links: chunk.links(),
        };
        Self::at(chunk, fields, place)
    }

    fn at<C: Chunk>(chunk: &'c C, fields: &[Field], place: Place<'c>) -> Self {
        let columns = |field: &Field| -> (Vec<&'c Cells>, Val<'c>) {
            let names = Column::of_field(field);
            let cells = names.iter().filter_map(|name| chunk.cells(name)).collect();
            (cells, without_member(field))
        };
        let fields: Vec<_> = fields.iter().map(columns).collect();
        let shape = chunk.shape();
        let mut all = fields.iter().flat_map(|field| &field.0);
        let of_trace = all.any(|cells| cells.level == Level::Trace);
        Self {
            fields,
            place,
            shape,
            trace_of_span: match of_trace {
                true => shape.trace_of_span(),
                false => Vec::new(),
            },
        }
    }

    /// The value of field number `field`.
    #[inline]
    pub fn value(&self, field: usize, row: u32) -> Val<'c> {
        let Some((columns, without)) = self.fields.get(field) else {
            return Val::Nil;
        };
        for cells in columns {
            let value = self.in_column(cells, row);
            if !value.is_nil() {
                return value;
            }
        }
        match self.place {
            Place::Domain(_) => Val::Nil,
            Place::Chosen { .. } => *without,
        }
    }

    /// Whether somebody who stands for the row has a value of the field, and whether somebody lacks even the key. None: there is nobody.
    fn presence(&self, field: usize, row: u32) -> Option<(bool, bool)> {
        let (mut has, mut lacks, mut hides) = (false, false, false);
        let columns = self.fields.get(field).map(|(columns, _)| &columns[..]);
        for cells in columns.unwrap_or_default() {
            for owner in self.owners(cells.level, row) {
                match cells.get(owner).0 {
                    CellKind::Nil if cells.hidden.binary_search(&owner).is_ok() => hides = true,
                    CellKind::Nil => lacks = true,
                    _ => has = true,
                }
            }
        }
        (has || lacks || hides).then_some((has, lacks))
    }

    fn in_column(&self, cells: &'c Cells, row: u32) -> Val<'c> {
        let values = self.owners(cells.level, row).map(|owner| {
            let (kind, bits) = cells.get(owner);
            Val::of_cell(cells, kind, bits)
        });
        let mut there = values.filter(|value| !value.is_nil());
        there.next().unwrap_or(Val::Nil)
    }

    /// Who of a level stands for the row: one, or several events or links where any of them may. Nobody: a span has none.
    #[inline]
    fn owners(&self, level: Level, row: u32) -> impl Iterator<Item = u32> + use<'_, 'c> {
        let members = |chosen: Option<&u32>, members: Option<&Members>| {
            let range = members.map_or(0..0, |members| members.of_span(row));
            (chosen.copied(), range)
        };
        let (first, rest) = match (&self.place, level) {
            (Place::Domain(domain), level) => {
                let owner = domain.owner(self.shape, &self.trace_of_span, level, row);
                (owner, 0..0)
            }
            (
                Place::Chosen {
                    selection, events, ..
                },
                Level::Event,
            ) => members(selection.event_of_span.get(&row), *events),
            (
                Place::Chosen {
                    selection, links, ..
                },
                Level::Link,
            ) => members(selection.link_of_span.get(&row), *links),
            (_, Level::Span) => (Some(row), 0..0),
            (_, level) => {
                let of_span = match level {
                    Level::Trace => &self.trace_of_span,
                    Level::Resource => &self.shape.resource_of_span,
                    _ => &self.shape.scope_of_span,
                };
                (of_span.get(row as usize).copied(), 0..0)
            }
        };
        first.into_iter().chain(rest)
    }
}

/// What spans without an event or link have where a value is only read (traceql.md, accident 30).
pub fn without_member<'c>(field: &Field) -> Val<'c> {
    match field {
        Field::Intrinsic(Intrinsic::EventName | Intrinsic::LinkTraceId) => Val::Text(&[]),
        Field::Intrinsic(Intrinsic::EventTimeSinceStart) => Val::Duration(0),
        Field::Intrinsic(Intrinsic::LinkSpanId) => Val::SpanId(0),
        _ => Val::Nil,
    }
}
