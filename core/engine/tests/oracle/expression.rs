//! Field expressions on a row (traceql.md §5.9).

use std::collections::HashSet;

use vivace_columns::Level;
use vivace_traceql::{BinaryOp, Compare, Expr, Field, Intrinsic, Scope, Static, UnaryOp};

use crate::fields::{Row, Slot, of_members};
use crate::value::{Fails, V, arithmetic, compare, of_truth, same_column};

/// What the rest of the query says about how fields are read.
#[derive(Default)]
pub struct Reading {
    /// Read whole somewhere (R3).
    pub whole: HashSet<Field>,
    pub dedicated: HashSet<(Level, String)>,
}

impl Reading {
    /// Of a field any column.
    pub fn is_dedicated(&self, field: &Field) -> bool {
        let Field::Attribute(attribute) = field else {
            return false;
        };
        let has = |level| self.dedicated.contains(&(level, attribute.key.to_string()));
        match attribute.scope {
            Scope::Unscoped => has(Level::Span) || has(Level::Resource),
            Scope::Span => has(Level::Span),
            Scope::Resource => has(Level::Resource),
            Scope::Event => has(Level::Event),
            Scope::Link | Scope::Instrumentation => false,
        }
    }
}

pub fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Less => Compare::Greater,
        Compare::LessEqual => Compare::GreaterEqual,
        Compare::Greater => Compare::Less,
        Compare::GreaterEqual => Compare::LessEqual,
        other => other,
    }
}

/// A literal beside a field: those of trace ids lose their leading zeros.
pub fn literal_for(field: &Field, literal: &Static) -> V {
    match (field, literal) {
        (Field::Intrinsic(Intrinsic::TraceId), Static::String(text)) => {
            V::Text(text.trim_start_matches('0').to_owned())
        }
        _ => V::literal(literal),
    }
}

/// Whether a value passes a comparison of its field with a literal. Intrinsics have one type, so numbers always meet there.
pub fn passes(field: &Field, op: Compare, literal: &Static, by_value: bool, value: &V) -> bool {
    let literal = literal_for(field, literal);
    let meets = by_value || matches!(field, Field::Intrinsic(_)) || same_column(value, &literal);
    meets && compare(op, value, &literal) == Ok(Some(true))
}

fn against_literal(
    reading: &Reading,
    row: &Row<'_>,
    (field, op, literal): (&Field, Compare, &Static),
) -> V {
    match row.value(field) {
        V::Nil => V::Failed,
        value => V::Bool(passes(
            field,
            op,
            literal,
            reading.whole.contains(field),
            &value,
        )),
    }
}

/// Nothing is known of the events of a span that has none.
fn of_slots(slots: &[Slot], is: impl Fn(&Slot) -> bool) -> V {
    match slots {
        [Slot::NoOwner] => V::Failed,
        slots => V::Bool(slots.iter().any(is)),
    }
}

/// A side of a comparison with something that is no literal.
fn operand(reading: &Reading, row: &Row<'_>, expr: &Expr) -> Result<V, Fails> {
    let value = evaluate(reading, row, expr)?;
    Ok(match (expr, value) {
        (Expr::Field(field), V::Nil) if reading.is_dedicated(field) => V::Text("nil".to_owned()),
        (_, value) => value,
    })
}

/// All parts are evaluated: what may fail, fails.
pub fn evaluate(reading: &Reading, row: &Row<'_>, expr: &Expr) -> Result<V, Fails> {
    let value = |expr: &Expr| evaluate(reading, row, expr);
    Ok(match expr {
        Expr::Static(literal) => V::literal(literal),
        Expr::Field(field) => row.value(field),
        Expr::Unary { op, inner } => match (op, value(inner)?) {
            (UnaryOp::Not, V::Bool(value)) => V::Bool(!value),
            (UnaryOp::Negate, V::Int(value)) => V::Int(value.wrapping_neg()),
            (UnaryOp::Negate, V::Float(value)) => V::Float(-value),
            (UnaryOp::Negate, V::Duration(value)) => V::Duration(value.wrapping_neg()),
            _ => V::Failed,
        },
        Expr::Exists(inner) => match &**inner {
            Expr::Field(field) => {
                of_slots(&row.slots(field), |slot| matches!(slot, Slot::Value(_)))
            }
            other => match value(other)? {
                V::Failed => V::Failed,
                found => V::Bool(!matches!(found, V::Nil)),
            },
        },
        Expr::NotExists(inner) => match &**inner {
            Expr::Field(field) => of_slots(&row.slots(field), |slot| matches!(slot, Slot::Missing)),
            other => match value(other)? {
                V::Failed => V::Failed,
                found => V::Bool(matches!(found, V::Nil)),
            },
        },
        Expr::Binary { op, left, right } => match (op, &**left, &**right) {
            (BinaryOp::And, left, right) => {
                let (left, right) = (value(left)?.truth(), value(right)?.truth());
                of_truth(match (left, right) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                })
            }
            (BinaryOp::Or, left, right) => {
                let (left, right) = (value(left)?.truth(), value(right)?.truth());
                of_truth(match (left, right) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                })
            }
            (BinaryOp::Compare(op), Expr::Field(field), Expr::Static(literal)) => {
                against_literal(reading, row, (field, *op, literal))
            }
            (BinaryOp::Compare(op), Expr::Static(literal), Expr::Field(field)) => {
                against_literal(reading, row, (field, mirrored(*op), literal))
            }
            (BinaryOp::Compare(op), left, right) => {
                let left = operand(reading, row, left)?;
                of_truth(compare(*op, &left, &operand(reading, row, right)?)?)
            }
            (BinaryOp::Arithmetic(op), left, right) => {
                arithmetic(*op, &value(left)?, &value(right)?)?
            }
        },
    })
}

/// Whether an expression looks at events, and at links.
pub fn looks_at(expr: &Expr) -> (bool, bool) {
    let mut found = (false, false);
    expr.fields(&mut |field| {
        let of_field = of_members(field);
        found = (found.0 || of_field.0, found.1 || of_field.1);
    });
    found
}
