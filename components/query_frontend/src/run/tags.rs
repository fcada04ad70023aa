//! Names or values of tags: jobs until there are enough of them.

use std::collections::BTreeSet;

use vivace_shards::time::{Instant, timeout};

use super::runner::{Progress, Runner};
use crate::error::QueryError;
use crate::jobs::{TagScope, TagValue, TagsFound};

/// When an answer has enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct TagBounds {
    /// Bytes of text; 0: any.
    pub bytes: u64,
    /// Names of a scope, or values; 0: any.
    pub limit: u32,
    /// Jobs in a row that find nothing new; 0: any.
    pub stale: u32,
}

/// A search for tags under way.
pub struct TagsRun {
    runner: Runner<TagsFound>,
    found: Collected,
    stale: u32,
    full: bool,
}

/// Names and values, each once.
struct Collected {
    bounds: TagBounds,
    bytes: u64,
    names: BTreeSet<(TagScope, Box<str>)>,
    values: BTreeSet<TagValue>,
    /// Not given out yet.
    news: TagsFound,
    of_scope: [u32; 5],
}

impl TagsRun {
    pub fn new(runner: Runner<TagsFound>, bounds: TagBounds) -> Self {
        Self {
            runner,
            found: Collected {
                bounds,
                bytes: 0,
                names: BTreeSet::new(),
                values: BTreeSet::new(),
                news: TagsFound::default(),
                of_scope: [0; 5],
            },
            stale: 0,
            full: false,
        }
    }

    pub fn progress(&self) -> Progress {
        self.runner.progress()
    }

    /// Runs until the answer is there (true) or the time has come.
    pub async fn advance(&mut self, until: Option<Instant>) -> Result<bool, QueryError> {
        while !self.full {
            let next = match until {
                None => self.runner.next().await,
                Some(until) if until <= Instant::now() => return Ok(false),
                Some(until) => match timeout(until - Instant::now(), self.runner.next()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(false),
                },
            };
            let Some(found) = next else {
                break;
            };
            let (_, found) = found?;
            let (added, full) = self.found.add(found);
            self.stale = if added { 0 } else { self.stale + 1 };
            let most = self.found.bounds.stale;
            self.full = full || (most > 0 && self.stale >= most);
        }
        Ok(true)
    }

    /// Waits for something else while jobs go on.
    pub async fn during<F: Future>(&mut self, other: F) -> F::Output {
        self.runner.during(other).await
    }

    /// What was found since this was asked last.
    pub fn news(&mut self) -> TagsFound {
        std::mem::take(&mut self.found.news)
    }

    /// Everything, sorted.
    pub fn answer(&self) -> TagsFound {
        TagsFound {
            names: self.found.names.iter().cloned().collect(),
            values: self.found.values.iter().cloned().collect(),
        }
    }
}

impl Collected {
    /// Whether anything was new, and whether it is enough.
    fn add(&mut self, found: TagsFound) -> (bool, bool) {
        let mut added = false;
        for name in found.names {
            if self.names.contains(&name) {
                continue;
            }
            if !self.has_room(&name.1) || self.is_scope_full(name.0) {
                return (added, true);
            }
            self.of_scope[name.0 as usize] += 1;
            self.news.names.push(name.clone());
            self.names.insert(name);
            added = true;
        }
        for value in found.values {
            if self.values.contains(&value) {
                continue;
            }
            let limit = self.bounds.limit as usize;
            if !self.has_room(&value.1) || (limit > 0 && self.values.len() >= limit) {
                return (added, true);
            }
            self.news.values.push(value.clone());
            self.values.insert(value);
            added = true;
        }
        (added, false)
    }

    fn is_scope_full(&self, scope: TagScope) -> bool {
        self.bounds.limit > 0 && self.of_scope[scope as usize] >= self.bounds.limit
    }

    /// Counts a text, if there is room for it.
    fn has_room(&mut self, text: &str) -> bool {
        let bytes = self.bytes.saturating_add(text.len() as u64);
        if self.bounds.bytes > 0 && bytes > self.bounds.bytes {
            return false;
        }
        self.bytes = bytes;
        true
    }
}
