//! Sets of owners.

/// A set of numbers below `len`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Bitmap {
    words: Vec<u64>,
    len: u32,
}

impl Bitmap {
    pub fn empty(len: u32) -> Self {
        Self {
            words: vec![0; (len as usize).div_ceil(64)],
            len,
        }
    }

    pub fn full(len: u32) -> Self {
        let mut all = Self {
            words: vec![u64::MAX; (len as usize).div_ceil(64)],
            len,
        };
        all.trim();
        all
    }

    /// Those for which `has` is true.
    #[inline]
    pub fn from_fn(len: u32, mut has: impl FnMut(u32) -> bool) -> Self {
        let mut set = Self::empty(len);
        for (number, word) in set.words.iter_mut().enumerate() {
            let start = number as u32 * 64;
            let end = (start + 64).min(len);
            for index in start..end {
                *word |= u64::from(has(index)) << (index - start);
            }
        }
        set
    }

    fn trim(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(64)
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }

    pub fn len(&self) -> u32 {
        self.len
    }

    /// No number is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    #[inline]
    pub fn contains(&self, index: u32) -> bool {
        let word = self.words.get(index as usize / 64);
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    #[inline]
    pub fn insert(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
    }

    #[inline]
    pub fn remove(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    pub fn insert_range(&mut self, range: std::ops::Range<u32>) {
        for index in range {
            self.insert(index);
        }
    }

    pub fn and(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub fn or(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Takes out what the other has.
    pub fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    pub fn negate(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.trim();
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(number, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    number as u32 * 64 + bit
                })
            })
        })
    }

    /// Those of a range, ascending.
    pub fn iter_range(&self, range: std::ops::Range<u32>) -> impl Iterator<Item = u32> + '_ {
        let (start, end) = (range.start, range.end.min(self.len));
        let first = start as usize / 64;
        let last = (end as usize).div_ceil(64).max(first);
        let words = self.words.get(first..last).unwrap_or_default();
        words.iter().enumerate().flat_map(move |(number, &word)| {
            let base = (first + number) as u32 * 64;
            let mut left = word;
            if base < start {
                left &= u64::MAX << (start - base);
            }
            if end < base + 64 {
                left &= u64::MAX.checked_shr(base + 64 - end).unwrap_or(0);
            }
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    base + bit
                })
            })
        })
    }

    /// Whether any of a range is in the set.
    pub fn any_of(&self, range: std::ops::Range<u32>) -> bool {
        self.iter_range(range).next().is_some()
    }
}
