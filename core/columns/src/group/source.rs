//! Reads leaves of the rows.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use vivace_block_reader::{
    Budget, ColumnPage, Corrupt, Dictionary, Fetched, Leaf, OpenBlock, Ranges, ReadError, RowGroup,
    Values, Wanted,
};

use super::error::LoadError;
use super::limits::{BYTES_PER_SLOT, SLOTS_PER_PAUSE};
use super::room::Room;

/// The rows of a chunk, and what is held of them.
pub(super) struct Source<R, P> {
    pub block: Arc<OpenBlock>,
    file: Arc<str>,
    group: usize,
    pub rows: Range<u32>,
    ranges: R,
    pause: P,
    fetched: Fetched,
    limit: usize,
    room: Rc<dyn Room>,
    /// Taken from `room` for what is being decoded; given back by `settle`.
    passing: usize,
    /// Bytes of what was decoded and is kept, dictionaries included.
    pub held: usize,
    dictionaries: HashMap<usize, Arc<Dictionary>>,
    slots: usize,
}

/// What was read of a leaf. Values are codes only where the dictionary has strings, and then all are in it.
pub(super) struct LeafData {
    pub page: ColumnPage,
    pub dictionary: Option<Arc<Dictionary>>,
}

impl<R: Ranges, P: AsyncFn()> Source<R, P> {
    pub fn new(
        block: Arc<OpenBlock>,
        group: usize,
        rows: Range<u32>,
        ranges: R,
        (limit, room): (usize, Rc<dyn Room>),
        pause: P,
    ) -> Result<Self, LoadError<R::Error>> {
        let source = Self {
            file: block.file().into(),
            block,
            group,
            rows,
            ranges,
            pause,
            fetched: Fetched::default(),
            limit,
            room,
            passing: 0,
            held: 0,
            dictionaries: HashMap::new(),
            slots: 0,
        };
        let fits = |group: &RowGroup| {
            source.rows.start <= source.rows.end && source.rows.end <= group.rows
        };
        match source.block.row_groups().get(group).is_some_and(fits) {
            true => Ok(source),
            false => Err(source.no_rows()),
        }
    }

    fn no_rows(&self) -> LoadError<R::Error> {
        let groups = self.block.row_groups();
        LoadError::NoRows {
            file: self.file.clone(),
            group: self.group,
            groups: groups.len(),
            start: self.rows.start,
            end: self.rows.end,
            rows: groups.get(self.group).map_or(0, |group| group.rows),
        }
    }

    pub fn version3(&self) -> LoadError<R::Error> {
        LoadError::Version3 {
            file: self.file.clone(),
        }
    }

    pub fn too_much(&self, leaf: usize) -> LoadError<R::Error> {
        LoadError::TooMuch {
            file: self.file.clone(),
            group: self.group,
            start: self.rows.start,
            end: self.rows.end,
            column: self.leaf(leaf).map_or("", |leaf| &leaf.path).into(),
            limit: self.limit,
        }
    }

    /// A leaf that is not as its neighbours say.
    pub fn corrupt(&self, leaf: usize, reason: &'static str) -> LoadError<R::Error> {
        let group = self.block.row_groups().get(self.group);
        let chunk = group.and_then(|group| group.chunks.get(leaf));
        let corrupt = Corrupt {
            column: self.leaf(leaf).map(|leaf| leaf.path.as_str().into()),
            offset: chunk.map_or(0, |chunk| chunk.start),
            reason: reason.into(),
        };
        self.corrupt_at(corrupt)
    }

    fn corrupt_at(&self, corrupt: Corrupt) -> LoadError<R::Error> {
        LoadError::Read(ReadError::Corrupt {
            file: self.file.clone(),
            corrupt,
        })
    }

    pub fn leaf(&self, leaf: usize) -> Option<&Leaf> {
        self.block.leaves().get(leaf)
    }

    /// Level slots of a leaf in the whole row group.
    pub fn slots_of(&self, leaf: usize) -> u64 {
        let group = self.block.row_groups().get(self.group);
        let chunk = group.and_then(|group| group.chunks.get(leaf));
        chunk.map_or(0, |chunk| chunk.slots)
    }

    pub fn bytes_read(&self) -> u64 {
        self.fetched.cost().0
    }

    /// Fetched bytes and what was decoded.
    pub fn memory_bytes(&self) -> usize {
        let fetched = usize::try_from(self.fetched.cost().0).unwrap_or(usize::MAX);
        self.held.saturating_add(fetched)
    }

    /// Bytes that may still be taken.
    pub fn left(&self) -> usize {
        self.limit.saturating_sub(self.memory_bytes())
    }

    /// Counts what is kept from now on, `leaf` being what it was made of.
    pub fn hold(&mut self, leaf: usize, bytes: usize) -> Result<(), LoadError<R::Error>> {
        if bytes > self.left() {
            return Err(self.too_much(leaf));
        }
        self.take(leaf, bytes)?;
        self.held += bytes;
        Ok(())
    }

    fn take(&self, leaf: usize, bytes: usize) -> Result<(), LoadError<R::Error>> {
        match self.room.take(bytes) {
            true => Ok(()),
            false => Err(LoadError::NoRoom {
                file: self.file.clone(),
                column: self.leaf(leaf).map_or("", |leaf| &leaf.path).into(),
                bytes,
            }),
        }
    }

    /// What was held is there no more.
    pub fn release(&mut self, bytes: usize) {
        self.held -= bytes;
        self.room.give_back(bytes);
    }

    /// Counts what another query has decoded and this one keeps from being dropped.
    pub fn share(&self, leaf: usize, bytes: usize) -> Result<(), LoadError<R::Error>> {
        self.take(leaf, bytes)
    }

    /// What was decoded has become what is held.
    pub fn settle(&mut self) {
        self.room.give_back(std::mem::take(&mut self.passing));
    }

    /// Takes what decoding some rows of a leaf needs for the moment, about.
    fn pass(&mut self, leaf: usize, rows: &Range<u32>) -> Result<(), LoadError<R::Error>> {
        let group = self.block.row_groups().get(self.group);
        let chunk = group.and_then(|group| Some((group, group.chunks.get(leaf)?)));
        let Some((group, chunk)) = chunk else {
            return Ok(());
        };
        let all = u128::from(chunk.slots) * BYTES_PER_SLOT as u128;
        let share = all * (rows.len() as u128) / u128::from(group.rows.max(1));
        let bytes = usize::try_from(share).unwrap_or(usize::MAX);
        self.take(leaf, bytes)?;
        self.passing += bytes;
        Ok(())
    }

    /// After work on so many slots.
    pub async fn worked(&mut self, slots: usize) {
        self.slots += slots;
        if self.slots >= SLOTS_PER_PAUSE {
            self.slots = 0;
            (self.pause)().await;
        }
    }

    /// Reads what is not there yet of rows of some leaves, in as few requests as possible.
    pub async fn fetch(
        &mut self,
        leaves: &[usize],
        rows: Range<u32>,
    ) -> Result<(), LoadError<R::Error>> {
        let parts: Vec<_> = leaves.iter().map(|&leaf| (leaf, rows.clone())).collect();
        self.fetch_parts(&parts).await
    }

    /// The same with rows of their own for each leaf; no rows stand for the dictionary alone.
    pub async fn fetch_parts(
        &mut self,
        parts: &[(usize, Range<u32>)],
    ) -> Result<(), LoadError<R::Error>> {
        let block = self.block.clone();
        let group = block.row_groups().get(self.group);
        let group = group.ok_or_else(|| self.no_rows())?;
        // Known before reading, though not exactly.
        let mut wanted = 0_u64;
        for (leaf, rows) in parts {
            let bytes = group.chunks.get(*leaf).map_or(0, |chunk| chunk.bytes);
            let share = u128::from(bytes) * (rows.len() as u128) / u128::from(group.rows.max(1));
            wanted = wanted.saturating_add(share as u64);
            if wanted > self.left() as u64 {
                return Err(self.too_much(*leaf));
            }
        }
        let fetched = &mut self.fetched;
        block
            .fetch_parts(group, parts, &self.ranges, fetched)
            .await?;
        match (parts.last(), self.memory_bytes() > self.limit) {
            (Some((leaf, _)), true) => Err(self.too_much(*leaf)),
            _ => Ok(()),
        }
    }

    /// Decodes rows of a leaf that were fetched.
    pub async fn read(
        &mut self,
        leaf: usize,
        rows: Range<u32>,
        wanted: Wanted,
    ) -> Result<LeafData, LoadError<R::Error>> {
        self.pass(leaf, &rows)?;
        let block = self.block.clone();
        let group = block.row_groups().get(self.group);
        let group = group.ok_or_else(|| self.no_rows())?;
        let column = block.column(group, leaf, &self.fetched);
        let column = column.ok_or_else(|| self.corrupt(leaf, "a row group without it"))?;
        let mut budget = Budget::new(self.left());
        let read = column
            .read_wanted(rows, wanted, &mut budget, &self.pause)
            .await;
        let mut page = match read {
            Ok(page) => page,
            Err(_) if budget.is_exceeded() => return Err(self.too_much(leaf)),
            Err(corrupt) => return Err(self.corrupt_at(corrupt)),
        };
        let mut dictionary = None;
        if let Values::Codes(codes) = &page.values {
            let known = match self.dictionaries.get(&leaf) {
                Some(known) => known.clone(),
                None => {
                    let read = column.dictionary();
                    let read = read.map_err(|corrupt| self.corrupt_at(corrupt))?;
                    let none = || self.corrupt(leaf, "codes without a dictionary");
                    let read = read.ok_or_else(none)?;
                    self.keep_dictionary(leaf, &read)?;
                    read
                }
            };
            let unknown = "a code that is not in the dictionary";
            match &*known {
                Dictionary::Bytes(_) => {
                    let highest = codes.iter().fold(0, |highest, &code| highest.max(code));
                    if !codes.is_empty() && highest as usize >= known.len() {
                        return Err(self.corrupt(leaf, unknown));
                    }
                    dictionary = Some(known);
                }
                Dictionary::Numbers(_) => {
                    let values = known.resolve(codes);
                    page.values = values.ok_or_else(|| self.corrupt(leaf, unknown))?;
                }
            }
        }
        let slots = page.slots;
        self.worked(slots % SLOTS_PER_PAUSE).await;
        Ok(LeafData { page, dictionary })
    }

    fn keep_dictionary(
        &mut self,
        leaf: usize,
        dictionary: &Arc<Dictionary>,
    ) -> Result<(), LoadError<R::Error>> {
        self.hold(leaf, dictionary.memory_bytes())?;
        self.dictionaries.insert(leaf, dictionary.clone());
        Ok(())
    }

    /// A dictionary that was read before.
    pub fn known_dictionary(&self, leaf: usize) -> Option<&Arc<Dictionary>> {
        self.dictionaries.get(&leaf)
    }

    /// Those of some leaves that have a dictionary which was not read yet, and that can be read alone.
    pub fn unread_dictionaries(&self, leaves: &[usize]) -> Vec<usize> {
        let group = self.block.row_groups().get(self.group);
        let is_unread = |leaf: &usize| {
            let group = group.filter(|_| !self.dictionaries.contains_key(leaf));
            let chunk = group.and_then(|group| Some((group, group.chunks.get(*leaf)?)));
            chunk.is_some_and(|(group, chunk)| {
                let first = group.pages(chunk).first();
                first.is_some_and(|page| chunk.start < page.offset)
            })
        };
        leaves.iter().copied().filter(is_unread).collect()
    }

    /// Decodes dictionaries that were fetched.
    pub fn read_dictionaries(&mut self, leaves: &[usize]) -> Result<(), LoadError<R::Error>> {
        let block = self.block.clone();
        let group = block.row_groups().get(self.group);
        let group = group.ok_or_else(|| self.no_rows())?;
        for &leaf in leaves {
            let column = block.column(group, leaf, &self.fetched);
            let read = column.map_or(Ok(None), |column| column.dictionary());
            let read = read.map_err(|corrupt| self.corrupt_at(corrupt))?;
            if let Some(read) = read {
                self.keep_dictionary(leaf, &read)?;
            }
        }
        Ok(())
    }

    /// The dictionaries of leaves, read if they are not there yet; one request, or few. None where a leaf has none, or where only
    /// reading the values would tell.
    pub async fn dictionaries(
        &mut self,
        leaves: &[usize],
    ) -> Result<Vec<Option<Arc<Dictionary>>>, LoadError<R::Error>> {
        let unread = self.unread_dictionaries(leaves);
        let start = self.rows.start;
        // No rows: nothing but the dictionaries.
        self.fetch(&unread, start..start).await?;
        self.read_dictionaries(&unread)?;
        let known = |leaf| self.dictionaries.get(leaf).cloned();
        Ok(leaves.iter().map(known).collect())
    }
}

impl<R, P> Drop for Source<R, P> {
    fn drop(&mut self) {
        self.room.give_back(self.passing);
    }
}
