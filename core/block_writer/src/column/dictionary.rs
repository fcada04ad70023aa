//! Leaves with a dictionary. A chunk keeps to its dictionary however large it gets: readers decide from it alone
//! whether a chunk can match.

use hashbrown::HashMap;
use parquet::basic::Encoding;

use super::bounds::{Bound, Order};
use super::sorted::{self, ByKey};
use super::values::Values;
use crate::encode::{self, Codes};
use crate::limits::SORTED_AT_ONCE;
use crate::pause::Pause;
use crate::pool::{Pool, Text};

/// Codes of one page of the table from texts to codes.
const TABLE_PAGE: usize = 256;
/// How many times a page has a text that comes often.
const OFTEN: u32 = 4;

/// Texts of the pool, stored as codes. No value is hashed: the pool numbers its texts, and a table has the code of a
/// number.
pub(crate) struct Texts {
    codes: Vec<u32>,
    /// By the number of a text, in pages made when they are needed.
    table: Vec<Option<Box<[Known; TABLE_PAGE]>>>,
    /// By code.
    entries: Vec<Entry>,
    /// Entries that earlier pages have.
    before: usize,
    /// Number of the current page.
    page: u32,
    /// Codes of the current page among which are those of the least and the greatest text.
    candidates: Vec<u32>,
}

/// What is known of a text: nothing if all is 0.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Its code + 1.
    next: u32,
    /// The last page that has it.
    page: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    text: Text,
    /// What such texts are values of.
    class: Text,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self {
            codes: Vec::new(),
            table: Vec::new(),
            entries: Vec::new(),
            before: 0,
            page: 1,
            candidates: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, text: Text) {
        self.push_of(text, Text::EMPTY);
    }

    /// The same for texts of several kinds: those of one class are alike.
    #[inline]
    pub(crate) fn push_of(&mut self, text: Text, class: Text) {
        let (page, place) = place_of(text);
        if let Some(Some(known)) = self.table.get_mut(page)
            && known[place].next != 0
        {
            let known = &mut known[place];
            let code = known.next - 1;
            self.codes.push(code);
            if known.page != self.page {
                known.page = self.page;
                self.candidates.push(code);
            }
        } else {
            self.add(text, class, page, place);
        }
    }

    #[cold]
    fn add(&mut self, text: Text, class: Text, page: usize, place: usize) {
        if self.table.len() <= page {
            self.table.resize_with(page + 1, || None);
        }
        self.codes.push(self.entries.len() as u32);
        self.entries.push(Entry { text, class });
        let known =
            self.table[page].get_or_insert_with(|| Box::new([Known::default(); TABLE_PAGE]));
        known[place] = Known {
            next: self.entries.len() as u32,
            page: self.page,
        };
    }

    /// Numbers the entries that are new in this page anew. Texts of the page that come often get the first codes, so
    /// that the upper bytes of codes are mostly 0; others are sorted, which is how a dictionary compresses best.
    async fn sort_new<F: AsyncFn()>(&mut self, pool: &Pool<'_>, pause: &mut Pause<F>) {
        let before = self.before;
        let new = &self.entries[before..];
        if new.len() < 2 {
            self.candidates
                .extend(before as u32..self.entries.len() as u32);
            self.before = self.entries.len();
            return;
        }
        let mut counts = vec![0_u32; new.len()];
        for code in &self.codes {
            if let Some(count) = counts.get_mut((*code as usize).wrapping_sub(before)) {
                *count += 1;
            }
        }
        let keys = new.iter().zip(counts).map(|(entry, count)| {
            let often = if count >= OFTEN { count } else { 0 };
            u64::from(!often) << 32 | u64::from(entry.class.0)
        });
        let mut order = ByKey::new(keys);
        let text = |index: u32| pool.text(new[index as usize].text).as_bytes();
        let mut code = before as u32;
        for alike in order.alike() {
            for few in alike.chunks_mut(SORTED_AT_ONCE) {
                sorted::by_text(few, text);
                self.candidates.push(code);
                code += few.len() as u32;
                self.candidates.push(code - 1);
                if few.len() == SORTED_AT_ONCE {
                    pause.now().await;
                }
            }
        }
        let sorted: Vec<_> = order.indexes().map(|index| new[index as usize]).collect();
        let mut codes = vec![0; sorted.len()];
        for (code, index) in (before as u32..).zip(order.indexes()) {
            codes[index as usize] = code;
        }
        for (code, entry) in (before as u32..).zip(sorted) {
            let (page, place) = place_of(entry.text);
            if let Some(Some(known)) = self.table.get_mut(page) {
                known[place].next = code + 1;
            }
            self.entries[code as usize] = entry;
        }
        for code in &mut self.codes {
            if let Some(new) = codes.get((*code as usize).wrapping_sub(before)) {
                *code = *new;
            }
        }
        self.before = self.entries.len();
        pause.now().await;
    }
}

fn place_of(text: Text) -> (usize, usize) {
    (text.0 as usize / TABLE_PAGE, text.0 as usize % TABLE_PAGE)
}

impl Values for Texts {
    const ORDER: Order = Order::Bytes;

    fn len(&self) -> usize {
        self.codes.len()
    }

    async fn prepare<F: AsyncFn()>(&mut self, pool: &Pool<'_>, pause: &mut Pause<F>) {
        self.sort_new(pool, pause).await;
    }

    fn encode(&mut self, _: &Pool<'_>, out: &mut Vec<u8>) -> Encoding {
        let max = (self.entries.len() as u32).saturating_sub(1);
        let codes = &self.codes;
        encode::codes(&Codes { codes, max }, out);
        Encoding::RLE_DICTIONARY
    }

    fn bounds(&mut self, pool: &Pool<'_>) -> Option<(Bound, Bound)> {
        let text = |code: &u32| pool.text(self.entries[*code as usize].text).as_bytes();
        let mut texts = self.candidates.iter().map(text);
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
        self.candidates.clear();
        self.page += 1;
    }

    fn take_dictionary(&mut self, pool: &Pool<'_>, out: &mut Vec<u8>) -> Option<u32> {
        let count = self.entries.len() as u32;
        self.before = 0;
        for entry in self.entries.drain(..) {
            encode::dictionary_entry(pool.text(entry.text).as_bytes(), out);
            let (page, place) = place_of(entry.text);
            if let Some(Some(known)) = self.table.get_mut(page) {
                known[place] = Known::default();
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
