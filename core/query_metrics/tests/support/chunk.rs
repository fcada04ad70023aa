//! A chunk of rows.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use vivace_columns::{
    AttributeTable, Bitmap, CellKind, Cells, Chunk, Column, Kinds, Level, Members, Selection,
    ServiceStats, Shape, Strings, array_bits,
};
use vivace_model::{SpanBatchBuilder, SpanId, SpanRow, TraceId};
use vivace_traceql::{Field, Intrinsic, Kind, Scope, Static, Status};

use super::Row;

/// Keys that have a column of their own, on any level.
pub const NAMED: [&str; 2] = ["service.name", "dedicated"];

pub struct TestChunk {
    /// By trace.
    pub rows: Vec<Row>,
    resources: Vec<Vec<(String, Static)>>,
    scopes: Vec<Vec<(String, Static)>>,
    shape: Shape,
    members: Members,
    trace_ids: Vec<TraceId>,
    has_ids: bool,
    has_events: bool,
    loaded: HashMap<Column, Cells>,
    tables: BTreeMap<Level, AttributeTable>,
    /// Strings with a dictionary, and dense columns.
    dictionaries: bool,
}

impl TestChunk {
    pub fn new(rows: &[Row], dictionaries: bool) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| row.trace);
        let mut chunk = Self {
            resources: Vec::new(),
            scopes: Vec::new(),
            shape: Shape::default(),
            members: Members { starts: vec![0] },
            trace_ids: Vec::new(),
            has_ids: false,
            has_events: false,
            loaded: HashMap::new(),
            tables: BTreeMap::new(),
            dictionaries,
            rows: Vec::new(),
        };
        for (span, row) in rows.iter().enumerate() {
            let id = TraceId([row.trace; 16]);
            if chunk.trace_ids.last() != Some(&id) {
                chunk.trace_ids.push(id);
                chunk.shape.trace_starts.push(span as u32);
            }
            let resource = number(&mut chunk.resources, &row.resource);
            chunk.shape.resource_of_span.push(resource);
            let scope = number(&mut chunk.scopes, &row.scope);
            chunk.shape.scope_of_span.push(scope);
            let events = chunk.members.count() + row.events.len() as u32;
            chunk.members.starts.push(events);
        }
        chunk.shape.trace_starts.push(rows.len() as u32);
        chunk.shape.resources = chunk.resources.len() as u32;
        chunk.shape.scopes = chunk.scopes.len() as u32;
        chunk.rows = rows;
        chunk
    }

    pub fn selection(&self) -> Selection {
        let spans = self.rows.len() as u32;
        Selection::of(Bitmap::from_fn(spans, |span| {
            self.rows[span as usize].selected
        }))
    }

    pub fn compared(&self) -> Bitmap {
        let spans = self.rows.len() as u32;
        Bitmap::from_fn(spans, |span| self.rows[span as usize].compared)
    }

    fn attributes(&self, level: Level) -> Vec<&Vec<(String, Static)>> {
        match level {
            Level::Span => self.rows.iter().map(|row| &row.attributes).collect(),
            Level::Resource => self.resources.iter().collect(),
            Level::Scope => self.scopes.iter().collect(),
            Level::Trace | Level::Event | Level::Link => Vec::new(),
        }
    }

    fn build(&self, column: &Column) -> Cells {
        let rows = || self.rows.iter();
        let values: Vec<Static> = match column {
            Column::SpanStart => rows()
                .map(|row| Static::Int(row.start.cast_signed()))
                .collect(),
            Column::TraceState => rows().map(|row| super::text(&row.trace_state)).collect(),
            Column::Intrinsic(intrinsic) => match intrinsic {
                Intrinsic::Duration => rows().map(|row| Static::Duration(row.duration)).collect(),
                Intrinsic::Name => rows().map(|row| super::text(&row.name)).collect(),
                Intrinsic::Status => rows().map(|row| Static::Status(row.status)).collect(),
                Intrinsic::Kind => rows().map(|row| Static::Kind(row.kind)).collect(),
                Intrinsic::StatusMessage => rows().map(|_| super::text("")).collect(),
                Intrinsic::ChildCount => rows().map(|_| Static::Int(0)).collect(),
                Intrinsic::TraceDuration => {
                    let longest = |trace| {
                        let range = self.shape.spans_of(trace);
                        let rows = &self.rows[range.start as usize..range.end as usize];
                        rows.iter().map(|row| row.duration).max().unwrap_or(0)
                    };
                    let traces = 0..self.shape.traces();
                    traces.map(longest).map(Static::Duration).collect()
                }
                Intrinsic::TraceRootName | Intrinsic::TraceRootService => {
                    let traces = 0..self.shape.traces();
                    traces.map(|_| super::text("root")).collect()
                }
                Intrinsic::EventTimeSinceStart => rows()
                    .flat_map(|row| row.events.iter().copied().map(Static::Duration))
                    .collect(),
                other => panic!("no {other:?} here"),
            },
            Column::Attribute(Level::Event | Level::Link, _) => Vec::new(),
            Column::Attribute(level, key) => {
                let owners = self.attributes(*level).into_iter();
                let first = |attributes: &Vec<(String, Static)>| {
                    let mut found = attributes.iter().filter(|(known, _)| **known == **key);
                    found.next().map_or(Static::Nil, |(_, value)| value.clone())
                };
                owners.map(first).collect()
            }
            Column::TraceStart | Column::TraceEnd => panic!("no {column:?} here"),
        };
        let values: Vec<Static> = match column {
            Column::Attribute(Level::Resource, key) if &**key == "service.name" => values
                .into_iter()
                .map(|value| match value {
                    Static::Nil => super::text(""),
                    value => value,
                })
                .collect(),
            _ => values,
        };
        cells(column.level(), &values, self.dictionaries)
    }

    fn table_of(&self, level: Level) -> AttributeTable {
        let mut owners = Vec::new();
        let mut keys = Vec::new();
        let mut values = Vec::new();
        for (owner, attributes) in self.attributes(level).into_iter().enumerate() {
            for (key, value) in attributes {
                if !NAMED.contains(&key.as_str()) {
                    owners.push(owner as u32);
                    keys.push(super::text(key));
                    values.push(value.clone());
                }
            }
        }
        let keys = cells(level, &keys, self.dictionaries);
        let dense = cells(level, &values, true);
        let strings = cells(level, &values, self.dictionaries);
        let kinds = match dense.kinds {
            Kinds::Each(kinds) => kinds,
            Kinds::All(kind) => vec![kind; owners.len()],
        };
        // Sparse cells leave nothing out here: attributes have values.
        assert_eq!(keys.bits.len(), owners.len());
        AttributeTable {
            level,
            keys: keys.bits.iter().map(|&bits| bits as u32).collect(),
            owners,
            key_strings: keys.strings,
            kinds,
            bits: strings.bits,
            elements: strings.elements,
            strings: strings.strings,
        }
    }
}

fn number<T: Clone + PartialEq>(known: &mut Vec<T>, value: &T) -> u32 {
    let place = known.iter().position(|other| other == value);
    place.unwrap_or_else(|| {
        known.push(value.clone());
        known.len() - 1
    }) as u32
}

/// Dense with a dictionary; or sparse, each string stored for itself.
fn cells(level: Level, values: &[Static], dictionary: bool) -> Cells {
    let mut pool = Pool::default();
    let mut elements = Vec::new();
    let mut at = Vec::new();
    let mut kinds = Vec::new();
    let mut bits = Vec::new();
    for (owner, value) in values.iter().enumerate() {
        if *value == Static::Nil && !dictionary {
            continue;
        }
        let start = elements.len();
        let mut list = |items: Vec<u64>| {
            elements.extend(&items);
            array_bits(start, items.len())
        };
        let mut string = |text: &str| pool.add(text, dictionary);
        let (kind, value) = match value {
            Static::Nil => (CellKind::Nil, 0),
            Static::Int(number) => (CellKind::Int, number.cast_unsigned()),
            Static::Float(number) => (CellKind::Float, number.to_bits()),
            Static::String(text) => (CellKind::String, string(text)),
            Static::Bool(bit) => (CellKind::Bool, u64::from(*bit)),
            Static::Duration(nanos) => (CellKind::Duration, nanos.cast_unsigned()),
            Static::Status(status) => (
                CellKind::Status,
                match status {
                    Status::Unset => 0,
                    Status::Ok => 1,
                    Status::Error => 2,
                },
            ),
            Static::Kind(kind) => (
                CellKind::Kind,
                match kind {
                    Kind::Unspecified => 0,
                    Kind::Internal => 1,
                    Kind::Server => 2,
                    Kind::Client => 3,
                    Kind::Producer => 4,
                    Kind::Consumer => 5,
                },
            ),
            Static::IntArray(items) => (
                CellKind::IntArray,
                list(items.iter().map(|item| item.cast_unsigned()).collect()),
            ),
            Static::StringArray(items) => (
                CellKind::StringArray,
                list(items.iter().map(|item| string(item)).collect()),
            ),
            other => panic!("no {other:?} here"),
        };
        at.push(owner as u32);
        kinds.push(kind);
        bits.push(value);
    }
    let kind = kinds.first().copied().unwrap_or(CellKind::Nil);
    let kinds = match kinds.iter().all(|other| *other == kind) {
        true => Kinds::All(kind),
        false => Kinds::Each(kinds),
    };
    Cells {
        level,
        owners: values.len() as u32,
        at: (!dictionary).then_some(at),
        kinds,
        bits,
        elements,
        strings: pool.strings(dictionary),
        hidden: Vec::new(),
    }
}

#[derive(Default)]
struct Pool {
    texts: Vec<String>,
    builder: SpanBatchBuilder,
}

impl Pool {
    fn add(&mut self, text: &str, dictionary: bool) -> u64 {
        if dictionary {
            return u64::from(self.builder.intern(text).0);
        }
        self.texts.push(text.to_owned());
        self.texts.len() as u64 - 1
    }

    fn strings(mut self, dictionary: bool) -> Strings {
        if !dictionary {
            let values: vivace_block_reader::ByteArrays = self.texts.iter().collect();
            return Strings::of_values(values.into());
        }
        let empty = self.builder.intern("");
        let resource = self.builder.resource(0, empty, &[]).unwrap();
        let scope = self.builder.scope(empty, empty, 0, empty).unwrap();
        let span = SpanRow {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([1; 8]),
            parent_span_id: None,
            name: empty,
            kind: 0,
            start_unix_nano: 0,
            end_unix_nano: 0,
            status_code: 0,
            status_message: empty,
            trace_state: empty,
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            resource,
            scope,
        };
        self.builder.end_span(span).unwrap();
        Strings::of_batch(&self.builder.finish().unwrap())
    }
}

impl Chunk for TestChunk {
    type Error = Infallible;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    async fn load(&mut self, columns: &[Column], _: Option<&Bitmap>) -> Result<(), Infallible> {
        for column in columns {
            let cells = self.build(column);
            self.loaded.insert(column.clone(), cells);
        }
        Ok(())
    }

    fn cells(&self, column: &Column) -> Option<&Cells> {
        self.loaded.get(column)
    }

    async fn strings_of(&mut self, _: &Column) -> Result<Option<Strings>, Infallible> {
        Ok(None)
    }

    async fn load_events(&mut self) -> Result<(), Infallible> {
        self.has_events = true;
        Ok(())
    }

    fn events(&self) -> Option<&Members> {
        self.has_events.then_some(&self.members)
    }

    async fn load_links(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn links(&self) -> Option<&Members> {
        None
    }

    async fn load_trace_ids(&mut self) -> Result<(), Infallible> {
        self.has_ids = true;
        Ok(())
    }

    fn trace_ids(&self) -> Option<&[TraceId]> {
        self.has_ids.then_some(&*self.trace_ids)
    }

    async fn service_stats(&mut self, _: u32) -> Result<Vec<ServiceStats>, Infallible> {
        Ok(Vec::new())
    }

    async fn load_table(&mut self, level: Level) -> Result<(), Infallible> {
        let table = self.table_of(level);
        self.tables.insert(level, table);
        Ok(())
    }

    fn table(&self, level: Level) -> Option<&AttributeTable> {
        self.tables.get(&level)
    }

    async fn keys(&mut self, _: Level) -> Result<Vec<Box<str>>, Infallible> {
        Ok(Vec::new())
    }

    fn named(&self, level: Level) -> Vec<Field> {
        let scope = match level {
            Level::Resource => Scope::Resource,
            Level::Span => Scope::Span,
            _ => return Vec::new(),
        };
        let has = |key: &&&str| match level {
            Level::Resource => true,
            _ => **key != "service.name",
        };
        let keys = NAMED.iter().filter(has);
        keys.map(|key| Field::attribute(scope, key)).collect()
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}
