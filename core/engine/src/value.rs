//! Values while an expression is evaluated, and what operators do with them (traceql.md §5.9).

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use vivace_columns::{CellKind, Cells, Strings, kind, status};
use vivace_traceql::{Arithmetic, Compare, Kind, Static, Status};

use crate::error::QueryError;

/// A value on a span. Texts and arrays stay where they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Val<'c> {
    Nil,
    /// Arithmetic with something that is no number, a condition on something that is missing: `false` where a value is asked for,
    /// unknown as a condition.
    Failed,
    Int(i64),
    Float(f64),
    Text(&'c [u8]),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(Status),
    Kind(Kind),
    /// Its text has 16 hex digits.
    SpanId(u64),
    Array(Array<'c>),
}

/// Elements of one type: none, or more than one.
#[derive(Clone, Copy, Debug)]
pub struct Array<'c> {
    /// The kind of the elements.
    kind: CellKind,
    elements: &'c [u64],
    strings: &'c Strings,
}

impl<'c> Array<'c> {
    pub fn iter(self) -> impl Iterator<Item = Val<'c>> {
        let value = move |&bits| Val::scalar(self.kind, bits, self.strings);
        self.elements.iter().map(value)
    }
}

impl<'c> Val<'c> {
    /// A stored cell. An array of one element reads as that element (traceql.md §5.3 R3).
    #[inline]
    pub fn of_cell(cells: &'c Cells, kind: CellKind, bits: u64) -> Self {
        let elements = match kind {
            CellKind::StringArray => CellKind::String,
            CellKind::IntArray => CellKind::Int,
            CellKind::FloatArray => CellKind::Float,
            CellKind::BoolArray => CellKind::Bool,
            scalar => return Self::scalar(scalar, bits, &cells.strings),
        };
        match cells.array(bits) {
            [only] => Self::scalar(elements, *only, &cells.strings),
            all => Self::Array(Array {
                kind: elements,
                elements: all,
                strings: &cells.strings,
            }),
        }
    }

    #[inline]
    fn scalar(kind_of: CellKind, bits: u64, strings: &'c Strings) -> Self {
        match kind_of {
            CellKind::String => Self::Text(strings.get(bits)),
            CellKind::Int => Self::Int(bits.cast_signed()),
            CellKind::Float => Self::Float(f64::from_bits(bits)),
            CellKind::Bool => Self::Bool(bits != 0),
            CellKind::Duration => Self::Duration(bits.cast_signed()),
            CellKind::Status => Self::Status(status(bits)),
            CellKind::Kind => Self::Kind(kind(bits)),
            CellKind::SpanId => Self::SpanId(bits),
            _ => Self::Nil,
        }
    }

    /// A literal.
    pub fn of_static(value: &'c Static) -> Self {
        match value {
            Static::Int(value) => Self::Int(*value),
            Static::Float(value) => Self::Float(*value),
            Static::String(text) => Self::Text(text.as_bytes()),
            Static::Bool(value) => Self::Bool(*value),
            Static::Duration(nanos) => Self::Duration(*nanos),
            Static::Status(status) => Self::Status(*status),
            Static::Kind(kind) => Self::Kind(*kind),
            // Queries have no literals for the rest.
            _ => Self::Nil,
        }
    }

    pub fn to_static(self) -> Static {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
        match self {
            Self::Nil => Static::Nil,
            Self::Failed => Static::Bool(false),
            Self::Int(value) => Static::Int(value),
            Self::Float(value) => Static::Float(value),
            Self::Text(bytes) => Static::String(text(bytes)),
            Self::Bool(value) => Static::Bool(value),
            Self::Duration(nanos) => Static::Duration(nanos),
            Self::Status(status) => Static::Status(status),
            Self::Kind(kind) => Static::Kind(kind),
            Self::SpanId(id) => Static::String(format!("{id:016x}").into()),
            Self::Array(array) => array.to_static(&text),
        }
    }

    /// A number by its value.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            _ => None,
        }
    }

    pub fn is_nil(self) -> bool {
        matches!(self, Self::Nil)
    }
}

impl Array<'_> {
    fn to_static(self, text: &impl Fn(&[u8]) -> std::sync::Arc<str>) -> Static {
        let bits = self.elements.iter().copied();
        match self.kind {
            CellKind::Int => Static::IntArray(bits.map(u64::cast_signed).collect()),
            CellKind::Float => Static::FloatArray(bits.map(f64::from_bits).collect()),
            CellKind::Bool => Static::BoolArray(bits.map(|bit| bit != 0).collect()),
            _ => Static::StringArray(bits.map(|bits| text(self.strings.get(bits))).collect()),
        }
    }
}

/// 16 lower-case hex digits.
pub fn span_id_text(id: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (place, digit) in text.iter_mut().enumerate() {
        let nibble = (id >> (60 - 4 * place) & 15) as u8;
        *digit = if nibble < 10 { b'0' } else { b'a' - 10 } + nibble;
    }
    text
}

/// What an ordering means for a comparison. Regular expressions are compared elsewhere: false.
#[inline]
pub fn holds(op: Compare, ordering: Option<Ordering>) -> bool {
    match (op, ordering) {
        // NaN differs from everything.
        (Compare::NotEqual, None) => true,
        (_, None) | (Compare::Regex | Compare::NotRegex, _) => false,
        (Compare::Equal, Some(ordering)) => ordering.is_eq(),
        (Compare::NotEqual, Some(ordering)) => ordering.is_ne(),
        (Compare::Less, Some(ordering)) => ordering.is_lt(),
        (Compare::LessEqual, Some(ordering)) => ordering.is_le(),
        (Compare::Greater, Some(ordering)) => ordering.is_gt(),
        (Compare::GreaterEqual, Some(ordering)) => ordering.is_ge(),
    }
}

/// The comparison with its sides exchanged.
pub fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Less => Compare::Greater,
        Compare::LessEqual => Compare::GreaterEqual,
        Compare::Greater => Compare::Less,
        Compare::GreaterEqual => Compare::LessEqual,
        other => other,
    }
}

fn is_equality(op: Compare) -> bool {
    matches!(op, Compare::Equal | Compare::NotEqual)
}

/// Whether a value and a scalar stand in a relation; false for types that don't fit. Neither is nil.
fn compare_scalars(op: Compare, left: Val<'_>, right: Val<'_>) -> bool {
    let ordering = match (left, right) {
        (Val::Int(a) | Val::Duration(a), Val::Int(b) | Val::Duration(b)) => Some(a.cmp(&b)),
        (Val::Text(a), Val::Text(b)) => Some(a.cmp(b)),
        (Val::SpanId(a), Val::SpanId(b)) => Some(a.cmp(&b)),
        (Val::SpanId(a), Val::Text(b)) => Some(span_id_text(a)[..].cmp(b)),
        (Val::Text(a), Val::SpanId(b)) => Some(a.cmp(&span_id_text(b)[..])),
        (Val::Bool(a), Val::Bool(b)) if is_equality(op) => Some(a.cmp(&b)),
        (Val::Status(a), Val::Status(b)) if is_equality(op) => Some(a.cmp(&b)),
        (Val::Kind(a), Val::Kind(b)) if is_equality(op) => Some(a.cmp(&b)),
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => return false,
        },
    };
    holds(op, ordering)
}

/// None: unknown, as one side has no value.
pub fn compare(op: Compare, left: Val<'_>, right: Val<'_>) -> Result<Option<bool>, QueryError> {
    Ok(Some(match (left, right) {
        (Val::Nil | Val::Failed, _) | (_, Val::Nil | Val::Failed) => return Ok(None),
        (Val::Array(_), Val::Array(_)) => return Err(QueryError::ArrayWithArray),
        (Val::Array(array), scalar) => {
            of_elements(op, array, |one| compare_scalars(op, one, scalar))
        }
        (scalar, Val::Array(array)) => {
            of_elements(op, array, |one| compare_scalars(op, scalar, one))
        }
        (left, right) => compare_scalars(op, left, right),
    }))
}

/// Some element for most comparisons, every one for the negative ones. No comparison holds for an empty array.
pub fn of_elements<'c>(op: Compare, array: Array<'c>, is: impl FnMut(Val<'c>) -> bool) -> bool {
    match op {
        Compare::NotEqual | Compare::NotRegex => !array.elements.is_empty() && array.iter().all(is),
        _ => array.iter().any(is),
    }
}

/// Arithmetic of two values.
pub fn arithmetic<'c>(
    op: Arithmetic,
    left: Val<'c>,
    right: Val<'c>,
) -> Result<Val<'c>, QueryError> {
    if matches!(left, Val::Array(_)) || matches!(right, Val::Array(_)) {
        return Err(QueryError::ArrayArithmetic);
    }
    if let (Val::Int(a), Val::Int(b)) = (left, right) {
        return integers(op, a, b);
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Ok(Val::Failed);
    };
    Ok(Val::Float(match op {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        Arithmetic::Mod => a % b,
        Arithmetic::Power => a.powf(b),
    }))
}

fn integers<'c>(op: Arithmetic, a: i64, b: i64) -> Result<Val<'c>, QueryError> {
    Ok(Val::Int(match op {
        Arithmetic::Add => a.wrapping_add(b),
        Arithmetic::Sub => a.wrapping_sub(b),
        Arithmetic::Mul => a.wrapping_mul(b),
        Arithmetic::Div if b == 0 => return Err(QueryError::DivisionByZero),
        Arithmetic::Mod if b == 0 => return Err(QueryError::ModuloByZero),
        Arithmetic::Div => a.wrapping_div(b),
        Arithmetic::Mod => a.wrapping_rem(b),
        // a to the power of b (accident 26); what is no integer or too large is a double.
        Arithmetic::Power => {
            let exponent = u32::try_from(b).ok();
            match exponent.and_then(|exponent| a.checked_pow(exponent)) {
                Some(power) => power,
                None => return Ok(Val::Float((a as f64).powf(b as f64))),
            }
        }
    }))
}

/// The order of types where values of several are compared (traceql.md §5.8); numbers are one type.
fn rank(value: Val<'_>) -> u8 {
    match value {
        Val::Nil => 0,
        Val::Int(_) | Val::Float(_) | Val::Duration(_) => 1,
        Val::Text(_) | Val::SpanId(_) => 2,
        Val::Bool(_) | Val::Failed => 3,
        Val::Status(_) => 4,
        Val::Kind(_) => 5,
        Val::Array(_) => 6,
    }
}

/// A total order for `min` and `max`.
pub fn total_order(left: Val<'_>, right: Val<'_>) -> Ordering {
    rank(left)
        .cmp(&rank(right))
        .then_with(|| match (left, right) {
            (Val::Int(a) | Val::Duration(a), Val::Int(b) | Val::Duration(b)) => a.cmp(&b),
            (Val::Text(a), Val::Text(b)) => a.cmp(b),
            (Val::SpanId(a), Val::SpanId(b)) => a.cmp(&b),
            (Val::SpanId(a), Val::Text(b)) => span_id_text(a)[..].cmp(b),
            (Val::Text(a), Val::SpanId(b)) => a.cmp(&span_id_text(b)[..]),
            (Val::Bool(a), Val::Bool(b)) => a.cmp(&b),
            (Val::Status(a), Val::Status(b)) => a.cmp(&b),
            (Val::Kind(a), Val::Kind(b)) => a.cmp(&b),
            (Val::Array(a), Val::Array(b)) => {
                let pairs = a.iter().zip(b.iter());
                let first = pairs
                    .map(|(a, b)| total_order(a, b))
                    .find(|one| one.is_ne());
                first.unwrap_or_else(|| a.elements.len().cmp(&b.elements.len()))
            }
            _ => match (left.number(), right.number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => Ordering::Equal,
            },
        })
}

/// A value as a key: the same type and the same value. Span ids are texts.
#[derive(Clone, Copy, Debug)]
pub struct Key<'c>(pub Val<'c>);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Val::Nil, Val::Nil) => true,
            (Val::Failed, Val::Failed | Val::Bool(false)) | (Val::Bool(false), Val::Failed) => true,
            (Val::Int(a), Val::Int(b)) | (Val::Duration(a), Val::Duration(b)) => a == b,
            (Val::Float(a), Val::Float(b)) => a.to_bits() == b.to_bits(),
            (Val::Text(a), Val::Text(b)) => a == b,
            (Val::SpanId(a), Val::SpanId(b)) => a == b,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Status(a), Val::Status(b)) => a == b,
            (Val::Kind(a), Val::Kind(b)) => a == b,
            (Val::Array(a), Val::Array(b)) => {
                a.kind == b.kind && a.iter().map(Key).eq(b.iter().map(Key))
            }
            _ => false,
        }
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Val::Nil => 0_u8.hash(state),
            Val::Failed => false.hash(state),
            Val::Int(value) | Val::Duration(value) => value.hash(state),
            Val::Float(value) => value.to_bits().hash(state),
            Val::Text(bytes) => bytes.hash(state),
            Val::Bool(value) => value.hash(state),
            Val::Status(status) => status.hash(state),
            Val::Kind(kind) => kind.hash(state),
            Val::SpanId(id) => id.hash(state),
            Val::Array(array) => {
                for one in array.iter() {
                    Key(one).hash(state);
                }
            }
        }
    }
}
