//! All attributes of a level, keys, and strings that are known without reading values.

use std::collections::BTreeSet;
use std::sync::Arc;

use vivace_block::Format;
use vivace_columns::{CellKind, Cells, Chunk, Column, Kinds, Level};
use vivace_traceql::Field;

use crate::naive::{self, at};
use crate::support::random::Random;
use crate::support::{Block, now, recorded, written};
use crate::walk::{load_all, open};

const LEVELS: [Level; 5] = [
    Level::Resource,
    Level::Scope,
    Level::Span,
    Level::Event,
    Level::Link,
];

fn blocks() -> Vec<Block> {
    let batch = Random(31).batch(80);
    let formats = [Format::VParquet4, Format::VParquet5];
    let mut blocks: Vec<Block> = formats
        .map(|format| written(format, std::slice::from_ref(&batch), 100_000_000))
        .into();
    blocks.extend(recorded());
    blocks
}

/// Owner, key and value of all cells.
type All = BTreeSet<(u32, String, String)>;

fn add(all: &mut All, key: &str, cells: &Cells) {
    for cell in 0..cells.len() {
        let owner = cells.owner(cell);
        if cells.kind(cell) != CellKind::Nil {
            all.insert((owner, key.to_owned(), format!("{:?}", at(cells, owner))));
        }
    }
}

#[test]
fn tables_have_what_columns_have() {
    for block in blocks() {
        let keys = naive::keys(&block.traces());
        let rows = block.open.row_groups()[0].rows;
        let mut chunk = open(&block, 0, 2..rows);
        let mut others = open(&block, 0, 2..rows);
        load_all(&mut others, &naive::columns(&keys), None);
        for level in LEVELS {
            now(chunk.load_table(level)).unwrap();
            let named: Vec<Arc<str>> = chunk
                .named(level)
                .into_iter()
                .map(|field| match field {
                    Field::Attribute(attribute) => attribute.key,
                    Field::Intrinsic(_) => panic!(),
                })
                .collect();
            let mut expected = All::new();
            for (_, key) in keys
                .iter()
                .filter(|(of, key)| *of == level && !named.contains(&(&**key).into()))
            {
                let column = Column::Attribute(level, Arc::from(&**key));
                add(&mut expected, key, others.cells(&column).unwrap());
            }
            let table = chunk.table(level).unwrap();
            assert!(table.owners.is_sorted());
            let mut found = All::new();
            for attribute in 0..table.owners.len() {
                let cells = Cells {
                    level,
                    owners: 1,
                    at: None,
                    kinds: Kinds::All(table.kinds[attribute]),
                    bits: vec![table.bits[attribute]],
                    elements: table.elements.clone(),
                    strings: table.strings.clone(),
                    hidden: Vec::new(),
                };
                let key = table.key_strings.get(table.keys[attribute].into());
                let key = String::from_utf8(key.to_vec()).unwrap();
                found.insert((table.owners[attribute], key, format!("{:?}", at(&cells, 0))));
            }
            assert_eq!(expected, found, "{} {level:?}", block.name);
        }
    }
}

#[test]
fn keys_are_those_that_occur() {
    for block in blocks() {
        let keys = naive::keys(&block.traces());
        let mut chunk = open(&block, 0, 0..block.open.row_groups()[0].rows);
        for level in LEVELS {
            let of_level = keys.iter().filter(|(of, _)| *of == level);
            let expected: Vec<Box<str>> = of_level.map(|(_, key)| key.as_str().into()).collect();
            assert_eq!(
                now(chunk.keys(level)).unwrap(),
                expected,
                "{} {level:?}",
                block.name
            );
        }
    }
}

#[test]
fn strings_without_values() {
    for block in blocks() {
        let mut keys = naive::keys(&block.traces());
        keys.insert((Level::Span, "no such key".to_owned()));
        let rows = block.open.row_groups()[0].rows;
        let columns = naive::columns(&keys);
        let mut chunk = open(&block, 0, 0..rows);
        let mut known = 0;
        for column in &columns {
            let Some(strings) = now(chunk.strings_of(column)).unwrap() else {
                continue;
            };
            known += 1;
            let possible: BTreeSet<&[u8]> = (0..strings.len() as u64)
                .map(|number| strings.get(number))
                .collect();
            let strings_before = chunk.bytes_read();
            let mut loaded = open(&block, 0, 0..rows);
            now(loaded.load(std::slice::from_ref(column), None)).unwrap();
            assert_eq!(strings_before, chunk.bytes_read());
            let cells = loaded.cells(column).unwrap();
            for cell in 0..cells.len() {
                let numbers = match cells.kind(cell) {
                    CellKind::String => vec![cells.bits[cell]],
                    CellKind::StringArray => cells.array(cells.bits[cell]).to_vec(),
                    _ => continue,
                };
                for number in numbers {
                    let text = cells.strings.get(number);
                    assert!(
                        possible.contains(text),
                        "{} {column:?} {text:?}",
                        block.name
                    );
                }
            }
        }
        assert!(known > columns.len() / 2);
        let missing = Column::Attribute(Level::Span, "no such key".into());
        assert!(now(chunk.strings_of(&missing)).unwrap().unwrap().is_empty());
    }
}
