//! Values of the current page of a leaf.

use parquet::basic::Encoding;

use super::bounds::{Bound, Order};
use crate::encode;
use crate::limits::STREAM_BYTES;
use crate::pause::Pause;
use crate::pool::Pool;

/// The values of one leaf's current page.
pub(crate) trait Values {
    const ORDER: Order;

    /// Values, those of absent slots not counted.
    fn len(&self) -> usize;

    /// Bytes that count towards the size of a page besides slots.
    fn bytes(&self) -> usize {
        0
    }

    /// Whatever has to be done before values are encoded and takes so long that others should run meanwhile.
    async fn prepare<F: AsyncFn()>(&mut self, _pool: &Pool<'_>, _pause: &mut Pause<F>) {}

    /// Appends the values to the body of a page.
    fn encode(&mut self, pool: &Pool<'_>, out: &mut Vec<u8>) -> Encoding;

    /// Bytes of each of the streams that encoded values consist of, where each is worth statistics of its own; else 0.
    fn stream(&self) -> usize {
        0
    }

    /// Whether little repeats in the encoded values, so that it is not worth looking for.
    fn is_noise(&self) -> bool {
        false
    }

    /// Least and greatest value. None: no values, or no bounds wanted.
    fn bounds(&mut self, pool: &Pool<'_>) -> Option<(Bound, Bound)>;

    /// Values that are not a number, where such can be.
    fn nan_count(&self) -> Option<i64> {
        None
    }

    /// Forgets the values, and keeps what belongs to the chunk.
    fn clear(&mut self);

    /// Appends the body of the dictionary page and says how many entries it has; none without a dictionary. Forgets
    /// the dictionary.
    fn take_dictionary(&mut self, _pool: &Pool<'_>, _out: &mut Vec<u8>) -> Option<u32> {
        None
    }
}

/// How numbers of a leaf are laid out: whatever came out smallest for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Plain,
    /// All first bytes, then all second ones, and so on.
    Split,
}

/// A number of a leaf.
pub(crate) trait Number: Copy + Ord {
    const ORDER: Order;
    type Bytes: AsRef<[u8]>;
    fn bytes(self) -> Self::Bytes;
}

macro_rules! number {
    ($($type:ty: $order:ident)*) => {
        $(impl Number for $type {
            const ORDER: Order = Order::$order;
            type Bytes = [u8; size_of::<$type>()];
            fn bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }
        })*
    };
}

number!(i32: I32 u32: U32 i64: I64 u64: U64);

/// Integers without a dictionary.
pub(crate) struct Numbers<T> {
    values: Vec<T>,
    layout: Layout,
}

impl<T: Number> Numbers<T> {
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            values: Vec::new(),
            layout,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        self.values.push(value);
    }

    /// The first values of the page, at most so many.
    pub(crate) fn first(&self, most: usize) -> &[T] {
        &self.values[..most.min(self.values.len())]
    }
}

impl<T: Number> Values for Numbers<T> {
    const ORDER: Order = T::ORDER;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        lay_out(&self.values, self.layout, T::bytes, out)
    }

    /// Short numbers have streams that are alike, or nothing but zeros.
    fn stream(&self) -> usize {
        let is_worth_it = self.layout == Layout::Split
            && size_of::<T>() == size_of::<u64>()
            && self.values.len() >= STREAM_BYTES;
        if is_worth_it { self.values.len() } else { 0 }
    }

    fn bounds(&mut self, _: &Pool<'_>) -> Option<(Bound, Bound)> {
        let first = *self.values.first()?;
        let (mut least, mut greatest) = (first, first);
        for value in &self.values {
            least = least.min(*value);
            greatest = greatest.max(*value);
        }
        let bound = |value: T| Bound::exact(value.bytes().as_ref());
        Some((bound(least), bound(greatest)))
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}

fn lay_out<T: Copy, B: AsRef<[u8]>>(
    values: &[T],
    layout: Layout,
    bytes: impl Fn(T) -> B,
    out: &mut Vec<u8>,
) -> Encoding {
    match layout {
        Layout::Plain => {
            out.reserve(size_of_val(values));
            for value in values {
                out.extend_from_slice(bytes(*value).as_ref());
            }
            Encoding::PLAIN
        }
        Layout::Split => {
            for place in 0..size_of::<T>() {
                out.extend(values.iter().map(|value| bytes(*value).as_ref()[place]));
            }
            Encoding::BYTE_STREAM_SPLIT
        }
    }
}

/// Doubles.
pub(crate) struct Doubles {
    values: Vec<f64>,
}

impl Doubles {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
    }
}

impl Values for Doubles {
    const ORDER: Order = Order::F64;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        lay_out(&self.values, Layout::Plain, f64::to_le_bytes, out)
    }

    /// Those of the numbers; when there are none, of what is not a number.
    fn bounds(&mut self, _: &Pool<'_>) -> Option<(Bound, Bound)> {
        let all = self.values.iter().copied();
        let numbers = all.clone().filter(|value| !value.is_nan());
        let least = numbers.clone().min_by(f64::total_cmp);
        let least = least.or_else(|| all.clone().min_by(f64::total_cmp))?;
        let greatest = numbers.max_by(f64::total_cmp);
        let greatest = greatest.or_else(|| all.max_by(f64::total_cmp))?;
        let bound = |value: f64| Bound::exact(value.to_le_bytes());
        Some((bound(least), bound(greatest)))
    }

    fn nan_count(&self) -> Option<i64> {
        let count = self.values.iter().filter(|value| value.is_nan()).count();
        Some(count as i64)
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}

/// Booleans, as 0 or 1. PLAIN always: readers misread the other encoding.
pub(crate) struct Booleans {
    values: Vec<u8>,
}

impl Booleans {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: bool) {
        self.values.push(u8::from(value));
    }
}

impl Values for Booleans {
    const ORDER: Order = Order::Bool;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        encode::booleans(&self.values, out);
        Encoding::PLAIN
    }

    fn bounds(&mut self, _: &Pool<'_>) -> Option<(Bound, Bound)> {
        if self.values.is_empty() {
            return None;
        }
        let least = self.values.iter().fold(1, |all, value| all & value);
        let greatest = self.values.iter().fold(0, |any, value| any | value);
        Some((Bound::exact([least]), Bound::exact([greatest])))
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}

/// Byte arrays without a dictionary.
pub(crate) struct ByteArrays {
    data: Vec<u8>,
    lengths: Vec<u32>,
    /// Neighbours begin alike.
    share_prefixes: bool,
    are_ids: bool,
    bounded: bool,
}

impl ByteArrays {
    pub(crate) fn new() -> Self {
        Self {
            data: Vec::new(),
            lengths: Vec::new(),
            share_prefixes: false,
            are_ids: false,
            bounded: true,
        }
    }

    /// For ids.
    pub(crate) fn of_ids() -> Self {
        Self {
            are_ids: true,
            ..Self::new()
        }
    }

    /// For values whose neighbours begin alike.
    pub(crate) fn sharing_prefixes() -> Self {
        Self {
            share_prefixes: true,
            ..Self::new()
        }
    }

    /// For values so long that bounds say nothing.
    pub(crate) fn unbounded() -> Self {
        Self {
            bounded: false,
            ..Self::new()
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.lengths.push(value.len() as u32);
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.lengths.iter().map(move |len| {
            let end = start + *len as usize;
            let value = &self.data[start..end];
            start = end;
            value
        })
    }
}

impl Values for ByteArrays {
    const ORDER: Order = Order::Bytes;

    fn len(&self) -> usize {
        self.lengths.len()
    }

    fn bytes(&self) -> usize {
        self.data.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        if self.share_prefixes {
            encode::delta_byte_array(&self.lengths, &self.data, out);
            Encoding::DELTA_BYTE_ARRAY
        } else {
            encode::delta_length_byte_array(&self.lengths, &self.data, out);
            Encoding::DELTA_LENGTH_BYTE_ARRAY
        }
    }

    fn is_noise(&self) -> bool {
        self.are_ids
    }

    fn bounds(&mut self, _: &Pool<'_>) -> Option<(Bound, Bound)> {
        if !self.bounded {
            return None;
        }
        let (least, greatest) = (self.iter().min()?, self.iter().max()?);
        Some((Bound::lower(least), Bound::upper(greatest)))
    }

    fn clear(&mut self) {
        self.data.clear();
        self.lengths.clear();
    }
}
