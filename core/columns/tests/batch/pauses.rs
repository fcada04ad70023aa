//! Long work lets others run.

use std::cell::Cell;

use vivace_columns::{BatchChunk, Chunk, Column, Level};

use crate::common::{batch, finish, intrinsics};
use crate::support::{Any, Event, Link, Resource, Scope, Span};

/// More than twice the cells between two pauses.
const SPANS: u32 = 50_000;

/// Traces of ten spans, each with an attribute, an event and a link.
fn spans() -> Vec<Span> {
    let attributes = |number| vec![("a".to_owned(), Any::Int(number))];
    let span = |number: u32| Span {
        trace_id: u128::from(number / 10 + 1).to_be_bytes(),
        span_id: u64::from(number + 1).to_be_bytes(),
        parent: (!number.is_multiple_of(10)).then(|| u64::from(number).to_be_bytes()),
        name: "n".to_owned(),
        kind: 1,
        start: 1,
        end: 2,
        status: (0, String::new()),
        trace_state: String::new(),
        flags: 0,
        dropped: [0; 3],
        attributes: attributes(number.into()),
        events: vec![Event {
            time: 1,
            name: "e".to_owned(),
            attributes: attributes(1),
            dropped: 0,
        }],
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![1; 8],
            trace_state: String::new(),
            attributes: attributes(1),
            dropped: 0,
            flags: 0,
        }],
        resource: Resource {
            attributes: Vec::new(),
            dropped: 0,
            schema_url: String::new(),
            entity_refs: Vec::new(),
        },
        scope: Scope {
            name: String::new(),
            version: String::new(),
            attributes: Vec::new(),
            dropped: 0,
            schema_url: String::new(),
        },
    };
    (0..SPANS).map(span).collect()
}

#[test]
fn columns_pause_every_few_cells_and_count_their_memory() {
    let batch = batch(&spans());
    let pauses = Cell::new(0_u32);
    let mut chunk = BatchChunk::new(&batch, async || pauses.set(pauses.get() + 1));
    assert_eq!(pauses.get(), 0);
    let mut columns = intrinsics();
    for level in [Level::Span, Level::Event, Level::Link] {
        columns.push(Column::Attribute(level, "a".into()));
    }
    let mut memory = chunk.memory_bytes();
    for column in &columns {
        pauses.set(0);
        finish(chunk.load(std::slice::from_ref(column), None)).unwrap();
        let cells = chunk.cells(column).unwrap();
        let expected = cells.len() as u32 / 20_000;
        assert!(pauses.get() >= expected, "{column:?}");
        let grown = chunk.memory_bytes() - memory;
        assert!(grown >= cells.len() * 8, "{column:?}: {grown}");
        memory += grown;
    }
    for level in [Level::Span, Level::Event, Level::Link] {
        pauses.set(0);
        finish(chunk.load_table(level)).unwrap();
        assert!(pauses.get() >= SPANS / 20_000);
        let grown = chunk.memory_bytes() - memory;
        assert_eq!(grown, SPANS as usize * (4 + 4 + 1 + 8));
        memory += grown;
        pauses.set(0);
        assert_eq!(finish(chunk.keys(level)).unwrap(), ["a".into()]);
        assert!(pauses.get() >= SPANS / 20_000);
    }
}
