//! Field expressions.

use std::fmt::{self, Display};

use crate::ast::{Arithmetic, BinaryOp, Compare, Expr, Static, UnaryOp};
use crate::chain::{Joined, Logic, long_chain};

impl Compare {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

impl Arithmetic {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Power => "^",
        }
    }
}

impl BinaryOp {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Compare(compare) => compare.symbol(),
            Self::Arithmetic(arithmetic) => arithmetic.symbol(),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(value) => value.fmt(f),
            Self::Field(field) => field.fmt(f),
            Self::Unary { op, inner } => {
                f.write_str(match op {
                    UnaryOp::Not => "!",
                    UnaryOp::Negate => "-",
                })?;
                operand(inner, f)
            }
            Self::Exists(inner) => {
                operand(inner, f)?;
                f.write_str(" != nil")
            }
            Self::NotExists(inner) => {
                operand(inner, f)?;
                f.write_str(" = nil")
            }
            Self::Binary { op, left, right } => {
                let logic = match op {
                    BinaryOp::And => Some(Logic::And),
                    BinaryOp::Or => Some(Logic::Or),
                    _ => None,
                };
                if let Some(logic) = logic
                    && let Some(terms) = long_chain(self, logic)
                {
                    return chain(&terms, op.symbol(), operand, f);
                }
                left_operand(*op, left, f)?;
                write!(f, " {} ", op.symbol())?;
                operand(right, f)
            }
        }
    }
}

fn operand(expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr {
        Expr::Static(_) | Expr::Field(_) => expr.fmt(f),
        _ => write!(f, "({expr})"),
    }
}

/// A sign binds looser than these operators, so a negative literal needs parentheses before them.
fn left_operand(op: BinaryOp, expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let tight = match op {
        BinaryOp::Arithmetic(Arithmetic::Add | Arithmetic::Sub) => false,
        BinaryOp::Arithmetic(_) => true,
        _ => false,
    };
    let negative = match expr {
        Expr::Static(Static::Int(value) | Static::Duration(value)) => *value < 0,
        Expr::Static(Static::Float(value)) => value.is_sign_negative(),
        _ => false,
    };
    if tight && negative {
        return write!(f, "({expr})");
    }
    operand(expr, f)
}

/// `((a || b) || c) || d`
pub(super) fn chain<T: Joined>(
    terms: &[&T],
    symbol: &str,
    operand: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for _ in 2..terms.len() {
        f.write_str("(")?;
    }
    for (index, term) in terms.iter().enumerate() {
        if index > 1 {
            f.write_str(")")?;
        }
        if index > 0 {
            write!(f, " {symbol} ")?;
        }
        operand(term, f)?;
    }
    Ok(())
}
