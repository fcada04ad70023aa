//! Values of expressions without a field (traceql.md §2.4, §5.9).

use crate::ast::{Arithmetic, BinaryOp, Compare, Static, UnaryOp};
use crate::regex::Matcher;
use crate::types::{Type, allows_unary, check_binary};

/// `None`: not allowed for the type.
pub fn unary(op: UnaryOp, value: &Static) -> Option<Static> {
    if !allows_unary(op, Type::of(value)) {
        return None;
    }
    match (op, value) {
        (UnaryOp::Not, Static::Bool(value)) => Some(Static::Bool(!value)),
        (UnaryOp::Negate, Static::Int(value)) => Some(Static::Int(value.wrapping_neg())),
        (UnaryOp::Negate, Static::Float(value)) => Some(Static::Float(-value)),
        (UnaryOp::Negate, Static::Duration(value)) => Some(Static::Duration(value.wrapping_neg())),
        _ => None,
    }
}

/// `None`: not allowed for the types, or an error when evaluated (a zero divisor, a pattern that is none).
pub fn binary(op: BinaryOp, left: &Static, right: &Static) -> Option<Static> {
    check_binary(op, Type::of(left), Type::of(right)).ok()?;
    match op {
        BinaryOp::And | BinaryOp::Or => match (left, right) {
            (Static::Bool(left), Static::Bool(right)) => Some(Static::Bool(match op {
                BinaryOp::And => *left && *right,
                _ => *left || *right,
            })),
            _ => None,
        },
        BinaryOp::Compare(compare) => comparison(compare, left, right).map(Static::Bool),
        BinaryOp::Arithmetic(op) => arithmetic(op, left, right),
    }
}

fn comparison(op: Compare, left: &Static, right: &Static) -> Option<bool> {
    use std::cmp::Ordering;
    let ordering = match (left, right) {
        (Static::String(text), Static::String(pattern))
            if matches!(op, Compare::Regex | Compare::NotRegex) =>
        {
            let found = Matcher::new(pattern).ok()?.is_match(text.as_bytes());
            return Some(found == (op == Compare::Regex));
        }
        (Static::String(left), Static::String(right)) => Some(left.cmp(right)),
        (
            Static::Int(left) | Static::Duration(left),
            Static::Int(right) | Static::Duration(right),
        ) => Some(left.cmp(right)),
        (Static::Bool(left), Static::Bool(right)) => Some(left.cmp(right)),
        (Static::Status(left), Static::Status(right)) => Some(left.cmp(right)),
        (Static::Kind(left), Static::Kind(right)) => Some(left.cmp(right)),
        _ => float(left)?.partial_cmp(&float(right)?),
    };
    Some(match op {
        Compare::Equal => ordering == Some(Ordering::Equal),
        Compare::NotEqual => ordering != Some(Ordering::Equal),
        Compare::Less => ordering == Some(Ordering::Less),
        Compare::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Compare::Greater => ordering == Some(Ordering::Greater),
        Compare::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Compare::Regex | Compare::NotRegex => return None,
    })
}

fn as_float(value: i64) -> f64 {
    value as f64
}

/// Numbers as doubles, durations in nanoseconds.
fn float(value: &Static) -> Option<f64> {
    match value {
        Static::Int(value) | Static::Duration(value) => Some(as_float(*value)),
        Static::Float(value) => Some(*value),
        _ => None,
    }
}

/// Two integers give an integer and wrap; every other pair of numbers, durations too, gives a float.
/// `None`: an integer divided by zero, or no numbers.
pub fn arithmetic(op: Arithmetic, left: &Static, right: &Static) -> Option<Static> {
    if let (Static::Int(left), Static::Int(right)) = (left, right) {
        let (left, right) = (*left, *right);
        return Some(Static::Int(match op {
            Arithmetic::Add => left.wrapping_add(right),
            Arithmetic::Sub => left.wrapping_sub(right),
            Arithmetic::Mul => left.wrapping_mul(right),
            Arithmetic::Div if right == 0 => return None,
            Arithmetic::Div => left.wrapping_div(right),
            Arithmetic::Mod if right == 0 => return None,
            Arithmetic::Mod => left.wrapping_rem(right),
            Arithmetic::Power => swapped_int_power(left, right),
        }));
    }
    let (left, right) = (float(left)?, float(right)?);
    Some(Static::Float(match op {
        Arithmetic::Add => left + right,
        Arithmetic::Sub => left - right,
        Arithmetic::Mul => left * right,
        Arithmetic::Div => left / right,
        Arithmetic::Mod => left % right,
        Arithmetic::Power => left.powf(right),
    }))
}

/// `left ^ right` of integer *literals*: right to the power left, in doubles, truncated. An accident of the reference
/// (26 in traceql.md) that the recorded canonical texts hold: `2 ^ 3` is 9 and `2 ^ 3 ^ 2` is 64. Out of range: the nearest integer.
pub fn swapped_int_power(left: i64, right: i64) -> i64 {
    as_float(right).powf(as_float(left)) as i64
}

/// `base ^ exponent` of integers, read the sane way: an integer where it is exact, else a double.
pub fn int_power(base: i64, exponent: i64) -> Static {
    u32::try_from(exponent)
        .ok()
        .and_then(|exponent| base.checked_pow(exponent))
        .map_or_else(
            || Static::Float(as_float(base).powf(as_float(exponent))),
            Static::Int,
        )
}
