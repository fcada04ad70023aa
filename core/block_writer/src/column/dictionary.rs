//! Leaves with a dictionary. A chunk keeps to its dictionary however large it gets: readers decide from it alone
//! whether a chunk can match.

use hashbrown::HashMap;
use parquet::basic::Encoding;

use super::bounds::{Bound, Order};
use super::values::Values;
use crate::encode::{self, Codes};
use crate::pool::{Pool, Text};

/// Codes of one page of the table from texts to codes.
const TABLE_PAGE: usize = 256;

/// Texts of the pool, stored as codes. No value is hashed: the pool numbers its texts, and a table has the code of a
/// number.
pub(crate) struct Texts {
    codes: Vec<u32>,
    /// By the number of a text, in pages made when they are needed: code + 1, or 0.
    table: Vec<Option<Box<[u32; TABLE_PAGE]>>>,
    /// By code.
    entries: Vec<Entry>,
    /// Number of the current page.
    page: u32,
    /// Codes of the current page, each once.
    distinct: Vec<u32>,
}

struct Entry {
    text: Text,
    /// The last page that has it.
    page: u32,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self {
            codes: Vec::new(),
            table: Vec::new(),
            entries: Vec::new(),
            page: 1,
            distinct: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, text: Text) {
        let (page, place) = (text.0 as usize / TABLE_PAGE, text.0 as usize % TABLE_PAGE);
        let known = match self.table.get(page) {
            Some(Some(codes)) => codes[place],
            _ => 0,
        };
        let code = if known == 0 {
            self.add(text, page, place)
        } else {
            known - 1
        };
        self.codes.push(code);
        let entry = &mut self.entries[code as usize];
        if entry.page != self.page {
            entry.page = self.page;
            self.distinct.push(code);
        }
    }

    #[cold]
    fn add(&mut self, text: Text, page: usize, place: usize) -> u32 {
        if self.table.len() <= page {
            self.table.resize_with(page + 1, || None);
        }
        let code = self.entries.len() as u32;
        self.entries.push(Entry { text, page: 0 });
        self.table[page].get_or_insert_with(|| Box::new([0; TABLE_PAGE]))[place] = code + 1;
        code
    }
}

impl Values for Texts {
    const ORDER: Order = Order::Bytes;

    fn len(&self) -> usize {
        self.codes.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        let max = (self.entries.len() as u32).saturating_sub(1);
        let codes = &self.codes;
        encode::codes(&Codes { codes, max }, out);
        Encoding::RLE_DICTIONARY
    }

    fn bounds(&mut self, pool: &Pool<'_>) -> Option<(Bound, Bound)> {
        let text = |code: &u32| pool.text(self.entries[*code as usize].text).as_bytes();
        let mut texts = self.distinct.iter().map(text);
        let first = texts.next()?;
        let (mut least, mut greatest) = (first, first);
        for text in texts {
            if text < least {
                least = text;
            } else if text > greatest {
                greatest = text;
            }
        }
        Some((Bound::lower(least), Bound::upper(greatest)))
    }

    fn clear(&mut self) {
        self.codes.clear();
        self.distinct.clear();
        self.page += 1;
    }

    fn take_dictionary(&mut self, pool: &Pool<'_>, out: &mut Vec<u8>) -> Option<u32> {
        let count = self.entries.len() as u32;
        for entry in self.entries.drain(..) {
            encode::dictionary_entry(pool.text(entry.text).as_bytes(), out);
            let (page, place) = (
                entry.text.0 as usize / TABLE_PAGE,
                entry.text.0 as usize % TABLE_PAGE,
            );
            if let Some(Some(codes)) = self.table.get_mut(page) {
                codes[place] = 0;
            }
        }
        Some(count)
    }
}

/// Integers of which there are few different ones, stored as codes.
pub(crate) struct Numbered {
    codes: Vec<u32>,
    /// By code.
    numbers: Vec<i64>,
    /// Code + 1 of small numbers.
    small: [u32; 16],
    others: HashMap<i64, u32, foldhash::fast::RandomState>,
    least: i64,
    greatest: i64,
}

impl Numbered {
    pub(crate) fn new() -> Self {
        Self {
            codes: Vec::new(),
            numbers: Vec::new(),
            small: [0; 16],
            others: HashMap::default(),
            least: i64::MAX,
            greatest: i64::MIN,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, number: i64) {
        self.least = self.least.min(number);
        self.greatest = self.greatest.max(number);
        let next = self.numbers.len() as u32;
        let code = match usize::try_from(number).ok().filter(|small| *small < 16) {
            Some(small) => {
                let known = &mut self.small[small];
                if *known == 0 {
                    *known = next + 1;
                }
                *known - 1
            }
            None => *self.others.entry(number).or_insert(next),
        };
        if code == next {
            self.numbers.push(number);
        }
        self.codes.push(code);
    }
}

impl Values for Numbered {
    const ORDER: Order = Order::I64;

    fn len(&self) -> usize {
        self.codes.len()
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        let max = (self.numbers.len() as u32).saturating_sub(1);
        let codes = &self.codes;
        encode::codes(&Codes { codes, max }, out);
        Encoding::RLE_DICTIONARY
    }

    fn bounds(&mut self, _: &Pool<'_>) -> Option<(Bound, Bound)> {
        let bound = |number: i64| Bound::exact(number.to_le_bytes());
        (!self.codes.is_empty()).then(|| (bound(self.least), bound(self.greatest)))
    }

    fn clear(&mut self) {
        self.codes.clear();
        (self.least, self.greatest) = (i64::MAX, i64::MIN);
    }

    fn take_dictionary(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Option<u32> {
        let count = self.numbers.len() as u32;
        for number in self.numbers.drain(..) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        self.small = [0; 16];
        self.others.clear();
        Some(count)
    }
}
