//! Decoded parts of a chunk that queries share.

use std::sync::Arc;

use vivace_model::TraceId;

use super::layout::Layout;
use super::stats::Stats;
use crate::cells::Cells;
use crate::column::{Column, Level};
use crate::shape::Members;
use crate::strings::Strings;

/// Which part of a chunk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartName {
    /// Who belongs to whom.
    Layout,
    /// All cells of a column.
    Cells(Column),
    /// What `Chunk::strings_of` says.
    Texts(Column),
    Events,
    Links,
    TraceIds,
    ServiceStats,
    Keys(Level),
}

/// A part, cheap to clone and free to go to another thread. Blocks never change, so a part never gets old.
#[derive(Clone)]
pub struct SharedPart(pub(super) Shared);

#[derive(Clone)]
pub(super) enum Shared {
    Layout(Arc<Layout>),
    Cells(Arc<Cells>),
    Texts(Option<Strings>),
    Members(Arc<Members>),
    TraceIds(Arc<[TraceId]>),
    ServiceStats(Arc<Stats>),
    Keys(Arc<[Box<str>]>),
}

/// What one `SharedPart` costs beyond its content.
const PART_BYTES: usize = 64;

impl SharedPart {
    /// About what it takes in memory, strings of dictionaries included each time.
    pub fn memory_bytes(&self) -> usize {
        PART_BYTES
            + match &self.0 {
                Shared::Layout(layout) => layout.memory_bytes(),
                Shared::Cells(cells) => cells.memory_bytes() + cells.strings.memory_bytes(),
                Shared::Texts(texts) => texts.as_ref().map_or(0, Strings::memory_bytes),
                Shared::Members(members) => members.starts.len() * 4,
                Shared::TraceIds(ids) => size_of_val(&ids[..]),
                Shared::ServiceStats(stats) => stats.memory_bytes(),
                Shared::Keys(keys) => keys.iter().map(|key| key.len() + 16).sum(),
            }
    }
}

/// Where decoded parts of one chunk (a range of rows of a row group) are kept for later queries, within a bound of whoever keeps them.
pub trait SharedParts {
    fn get(&self, name: &PartName) -> Option<SharedPart>;
    fn put(&self, name: PartName, part: SharedPart);

    /// Whether anything is kept: then columns are loaded whole where that costs little more.
    fn is_kept(&self) -> bool {
        true
    }
}

/// No part is kept.
pub struct NoParts;

impl SharedParts for NoParts {
    fn get(&self, _: &PartName) -> Option<SharedPart> {
        None
    }
    fn put(&self, _: PartName, _: SharedPart) {}
    fn is_kept(&self) -> bool {
        false
    }
}
