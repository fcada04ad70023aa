//! One column of a batch, read in place.

use std::marker::PhantomData;

/// What a column can hold.
pub trait Scalar: Copy + Default {
    #[doc(hidden)]
    const SIZE: usize;
    #[doc(hidden)]
    fn load(bytes: &[u8]) -> Self;
}

macro_rules! scalar {
    ($($type:ty)*) => {
        $(impl Scalar for $type {
            const SIZE: usize = size_of::<$type>();
            #[inline(always)]
            fn load(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$type>()];
                raw.copy_from_slice(bytes);
                <$type>::from_le_bytes(raw)
            }
        })*
    };
}

scalar!(u32 i32 u64);

impl<const N: usize> Scalar for [u8; N]
where
    [u8; N]: Default,
{
    const SIZE: usize = N;
    #[inline(always)]
    fn load(bytes: &[u8]) -> Self {
        let mut raw = [0; N];
        raw.copy_from_slice(bytes);
        raw
    }
}

/// A column in place: little-endian values without alignment. A column that is absent from the batch reads as zeros.
#[derive(Clone, Copy)]
pub struct Column<'a, T> {
    bytes: &'a [u8],
    len: usize,
    scalar: PhantomData<T>,
}

impl<'a, T: Scalar> Column<'a, T> {
    /// `bytes` is empty (absent), or holds `len` values.
    pub(crate) fn new(bytes: &'a [u8], len: usize) -> Self {
        Self {
            bytes,
            len,
            scalar: PhantomData,
        }
    }

    /// A column whose length follows from its bytes.
    pub(crate) fn full(bytes: &'a [u8]) -> Self {
        Self::new(bytes, bytes.len() / T::SIZE)
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All values are zero, and none is stored.
    #[inline]
    pub fn is_absent(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value at `index`; zero beyond the end.
    #[inline(always)]
    pub fn get(&self, index: usize) -> T {
        if index >= self.len {
            return T::default();
        }
        let start = index * T::SIZE;
        self.bytes
            .get(start..start + T::SIZE)
            .map(T::load)
            .unwrap_or_default()
    }

    pub fn iter(self) -> impl ExactSizeIterator<Item = T> + 'a
    where
        T: 'a,
    {
        (0..self.len).map(move |index| self.get(index))
    }

    /// The values as they are stored: little-endian, `len` of them, or no bytes when the column is absent.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What owner `index` owns, when this is a column of starts.
    #[inline]
    pub(crate) fn range(&self, index: usize) -> std::ops::Range<usize>
    where
        T: Into<u64>,
    {
        self.get(index).into() as usize..self.get(index.saturating_add(1)).into() as usize
    }
}
