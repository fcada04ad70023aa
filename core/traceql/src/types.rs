//! Types of the checker (traceql.md §4.1).

use crate::ast::{Arithmetic, BinaryOp, Compare, Field, Intrinsic, Static, UnaryOp};

/// What is known of a value before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// An attribute: anything.
    Unknown,
    Nil,
    Bool,
    Int,
    Float,
    Duration,
    String,
    Status,
    Kind,
}

impl Type {
    /// Of an array, the type of its elements: the rules are the same.
    pub fn of(value: &Static) -> Self {
        match value {
            Static::Nil => Self::Nil,
            Static::Bool(_) | Static::BoolArray(_) => Self::Bool,
            Static::Int(_) | Static::IntArray(_) => Self::Int,
            Static::Float(_) | Static::FloatArray(_) => Self::Float,
            Static::Duration(_) => Self::Duration,
            Static::String(_) | Static::StringArray(_) => Self::String,
            Static::Status(_) => Self::Status,
            Static::Kind(_) => Self::Kind,
        }
    }

    pub fn of_field(field: &Field) -> Self {
        match field {
            Field::Attribute(_) => Self::Unknown,
            Field::Intrinsic(intrinsic) => Self::of_intrinsic(*intrinsic),
        }
    }

    /// traceql.md §3.1
    pub fn of_intrinsic(intrinsic: Intrinsic) -> Self {
        match intrinsic {
            Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart => {
                Self::Duration
            }
            Intrinsic::Status => Self::Status,
            Intrinsic::Kind => Self::Kind,
            Intrinsic::Parent => Self::Nil,
            Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent => Self::Int,
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => Self::Unknown,
            Intrinsic::Name
            | Intrinsic::StatusMessage
            | Intrinsic::SpanId
            | Intrinsic::ParentId
            | Intrinsic::TraceId
            | Intrinsic::TraceRootName
            | Intrinsic::TraceRootService
            | Intrinsic::EventName
            | Intrinsic::LinkTraceId
            | Intrinsic::LinkSpanId => Self::String,
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Duration)
    }

    /// A filter may have it.
    pub fn may_be_bool(self) -> bool {
        matches!(self, Self::Bool | Self::Unknown)
    }

    /// An aggregate may be over it.
    pub fn may_be_numeric(self) -> bool {
        self.is_numeric() || self == Self::Unknown
    }

    fn matches(self, other: Self) -> bool {
        self == other
            || [self, other]
                .iter()
                .any(|side| matches!(side, Self::Unknown | Self::Nil))
            || (self.is_numeric() && other.is_numeric())
    }

    fn allows(self, op: BinaryOp) -> bool {
        use Compare::{Equal, NotEqual, NotRegex, Regex};
        match (self, op) {
            (Self::Unknown, _) | (_, BinaryOp::Compare(Equal | NotEqual)) => true,
            (Self::Bool, op) => matches!(op, BinaryOp::And | BinaryOp::Or),
            (Self::Int | Self::Float | Self::Duration, op) => match op {
                BinaryOp::Arithmetic(_) => true,
                BinaryOp::Compare(compare) => !matches!(compare, Regex | NotRegex),
                BinaryOp::And | BinaryOp::Or => false,
            },
            (Self::String, op) => matches!(op, BinaryOp::Compare(_)),
            (Self::Status | Self::Kind | Self::Nil, _) => false,
        }
    }
}

/// Why two types cannot stand beside an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// They differ.
    Types,
    /// The operator is not for them.
    Operator,
}

pub fn check_binary(op: BinaryOp, left: Type, right: Type) -> Result<(), Mismatch> {
    if !left.matches(right) {
        return Err(Mismatch::Types);
    }
    if !left.allows(op) || !right.allows(op) {
        return Err(Mismatch::Operator);
    }
    Ok(())
}

/// The type of a valid binary operation.
pub fn of_binary(op: BinaryOp, left: Type, right: Type) -> Type {
    match op {
        BinaryOp::Arithmetic(
            Arithmetic::Add
            | Arithmetic::Sub
            | Arithmetic::Mul
            | Arithmetic::Div
            | Arithmetic::Mod
            | Arithmetic::Power,
        ) => match left {
            Type::Unknown => right,
            known => known,
        },
        BinaryOp::And | BinaryOp::Or | BinaryOp::Compare(_) => Type::Bool,
    }
}

pub fn allows_unary(op: UnaryOp, inner: Type) -> bool {
    match op {
        UnaryOp::Not => inner.may_be_bool(),
        UnaryOp::Negate => inner.may_be_numeric(),
    }
}
