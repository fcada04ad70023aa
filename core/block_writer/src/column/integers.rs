//! Integers of attributes: a dictionary where there are few different ones, all values where there are many.

use parquet::basic::Encoding;

use super::bounds::{Bound, Order};
use super::dictionary::Numbered;
use super::values::{Layout, Numbers, Values};
use crate::pool::Pool;

/// Values that are looked at to choose.
const LOOKED_AT: usize = 4096;
/// Of so many values one may be different from all others, for a dictionary.
const VALUES_PER_ENTRY: usize = 16;

/// Integers of one leaf. What the first page of a chunk has decides for all of the chunk: readers decide from a
/// dictionary alone whether the chunk can match.
pub(crate) struct Integers {
    values: Numbers<i64>,
    chosen: Option<Chosen>,
    numbered: Numbered,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    All,
    Dictionary,
}

impl Integers {
    pub(crate) fn new() -> Self {
        Self {
            values: Numbers::new(Layout::Split),
            chosen: None,
            numbered: Numbered::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: i64) {
        self.values.push(value);
    }

    /// Without a value there is no dictionary.
    fn choose(&self) -> Chosen {
        let values = self.values.first(LOOKED_AT);
        let mut different = values.to_vec();
        different.sort_unstable();
        different.dedup();
        if values.is_empty() || different.len() > (values.len() / VALUES_PER_ENTRY).max(1) {
            Chosen::All
        } else {
            Chosen::Dictionary
        }
    }
}

impl Values for Integers {
    const ORDER: Order = Order::I64;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn encode(&mut self, pool: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        let chosen = self.chosen.unwrap_or_else(|| self.choose());
        self.chosen = Some(chosen);
        match chosen {
            Chosen::All => self.values.encode(pool, out),
            Chosen::Dictionary => {
                for value in self.values.first(usize::MAX) {
                    self.numbered.push(*value);
                }
                self.numbered.encode(pool, out)
            }
        }
    }

    fn stream(&self) -> usize {
        match self.chosen {
            Some(Chosen::All) => self.values.stream(),
            _ => 0,
        }
    }

    fn is_noise(&self) -> bool {
        self.chosen == Some(Chosen::All)
    }

    fn bounds(&mut self, pool: &Pool<'_>) -> Option<(Bound, Bound)> {
        self.values.bounds(pool)
    }

    fn clear(&mut self) {
        self.values.clear();
        self.numbered.clear();
    }

    fn take_dictionary(&mut self, pool: &Pool<'_>, out: &mut Vec<u8>) -> Option<u32> {
        match self.chosen.take() {
            Some(Chosen::Dictionary) => self.numbered.take_dictionary(pool, out),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings of pages with these values, and the entries of the dictionary.
    fn encodings(integers: &mut Integers, pages: &[Vec<i64>]) -> (Vec<Encoding>, Option<u32>) {
        let pool = Pool::new();
        let mut out = Vec::new();
        let encode = |page: &Vec<i64>| {
            page.iter().for_each(|value| integers.push(*value));
            let encoding = integers.encode(&pool, &mut out);
            integers.clear();
            encoding
        };
        let encodings = pages.iter().map(encode).collect();
        (encodings, integers.take_dictionary(&pool, &mut out))
    }

    #[test]
    fn the_first_page_decides_for_its_chunk() {
        let few: Vec<i64> = (0..1000).map(|value| 200 + value % 5).collect();
        let many: Vec<i64> = (0..1000).collect();
        let mut integers = Integers::new();
        for (pages, expected, entries) in [
            (
                [few.clone(), many.clone()],
                Encoding::RLE_DICTIONARY,
                Some(1000),
            ),
            ([many, few.clone()], Encoding::BYTE_STREAM_SPLIT, None),
            ([Vec::new(), few], Encoding::BYTE_STREAM_SPLIT, None),
            ([vec![7], vec![7]], Encoding::RLE_DICTIONARY, Some(1)),
        ] {
            let found = encodings(&mut integers, &pages);
            assert_eq!(found, (vec![expected; 2], entries));
        }
    }
}
