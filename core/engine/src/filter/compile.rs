//! Expressions made ready for columns.

use std::collections::HashSet;
use std::sync::Arc;

use vivace_columns::{Column, Level};
use vivace_traceql::{BinaryOp, Compare, Expr, Field, Intrinsic, Static, UnaryOp};

use super::condition::{Literal, Test};
use super::general::General;
use crate::dedicated::Dedicated;
use crate::error::PlanError;
use crate::value::mirrored;

/// A filter that is ready to run.
#[derive(Clone, Debug)]
pub struct Filter {
    /// All must hold; cheap ones first.
    pub(super) terms: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(bool),
    Compare(Field, Test),
    /// A field that must be true itself.
    Truthy(Field),
    Exists(Field),
    NotExists(Field),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    General(General),
}

/// What a filter looks at besides spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub events: bool,
    pub links: bool,
    /// Values of whole traces.
    pub traces: bool,
}

impl Needs {
    pub fn or(self, other: Self) -> Self {
        Self {
            events: self.events || other.events,
            links: self.links || other.links,
            traces: self.traces || other.traces,
        }
    }

    pub fn of_field(field: &Field) -> Self {
        let columns = Column::of_field(field);
        let has = |level| columns.iter().any(|column| column.level() == level);
        let of_tree = matches!(
            field,
            Field::Intrinsic(
                Intrinsic::NestedSetLeft
                    | Intrinsic::NestedSetRight
                    | Intrinsic::NestedSetParent
                    | Intrinsic::ChildCount
            )
        );
        // The id is the same for every part of a trace.
        let is_id = matches!(field, Field::Intrinsic(Intrinsic::TraceId));
        Self {
            events: has(Level::Event),
            links: has(Level::Link),
            traces: (has(Level::Trace) && !is_id) || of_tree,
        }
    }

    /// Events or links.
    pub fn members(self) -> bool {
        self.events || self.links
    }
}

/// Compiles the filters of one query.
#[derive(Default)]
pub struct Compiler {
    /// Fields that some part of the query reads without comparing them with a literal: all of their values are looked at, so that
    /// comparisons elsewhere meet numbers of every type (traceql.md §5.3 R3).
    read_whole: HashSet<Field>,
    dedicated: Dedicated,
}

impl Compiler {
    pub fn new(read_whole: HashSet<Field>, dedicated: Dedicated) -> Self {
        Self {
            read_whole,
            dedicated,
        }
    }

    pub(crate) fn dedicated(&self) -> &Dedicated {
        &self.dedicated
    }

    pub fn filter(&self, expr: &Expr) -> Result<Filter, PlanError> {
        let mut terms = match self.node(expr)? {
            Node::And(terms) => terms,
            other => Vec::from([other]),
        };
        terms.sort_by_key(Node::cost);
        Ok(Filter { terms })
    }

    /// Filters of which one holds where any of the conditions does: one for each kind of rows that they look at.
    pub fn any_of(&self, conditions: &[Expr]) -> Result<Vec<Filter>, PlanError> {
        let mut by_needs: Vec<((bool, bool), Vec<Node>)> = Vec::new();
        for condition in conditions {
            let node = self.node(condition)?;
            let needs = node.needs();
            let needs = (needs.events, needs.links);
            match by_needs.iter_mut().find(|(of, _)| *of == needs) {
                Some((_, nodes)) => nodes.push(node),
                None => by_needs.push((needs, Vec::from([node]))),
            }
        }
        let filters = by_needs.into_iter().map(|(_, nodes)| Filter {
            terms: Vec::from([Node::Or(one_of(nodes))]),
        });
        Ok(filters.collect())
    }

    fn node(&self, expr: &Expr) -> Result<Node, PlanError> {
        Ok(match expr {
            Expr::Static(Static::Bool(value)) => Node::Constant(*value),
            Expr::Field(field) => Node::Truthy(field.clone()),
            Expr::Unary {
                op: UnaryOp::Not,
                inner,
            } => Node::Not(Box::new(self.node(inner)?)),
            Expr::Exists(inner) => match &**inner {
                Expr::Field(field) => Node::Exists(field.clone()),
                _ => Node::General(General::new(expr, self)?),
            },
            Expr::NotExists(inner) => match &**inner {
                Expr::Field(field) => Node::NotExists(field.clone()),
                _ => Node::General(General::new(expr, self)?),
            },
            Expr::Binary {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                ..
            } => self.chain(expr, *op)?,
            _ => match self.test(expr)? {
                Some((field, test)) => Node::Compare(field.clone(), test),
                None => Node::General(General::new(expr, self)?),
            },
        })
    }

    /// A run of one operator, however long: without recursion along it.
    fn chain(&self, expr: &Expr, op: BinaryOp) -> Result<Node, PlanError> {
        let mut parts = Vec::new();
        let mut waiting = Vec::from([expr]);
        while let Some(one) = waiting.pop() {
            match one {
                Expr::Binary {
                    op: of,
                    left,
                    right,
                } if *of == op => {
                    waiting.push(right);
                    waiting.push(left);
                }
                other => parts.push(self.node(other)?),
            }
        }
        if op == BinaryOp::And {
            return Ok(Node::And(parts));
        }
        let mut parts = one_of(parts);
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Or(parts),
        })
    }

    /// A field compared with a literal on either side; None for every other expression.
    pub(super) fn test<'e>(&self, expr: &'e Expr) -> Result<Option<(&'e Field, Test)>, PlanError> {
        let Expr::Binary {
            op: BinaryOp::Compare(op),
            left,
            right,
        } = expr
        else {
            return Ok(None);
        };
        let (field, op, value) = match (&**left, &**right) {
            (Expr::Field(field), Expr::Static(value)) => (field, *op, value),
            (Expr::Static(value), Expr::Field(field)) if !is_regex(*op) => {
                (field, mirrored(*op), value)
            }
            _ => return Ok(None),
        };
        let Some(literal) = Literal::compared_with(field, op, value)? else {
            return Ok(None);
        };
        let by_value = matches!(field, Field::Intrinsic(_)) || self.read_whole.contains(field);
        let test = Test {
            op,
            literal,
            by_value,
        };
        Ok(Some((field, test)))
    }
}

fn is_regex(op: Compare) -> bool {
    matches!(op, Compare::Regex | Compare::NotRegex)
}

/// Equalities of one field with texts become one look into a set.
fn one_of(parts: Vec<Node>) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::new();
    let mut sets: Vec<(Field, bool, HashSet<Arc<str>>)> = Vec::new();
    for part in parts {
        match part {
            Node::Compare(
                field,
                Test {
                    op: Compare::Equal,
                    literal: Literal::Text(text),
                    by_value,
                },
            ) => match sets.iter_mut().find(|set| set.0 == field) {
                Some(set) => {
                    set.2.insert(text);
                }
                None => sets.push((field, by_value, HashSet::from([text]))),
            },
            other => kept.push(other),
        }
    }
    for (field, by_value, texts) in sets {
        let mut only = texts.iter().cloned();
        let literal = match (only.next(), texts.len()) {
            (Some(text), 1) => Literal::Text(text),
            _ => Literal::Texts(Arc::new(texts)),
        };
        let op = Compare::Equal;
        kept.insert(
            0,
            Node::Compare(
                field,
                Test {
                    op,
                    literal,
                    by_value,
                },
            ),
        );
    }
    kept
}

impl Node {
    pub(super) fn needs(&self) -> Needs {
        let of_all = |nodes: &[Node]| {
            nodes
                .iter()
                .fold(Needs::default(), |sum, one| sum.or(one.needs()))
        };
        match self {
            Self::Constant(_) => Needs::default(),
            // Whether a span is a root can be told of the span alone.
            Self::Compare(Field::Intrinsic(Intrinsic::NestedSetParent), test) if test.is_root() => {
                Needs::default()
            }
            Self::Compare(field, _)
            | Self::Truthy(field)
            | Self::Exists(field)
            | Self::NotExists(field) => Needs::of_field(field),
            Self::Not(inner) => inner.needs(),
            Self::And(parts) | Self::Or(parts) => of_all(parts),
            Self::General(general) => general.fields.iter().fold(Needs::default(), |sum, field| {
                sum.or(Needs::of_field(field))
            }),
        }
    }

    /// A guess at what it costs to evaluate, and at how much it leaves.
    fn cost(&self) -> u32 {
        let of_all = |nodes: &[Node]| nodes.iter().map(Node::cost).sum::<u32>() + 1;
        match self {
            Self::Constant(_) => 0,
            Self::Compare(field, test) => {
                let regex = u32::from(matches!(test.literal, Literal::Regex(_)));
                of_field(field) + regex
            }
            Self::Truthy(field) | Self::Exists(field) | Self::NotExists(field) => {
                of_field(field) + 1
            }
            Self::Not(inner) => inner.cost() + 1,
            Self::And(parts) | Self::Or(parts) => of_all(parts),
            Self::General(general) => 20 + general.fields.iter().map(of_field).sum::<u32>(),
        }
    }
}

/// Columns of few owners are cheap, generic attributes of spans are dear.
fn of_field(field: &Field) -> u32 {
    let columns = Column::of_field(field);
    let cost = |column: &Column| match (column, column.level()) {
        (_, Level::Trace | Level::Resource | Level::Scope) => 1,
        (Column::Attribute(..), Level::Span) => 6,
        (_, Level::Span) => 3,
        (_, Level::Event | Level::Link) => 8,
    };
    columns.iter().map(cost).sum()
}

impl Filter {
    pub fn needs(&self) -> Needs {
        self.terms
            .iter()
            .fold(Needs::default(), |sum, one| sum.or(one.needs()))
    }

    /// Holds for no span, whatever the data.
    pub fn is_never(&self) -> bool {
        let never = |term: &Node| matches!(term, Node::Constant(false));
        self.terms.iter().any(never)
    }

    /// Holds for every span.
    pub fn is_always(&self) -> bool {
        let always = |term: &Node| matches!(term, Node::Constant(true));
        self.terms.iter().all(always)
    }
}
