//! All attributes of a level that have no leaf of their own.

use vivace_block_reader::Ranges;

use super::attributes::LevelAttributes;
use super::error::LoadError;
use super::limits::SLOTS_PER_PAUSE;
use super::places::Extent;
use super::source::Source;
use crate::cells::CellKind;
use crate::strings::Strings;
use crate::table::AttributeTable;

impl AttributeTable {
    fn memory_bytes(&self) -> usize {
        let numbers = (self.owners.capacity() + self.keys.capacity()) * 4;
        numbers + self.kinds.capacity() + (self.bits.capacity() + self.elements.capacity()) * 8
    }
}

/// The leaves of the level must have been fetched for the whole chunk.
pub(super) async fn load<R: Ranges, P: AsyncFn()>(
    source: &mut Source<R, P>,
    attributes: &mut LevelAttributes,
    wanted: &Extent,
    is_named: impl Fn(&[u8]) -> bool,
) -> Result<AttributeTable, LoadError<R::Error>> {
    let extent = attributes.read_all(source, wanted).await?;
    let mut table = AttributeTable {
        level: extent.level,
        owners: Vec::new(),
        keys: Vec::new(),
        key_strings: Strings::none(),
        kinds: Vec::new(),
        bits: Vec::new(),
        elements: Vec::new(),
        strings: attributes.strings(),
    };
    let Some(keys) = &attributes.keys else {
        return Ok(table);
    };
    let left_out: Vec<bool> = (0..keys.names.len() as u64)
        .map(|number| is_named(keys.names.get(number)))
        .collect();
    let count = keys.codes.len();
    // Owners, keys, kinds and bits of each.
    source.hold(attributes.leaves.key, count * 17)?;
    source.held -= count * 17;
    table.owners.reserve_exact(count);
    table.keys.reserve_exact(count);
    table.kinds.reserve_exact(count);
    table.bits.reserve_exact(count);
    let mut owner = extent.owners.start;
    let mut ends = keys.starts.get(1..).unwrap_or_default().iter();
    let mut end = ends.next().copied().unwrap_or(u32::MAX);
    for (part, codes) in keys.codes.chunks(SLOTS_PER_PAUSE).enumerate() {
        for (&code, attribute) in codes.iter().zip(part * SLOTS_PER_PAUSE..) {
            while end as usize <= attribute {
                owner += 1;
                end = ends.next().copied().unwrap_or(u32::MAX);
            }
            if left_out.get(code as usize) != Some(&false) {
                continue;
            }
            let (kind, bits) = attributes.value(attribute, &mut table.elements);
            if kind != CellKind::Nil {
                table.owners.push(owner);
                table.keys.push(code);
                table.kinds.push(kind);
                table.bits.push(bits);
            }
        }
        source.worked(codes.len() * 4).await;
    }
    table.key_strings = keys.names.clone();
    source.hold(attributes.leaves.key, table.memory_bytes())?;
    Ok(table)
}
