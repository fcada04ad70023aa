//! One column of two.

use std::sync::Arc;

use super::places::kinds_of;
use crate::cells::{CellKind, Cells, array_bits};
use crate::strings::Strings;

fn is_text(kind: CellKind) -> bool {
    matches!(kind, CellKind::String | CellKind::StringArray)
}

fn has_texts(cells: &Cells) -> bool {
    (0..cells.len()).any(|cell| is_text(cells.kind(cell)))
}

/// Where texts and elements of the second column lie in the result.
struct Offsets {
    strings: u64,
    elements: usize,
}

/// The values of both columns, of the same level and chunk. Where both have one, the first counts if `wins` says so of its bits.
pub(super) fn merge(first: Cells, second: &Cells, wins: impl Fn(&Cells, u64) -> bool) -> Cells {
    if second.is_empty() && second.hidden.is_empty() {
        return first;
    }
    let (strings, string_offset) = match (has_texts(&first), has_texts(second)) {
        (_, false) => (first.strings.clone(), 0),
        (false, true) => (second.strings.clone(), 0),
        (true, true) => {
            let number = first.strings.len() as u64;
            (both(&first.strings, &second.strings), number)
        }
    };
    let offsets = Offsets {
        strings: string_offset,
        elements: first.elements.len(),
    };
    let room = first.len() + second.len();
    let (mut at, mut kinds, mut bits) = (
        Vec::with_capacity(room),
        Vec::with_capacity(room),
        Vec::with_capacity(room),
    );
    let mut elements = first.elements.clone();
    let (mut a, mut b) = (0, 0);
    while a < first.len() || b < second.len() {
        let next = |cells: &Cells, cell: usize| match cell < cells.len() {
            true => cells.owner(cell),
            false => u32::MAX,
        };
        let (of_first, of_second) = (next(&first, a), next(second, b));
        let takes_first = of_first < of_second
            || of_first == of_second
                && a < first.len()
                && (b >= second.len()
                    || second.kind(b) == CellKind::Nil
                    || first.kind(a) != CellKind::Nil && wins(&first, first.bits[a]));
        let (owner, kind, value) = match takes_first {
            true => (of_first, first.kind(a), first.bits[a]),
            false => {
                let (kind, bits) = (second.kind(b), second.bits[b]);
                let value = moved(second, kind, bits, &offsets, &mut elements);
                (of_second, kind, value)
            }
        };
        a += usize::from(of_first == owner);
        b += usize::from(of_second == owner);
        if kind != CellKind::Nil {
            at.push(owner);
            kinds.push(kind);
            bits.push(value);
        }
    }
    let mut hidden = [&first.hidden[..], &second.hidden[..]].concat();
    hidden.sort_unstable();
    hidden.dedup();
    hidden.retain(|owner| at.binary_search(owner).is_err());
    Cells {
        level: first.level,
        owners: first.owners,
        hidden,
        at: (at.len() != first.owners as usize).then_some(at),
        kinds: kinds_of(kinds),
        bits,
        elements,
        strings,
    }
}

/// The bits of a value of the second column in the result; elements are appended.
fn moved(
    cells: &Cells,
    kind: CellKind,
    bits: u64,
    offsets: &Offsets,
    elements: &mut Vec<u64>,
) -> u64 {
    match kind {
        CellKind::String => bits + offsets.strings,
        CellKind::StringArray | CellKind::IntArray | CellKind::FloatArray | CellKind::BoolArray => {
            debug_assert!(elements.len() >= offsets.elements);
            let (start, add) = (
                elements.len(),
                if is_text(kind) { offsets.strings } else { 0 },
            );
            elements.extend(cells.array(bits).iter().map(|element| element + add));
            array_bits(start, elements.len() - start)
        }
        _ => bits,
    }
}

/// The strings of both, one behind the other.
fn both(first: &Strings, second: &Strings) -> Strings {
    let of = |strings: &Strings| 0..strings.len() as u64;
    let firsts = of(first).map(|number| first.get(number));
    let seconds = of(second).map(|number| second.get(number));
    Strings::of_values(Arc::new(firsts.chain(seconds).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Kinds;
    use crate::column::Level;

    fn cells(at: Option<Vec<u32>>, kinds: Kinds, bits: Vec<u64>, texts: &[&str]) -> Cells {
        Cells {
            level: Level::Span,
            owners: 4,
            at,
            kinds,
            bits,
            elements: vec![0],
            strings: Strings::of_values(Arc::new(texts.iter().collect())),
            hidden: vec![2, 3],
        }
    }

    #[test]
    fn the_first_counts_where_it_wins() {
        let first = cells(
            None,
            Kinds::All(CellKind::String),
            vec![0, 1, 0, 1],
            &["", "a"],
        );
        let kinds = Kinds::Each(vec![CellKind::StringArray, CellKind::Int]);
        let second = cells(Some(vec![1, 2]), kinds, vec![array_bits(0, 1), 7], &["b"]);
        let not_empty = |cells: &Cells, bits| !cells.strings.get(bits).is_empty();
        let merged = merge(first.clone(), &second, not_empty);
        assert_eq!(merged.at, None);
        assert_eq!(merged.get(1), (CellKind::String, 1));
        assert_eq!(merged.get(2), (CellKind::Int, 7));
        let merged = merge(second, &first, |_, _| true);
        assert_eq!(merged.at, None);
        assert_eq!(merged.get(2), (CellKind::Int, 7));
        assert!(merged.hidden.is_empty());
        let (kind, bits) = merged.get(1);
        assert_eq!(kind, CellKind::StringArray);
        let texts: Vec<_> = merged
            .array(bits)
            .iter()
            .map(|&text| merged.strings.get(text))
            .collect();
        assert_eq!(texts, [b"b"]);
        let (_, bits) = merged.get(3);
        assert_eq!(merged.strings.get(bits), b"a");
    }
}
