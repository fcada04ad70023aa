//! Attributes with leaves of their own: dedicated columns and well-known attributes.

use vivace_block_reader::{DefLevels, RepLevels, Wanted};

use super::places::{Extent, kinds_of};
use super::source::LeafData;
use super::strings::{number_bits, texts};
use crate::cells::{CellKind, Cells, Kinds, array_bits};
use crate::strings::Strings;

/// What has to be read of a leaf: where owners have one value at most, repetition levels tell nothing.
pub(super) fn wanted(max_rep: u8, owner_def: u8) -> Wanted {
    let is_repeated = max_rep > owner_def;
    Wanted {
        rep: match is_repeated {
            true => RepLevels::Repeats,
            false => RepLevels::None,
        },
        def: DefLevels::All,
        values: true,
    }
}

/// `levels`: the highest of the leaf; `owner_def`: the definition level of slots that belong to an owner. None: the leaf has a type that
/// such leaves don't have, or slots for another number of owners.
pub(super) fn cells(
    data: LeafData,
    (max_rep, max_def): (u8, u8),
    owner_def: u8,
    extent: &Extent,
) -> Option<Cells> {
    let LeafData { page, dictionary } = data;
    let (rep, def) = (page.rep_levels, page.def_levels);
    let is_text = dictionary.is_some() || number_of(&page.values).is_none();
    let (bits, strings, one, many) = if is_text {
        let (bits, strings) = texts(page.values, dictionary)?;
        (bits, strings, CellKind::String, CellKind::StringArray)
    } else {
        let bits = number_bits(page.values)?;
        (bits, Strings::none(), CellKind::Int, CellKind::IntArray)
    };
    let owners = extent.owners.len();
    if bits.len() == owners
        && rep.is_empty()
        && def.iter().all(|&def| def == max_def || def < owner_def)
    {
        return Some(extent.dense(one, bits, strings));
    }
    let mut cells = if rep.is_empty() {
        let at = with_values(&def, max_def, owner_def, owners, bits.len())?;
        extent.sparse(at, Kinds::All(one), bits)
    } else {
        let mut found = Arrays::default();
        found.collect(
            &rep,
            &def,
            (max_rep, max_def),
            owner_def,
            &bits,
            (one, many),
        );
        if found.owners != owners {
            return None;
        }
        let mut cells = extent.sparse(found.at, kinds_of(found.kinds), found.bits);
        cells.elements = found.elements;
        cells
    };
    cells.strings = strings;
    Some(cells)
}

fn number_of(values: &vivace_block_reader::Values) -> Option<()> {
    use vivace_block_reader::Values;
    match values {
        Values::Codes(_) | Values::Bytes(_) => None,
        _ => Some(()),
    }
}

/// Owners with a value where nobody has several.
fn with_values(
    def: &[u8],
    max_def: u8,
    owner_def: u8,
    owners: usize,
    count: usize,
) -> Option<Vec<u32>> {
    // One place more than there are, so that each step can write.
    let mut at = vec![0; count + 1];
    let (mut owner, mut found) = (0_u32, 0);
    for &def in def {
        *at.get_mut(found)? = owner;
        found += usize::from(def == max_def);
        owner += u32::from(def >= owner_def);
    }
    at.truncate(found);
    (owner as usize == owners && found == count).then_some(at)
}

#[derive(Default)]
struct Arrays {
    owners: usize,
    at: Vec<u32>,
    kinds: Vec<CellKind>,
    bits: Vec<u64>,
    elements: Vec<u64>,
}

impl Arrays {
    /// One element is a plain value: the format does not tell it from an array of one.
    fn collect(
        &mut self,
        rep: &[u8],
        def: &[u8],
        (max_rep, max_def): (u8, u8),
        owner_def: u8,
        values: &[u64],
        (one, many): (CellKind, CellKind),
    ) {
        let mut values = values.iter().copied();
        let mut slots = rep.iter().zip(def).peekable();
        while let Some((_, &def)) = slots.next() {
            if def < owner_def {
                continue;
            }
            let owner = self.owners as u32;
            self.owners += 1;
            if def < max_def {
                continue;
            }
            let first = values.next().unwrap_or(0);
            let start = self.elements.len();
            while slots.next_if(|(rep, _)| **rep == max_rep).is_some() {
                if self.elements.len() == start {
                    self.elements.push(first);
                }
                self.elements.push(values.next().unwrap_or(0));
            }
            let count = self.elements.len() - start;
            let (kind, bits) = match count {
                0 => (one, first),
                _ => (many, array_bits(start, count)),
            };
            self.at.push(owner);
            self.kinds.push(kind);
            self.bits.push(bits);
        }
    }
}
