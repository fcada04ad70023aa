//! Values of queries, and what operators do with them (traceql.md §5.9).

use std::cmp::Ordering;

use vivace_traceql::{Arithmetic, Compare, Kind, Static, Status};

use crate::data::Value;

#[derive(Clone, Debug)]
pub enum V {
    Nil,
    /// `false` as a value, unknown as a condition.
    Failed,
    Int(i64),
    Float(f64),
    Text(String),
    Bool(bool),
    Duration(i64),
    Status(Status),
    Kind(Kind),
    /// Of none, two or more elements: one element is a plain value (R3).
    Array(Vec<V>),
}

/// The query must fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fails;

impl V {
    /// None: a value that queries can't see.
    pub fn stored(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Text(text) => Self::Text(text.clone()),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Bool(value) => Self::Bool(*value),
            Value::Array(elements) => {
                let mut elements: Vec<_> = elements.iter().filter_map(Self::stored).collect();
                match elements.len() {
                    1 => elements.remove(0),
                    _ => Self::Array(elements),
                }
            }
            Value::Hidden(_) => return None,
        })
    }

    pub fn literal(value: &Static) -> Self {
        match value {
            Static::Int(value) => Self::Int(*value),
            Static::Float(value) => Self::Float(*value),
            Static::String(text) => Self::Text(text.to_string()),
            Static::Bool(value) => Self::Bool(*value),
            Static::Duration(nanos) => Self::Duration(*nanos),
            Static::Status(status) => Self::Status(*status),
            Static::Kind(kind) => Self::Kind(*kind),
            other => panic!("no literal: {other:?}"),
        }
    }

    pub fn to_static(&self) -> Static {
        match self {
            Self::Nil => Static::Nil,
            Self::Failed => Static::Bool(false),
            Self::Int(value) => Static::Int(*value),
            Self::Float(value) => Static::Float(*value),
            Self::Text(text) => Static::String(text.as_str().into()),
            Self::Bool(value) => Static::Bool(*value),
            Self::Duration(nanos) => Static::Duration(*nanos),
            Self::Status(status) => Static::Status(*status),
            Self::Kind(kind) => Static::Kind(*kind),
            Self::Array(elements) => array(elements),
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Known to be true or false.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

pub fn of_truth(truth: Option<bool>) -> V {
    truth.map_or(V::Failed, V::Bool)
}

fn array(elements: &[V]) -> Static {
    let all: Vec<Static> = elements.iter().map(V::to_static).collect();
    match all.first() {
        Some(Static::Int(_)) => Static::IntArray(
            (all.iter())
                .map(|one| match one {
                    Static::Int(value) => *value,
                    other => panic!("{other:?}"),
                })
                .collect(),
        ),
        Some(Static::Float(_)) => Static::FloatArray(
            (all.iter())
                .map(|one| match one {
                    Static::Float(value) => *value,
                    other => panic!("{other:?}"),
                })
                .collect(),
        ),
        Some(Static::Bool(_)) => Static::BoolArray(
            (all.iter())
                .map(|one| match one {
                    Static::Bool(value) => *value,
                    other => panic!("{other:?}"),
                })
                .collect(),
        ),
        _ => Static::StringArray(
            (all.iter())
                .map(|one| match one {
                    Static::String(text) => text.clone(),
                    other => panic!("{other:?}"),
                })
                .collect(),
        ),
    }
}

/// Patterns match whole values, `.` matches line breaks.
fn matches(pattern: &str, text: &str) -> bool {
    let regex = regex::Regex::new(&format!("^(?s:{pattern})$")).unwrap();
    regex.is_match(text)
}

fn by_order(op: Compare, ordering: Option<Ordering>) -> bool {
    let Some(ordering) = ordering else {
        return op == Compare::NotEqual;
    };
    match op {
        Compare::Equal => ordering.is_eq(),
        Compare::NotEqual => ordering.is_ne(),
        Compare::Less => ordering.is_lt(),
        Compare::LessEqual => ordering.is_le(),
        Compare::Greater => ordering.is_gt(),
        Compare::GreaterEqual => ordering.is_ge(),
        Compare::Regex | Compare::NotRegex => false,
    }
}

/// Two scalars that are there.
pub fn scalars(op: Compare, left: &V, right: &V) -> bool {
    let only_equality = matches!(op, Compare::Equal | Compare::NotEqual);
    match (left, right) {
        (V::Text(text), V::Text(pattern)) if op == Compare::Regex => matches(pattern, text),
        (V::Text(text), V::Text(pattern)) if op == Compare::NotRegex => !matches(pattern, text),
        (V::Text(a), V::Text(b)) => by_order(op, Some(a.as_bytes().cmp(b.as_bytes()))),
        (V::Int(a) | V::Duration(a), V::Int(b) | V::Duration(b)) => by_order(op, Some(a.cmp(b))),
        (V::Bool(a), V::Bool(b)) => only_equality && by_order(op, Some(a.cmp(b))),
        (V::Status(a), V::Status(b)) => only_equality && by_order(op, Some(a.cmp(b))),
        (V::Kind(a), V::Kind(b)) => only_equality && by_order(op, Some(a.cmp(b))),
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => by_order(op, a.partial_cmp(&b)),
            _ => false,
        },
    }
}

/// Any two values.
pub fn compare(op: Compare, left: &V, right: &V) -> Result<Option<bool>, Fails> {
    let of = |elements: &[V], is: &dyn Fn(&V) -> bool| match op {
        Compare::NotEqual | Compare::NotRegex => !elements.is_empty() && elements.iter().all(is),
        _ => elements.iter().any(is),
    };
    Ok(match (left, right) {
        (V::Nil | V::Failed, _) | (_, V::Nil | V::Failed) => None,
        (V::Array(_), V::Array(_)) => return Err(Fails),
        (V::Array(elements), right) => Some(of(elements, &|one| scalars(op, one, right))),
        (left, V::Array(elements)) => Some(of(elements, &|one| scalars(op, left, one))),
        (left, right) => Some(scalars(op, left, right)),
    })
}

/// R2: values of other types than the literal's lie elsewhere. Texts, numbers and booleans of other types never compare anyway.
pub fn same_column(value: &V, literal: &V) -> bool {
    match value {
        V::Array(elements) => elements.iter().all(|one| same_column(one, literal)),
        V::Int(_) => !matches!(literal, V::Float(_)),
        V::Float(_) => !matches!(literal, V::Int(_) | V::Duration(_)),
        _ => true,
    }
}

pub fn arithmetic(op: Arithmetic, left: &V, right: &V) -> Result<V, Fails> {
    if matches!(left, V::Array(_)) || matches!(right, V::Array(_)) {
        return Err(Fails);
    }
    if let (V::Int(a), V::Int(b)) = (left, right) {
        let (a, b) = (*a, *b);
        return Ok(match op {
            Arithmetic::Add => V::Int(a.wrapping_add(b)),
            Arithmetic::Sub => V::Int(a.wrapping_sub(b)),
            Arithmetic::Mul => V::Int(a.wrapping_mul(b)),
            Arithmetic::Div | Arithmetic::Mod if b == 0 => return Err(Fails),
            Arithmetic::Div => V::Int(a.wrapping_div(b)),
            Arithmetic::Mod => V::Int(a.wrapping_rem(b)),
            Arithmetic::Power => {
                let whole = u32::try_from(b).ok().and_then(|b| a.checked_pow(b));
                whole.map_or_else(|| V::Float((a as f64).powf(b as f64)), V::Int)
            }
        });
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Ok(V::Failed);
    };
    Ok(V::Float(match op {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        Arithmetic::Mod => a % b,
        Arithmetic::Power => a.powf(b),
    }))
}

/// By type and value.
pub fn same(left: &V, right: &V) -> bool {
    left.to_static() == right.to_static()
}

/// For `min` and `max`: numbers, texts, booleans, the rest.
pub fn order(left: &V, right: &V) -> Ordering {
    let rank = |value: &V| match value {
        V::Nil => 0,
        V::Int(_) | V::Float(_) | V::Duration(_) => 1,
        V::Text(_) => 2,
        V::Bool(_) | V::Failed => 3,
        V::Status(_) => 4,
        V::Kind(_) => 5,
        V::Array(_) => 6,
    };
    let within = match (left, right) {
        (V::Int(a) | V::Duration(a), V::Int(b) | V::Duration(b)) => a.cmp(b),
        (V::Text(a), V::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => Ordering::Equal,
        },
    };
    rank(left).cmp(&rank(right)).then(within)
}
