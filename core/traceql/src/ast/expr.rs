//! Field expressions (traceql.md §2.4).

use super::{Field, Static};

/// Comparisons of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Regex,
    NotRegex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    And,
    Or,
    Compare(Compare),
    Arithmetic(Arithmetic),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Not,
    Negate,
}

/// A field expression. Parts without a field are folded by the parser where they evaluate without an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Static(Static),
    Field(Field),
    Unary {
        op: UnaryOp,
        inner: Box<Expr>,
    },
    /// A comparison with a literal keeps the order in which it was written.
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x != nil`
    Exists(Box<Expr>),
    /// `x = nil`
    NotExists(Box<Expr>),
}
