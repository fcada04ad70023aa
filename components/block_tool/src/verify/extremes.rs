//! The smallest and largest of values, and bounds that must hold for them.

use std::cmp::Ordering;

use vivace_block::schema::{Leaf, Logical, Physical};

use crate::parquet::{self, Bounds, FileLeaf, Values, physical};

/// How values of a leaf are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Bool,
    I32,
    U32,
    I64,
    U64,
    F64,
    Bytes,
}

impl Order {
    pub fn of(leaf: &Leaf) -> Self {
        let unsigned = matches!(leaf.logical, Logical::Unsigned(_));
        match leaf.physical {
            Physical::Boolean => Self::Bool,
            Physical::Int32 if unsigned => Self::U32,
            Physical::Int32 => Self::I32,
            Physical::Int64 if unsigned => Self::U64,
            Physical::Int64 => Self::I64,
            Physical::Double => Self::F64,
            Physical::ByteArray => Self::Bytes,
        }
    }

    /// None for a type that blocks do not have.
    pub fn of_file(leaf: &FileLeaf) -> Option<Self> {
        let unsigned = matches!(
            leaf.logical,
            parquet::Logical::Integer { signed: false, .. }
        );
        Some(match leaf.physical {
            physical::BOOLEAN => Self::Bool,
            physical::INT32 if unsigned => Self::U32,
            physical::INT32 => Self::I32,
            physical::INT64 if unsigned => Self::U64,
            physical::INT64 => Self::I64,
            physical::DOUBLE => Self::F64,
            physical::BYTE_ARRAY => Self::Bytes,
            _ => return None,
        })
    }

    /// Compares two values in PLAIN encoding. None: one of them is none.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Option<Ordering> {
        fn both<const N: usize>(a: &[u8], b: &[u8]) -> Option<([u8; N], [u8; N])> {
            Some((a.try_into().ok()?, b.try_into().ok()?))
        }
        Some(match self {
            Self::Bool => {
                let (a, b) = both::<1>(a, b)?;
                (a[0] & 1).cmp(&(b[0] & 1))
            }
            Self::I32 => {
                let (a, b) = both(a, b)?;
                i32::from_le_bytes(a).cmp(&i32::from_le_bytes(b))
            }
            Self::U32 => {
                let (a, b) = both(a, b)?;
                u32::from_le_bytes(a).cmp(&u32::from_le_bytes(b))
            }
            Self::I64 => {
                let (a, b) = both(a, b)?;
                i64::from_le_bytes(a).cmp(&i64::from_le_bytes(b))
            }
            Self::U64 => {
                let (a, b) = both(a, b)?;
                u64::from_le_bytes(a).cmp(&u64::from_le_bytes(b))
            }
            Self::F64 => {
                let (a, b) = both(a, b)?;
                return f64::from_le_bytes(a).partial_cmp(&f64::from_le_bytes(b));
            }
            Self::Bytes => a.cmp(b),
        })
    }
}

/// The smallest and the largest value, in PLAIN encoding; none for no values. NaN is not one.
pub(super) fn of(values: &Values, order: Order) -> Option<Bounds> {
    fn bounds<T: Copy, const N: usize>(
        values: impl Iterator<Item = T> + Clone,
        compare: impl Fn(&T, &T) -> Ordering,
        bytes: impl Fn(T) -> [u8; N],
    ) -> Option<Bounds> {
        let min = values.clone().min_by(&compare)?;
        let max = values.max_by(&compare)?;
        Some(Bounds {
            min: bytes(min).to_vec(),
            max: bytes(max).to_vec(),
        })
    }
    match (values, order) {
        (Values::Bool(values), _) => {
            bounds(values.iter().copied(), bool::cmp, |value| [u8::from(value)])
        }
        (Values::I32(values), Order::U32) => bounds(
            values.iter().map(|value| value.cast_unsigned()),
            u32::cmp,
            u32::to_le_bytes,
        ),
        (Values::I32(values), _) => bounds(values.iter().copied(), i32::cmp, i32::to_le_bytes),
        (Values::I64(values), Order::U64) => bounds(
            values.iter().map(|value| value.cast_unsigned()),
            u64::cmp,
            u64::to_le_bytes,
        ),
        (Values::I64(values), _) => bounds(values.iter().copied(), i64::cmp, i64::to_le_bytes),
        (Values::F64(values), _) => bounds(
            values.iter().copied().filter(|value| !value.is_nan()),
            |a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal),
            f64::to_le_bytes,
        ),
        (Values::Bytes(values), _) => {
            let all = values.iter().map(|value| value.data());
            Some(Bounds {
                min: all.clone().min()?.to_vec(),
                max: all.max()?.to_vec(),
            })
        }
    }
}

/// Widens `bounds` so that they hold for `more` too.
pub(crate) fn widen(bounds: &mut Option<Bounds>, more: Option<&Bounds>, order: Order) {
    let Some(more) = more else { return };
    match bounds {
        None => *bounds = Some(more.clone()),
        Some(bounds) => {
            if order.compare(&more.min, &bounds.min) == Some(Ordering::Less) {
                bounds.min.clone_from(&more.min);
            }
            if order.compare(&more.max, &bounds.max) == Some(Ordering::Greater) {
                bounds.max.clone_from(&more.max);
            }
        }
    }
}

/// Whether bounds hold for values between `actual`.
pub(super) fn hold(bounds: &Bounds, actual: &Bounds, order: Order) -> bool {
    let below = order.compare(&bounds.min, &actual.min);
    let above = order.compare(&bounds.max, &actual.max);
    matches!(below, Some(Ordering::Less | Ordering::Equal))
        && matches!(above, Some(Ordering::Greater | Ordering::Equal))
}
