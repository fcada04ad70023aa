//! All attributes of a level at once.

use crate::cells::CellKind;
use crate::column::Level;
use crate::strings::Strings;

/// Attributes in the order of their owners, those that have a leaf of their own in a block left out (`Chunk::named`). Values without
/// a type that queries know (bytes, lists of keys, mixed arrays) are left out too.
#[derive(Clone, Debug)]
pub struct AttributeTable {
    pub level: Level,
    /// By attribute; ascending.
    pub owners: Vec<u32>,
    /// By attribute: number of `key_strings`.
    pub keys: Vec<u32>,
    pub key_strings: Strings,
    /// By attribute.
    pub kinds: Vec<CellKind>,
    /// By attribute, as in `Cells`.
    pub bits: Vec<u64>,
    pub elements: Vec<u64>,
    pub strings: Strings,
}
