//! Takes a block apart, and puts it together again with something wrong.

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::data_type::ByteArray;
use vivace_block::dedicated;
use vivace_block::schema::{Column, Encoding, Schema};
use vivace_block::{BlockMeta, Format};

use super::base::{Objects, place, written};
use crate::parquet::{Bounds, DataFile, Decoded, Decoder, Pages, Thrift, Values};
use crate::verify::extremes::{self, Order};

/// A structure on its way into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Header of a data page: row group, leaf, page.
    Page(usize, usize, usize),
    OffsetIndex(usize, usize),
    ColumnIndex(usize, usize),
    Chunk(usize, usize),
    RowGroup(usize),
    Footer,
}

type Tamper = Box<dyn Fn(Part, &mut Thrift)>;
type Spoil = Box<dyn Fn(Part, &mut Vec<u8>)>;

#[derive(Clone)]
pub struct Group {
    pub rows: usize,
    /// Pages of each leaf.
    pub columns: Vec<Vec<Decoded>>,
}

/// A block in parts.
pub struct Forge {
    pub objects: Objects,
    pub schema: Schema,
    pub groups: Vec<Group>,
    /// As the footer has it.
    nodes: Thrift,
    tamper: Tamper,
    /// Pages of these leaves, from this page on, have no codes.
    pub plain: Option<(usize, usize)>,
    /// Called for the body of each data page, before its CRC is made.
    pub spoil: Option<Spoil>,
}

impl Forge {
    pub fn new(format: Format) -> Self {
        Self::of(written(format))
    }

    fn of(objects: Objects) -> Self {
        let BlockMeta {
            dedicated_columns, ..
        } = &objects.meta;
        let schema = match objects.meta.known_format() {
            Ok(Format::VParquet5) => {
                Schema::version5(&dedicated::assign(Format::VParquet5, dedicated_columns))
            }
            _ => Schema::version4(),
        };
        let bucket = objects.bucket();
        let key = place().key(vivace_block::keys::BlockObject::Data);
        let size = objects.data.len() as u64;
        let file = DataFile::open(&bucket, key, size).unwrap();
        let mut groups = Vec::new();
        for group in &file.footer.row_groups {
            let mut columns = Vec::new();
            for (leaf, chunk) in schema.leaves.iter().zip(&group.chunks) {
                let mut pages = Pages::new(file.chunk(chunk).unwrap());
                let mut decoder = Decoder::new(leaf, chunk.codec).unwrap();
                let mut decoded = Vec::new();
                while let Some(page) = pages.next().unwrap() {
                    decoded.extend(decoder.decode(&page).unwrap());
                }
                columns.push(decoded);
            }
            groups.push(Group {
                rows: group.rows as usize,
                columns,
            });
        }
        let end = objects.data.len() - 8;
        let footer = &objects.data[end - file.footer_size as usize..end];
        let (footer, _) = Thrift::read(footer).unwrap();
        Self {
            nodes: footer.get(2).unwrap().clone(),
            objects,
            schema,
            groups,
            tamper: Box::new(|_, _| ()),
            plain: None,
            spoil: None,
        }
    }

    /// Changes structures as they are written.
    pub fn tamper(&mut self, tamper: impl Fn(Part, &mut Thrift) + 'static) {
        self.tamper = Box::new(tamper);
    }

    pub fn leaf(&self, column: Column) -> usize {
        self.schema.find(column).unwrap().0
    }

    /// A page of a column of the first row group.
    pub fn page(&mut self, column: Column) -> &mut Decoded {
        let leaf = self.leaf(column);
        &mut self.groups[0].columns[leaf][0]
    }

    pub fn ints(&mut self, column: Column) -> Ints<'_> {
        match &mut self.page(column).values {
            Values::I32(values) => Ints::Narrow(values),
            Values::I64(values) => Ints::Wide(values),
            other => panic!("{column:?} has {other:?}"),
        }
    }

    pub fn texts(&mut self, column: Column) -> &mut Vec<ByteArray> {
        match &mut self.page(column).values {
            Values::Bytes(values) => values,
            other => panic!("{column:?} has {other:?}"),
        }
    }

    pub fn bools(&mut self, column: Column) -> &mut Vec<bool> {
        match &mut self.page(column).values {
            Values::Bool(values) => values,
            other => panic!("{column:?} has {other:?}"),
        }
    }

    /// The block put together. Sizes in the meta are right.
    pub fn build(&self) -> Objects {
        let mut file = b"PAR1".to_vec();
        let mut groups = Vec::new();
        let mut indexes = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let chunks: Vec<_> = group
                .columns
                .iter()
                .enumerate()
                .map(|(leaf, pages)| self.chunk(&mut file, number, leaf, pages))
                .collect();
            indexes.push(chunks);
        }
        for (number, chunks) in indexes.into_iter().enumerate() {
            let mut list = Vec::new();
            for (leaf, (meta, offsets, columns)) in chunks.into_iter().enumerate() {
                let mut place = |part, mut index: Thrift| {
                    (self.tamper)(part, &mut index);
                    let bytes = write(&index);
                    let at = (file.len() as i64, bytes.len() as i64);
                    file.extend(bytes);
                    at
                };
                let columns = place(Part::ColumnIndex(number, leaf), columns);
                let offsets = place(Part::OffsetIndex(number, leaf), offsets);
                let mut chunk = Thrift::Struct(vec![
                    (3, meta),
                    (4, Thrift::Int(offsets.0)),
                    (5, Thrift::Int(offsets.1)),
                    (6, Thrift::Int(columns.0)),
                    (7, Thrift::Int(columns.1)),
                ]);
                (self.tamper)(Part::Chunk(number, leaf), &mut chunk);
                list.push(chunk);
            }
            let mut group = Thrift::Struct(vec![
                (1, Thrift::List(list)),
                (2, Thrift::Int(0)),
                (3, Thrift::Int(self.groups[number].rows as i64)),
                (7, Thrift::Int(number as i64)),
            ]);
            (self.tamper)(Part::RowGroup(number), &mut group);
            groups.push(group);
        }
        let rows: usize = self.groups.iter().map(|group| group.rows).sum();
        let mut footer = Thrift::Struct(vec![
            (1, Thrift::Int(2)),
            (2, self.nodes.clone()),
            (3, Thrift::Int(rows as i64)),
            (4, Thrift::List(groups)),
        ]);
        (self.tamper)(Part::Footer, &mut footer);
        let footer = write(&footer);
        file.extend(&footer);
        file.extend((footer.len() as u32).to_le_bytes());
        file.extend(b"PAR1");
        let mut objects = self.objects.clone();
        objects.meta.size = file.len() as u64;
        objects.meta.footer_size = footer.len() as u32;
        objects.data = Bytes::from(file);
        objects
    }

    /// Writes the pages of a chunk, and gives its metadata and indexes.
    fn chunk(
        &self,
        file: &mut Vec<u8>,
        group: usize,
        number: usize,
        pages: &[Decoded],
    ) -> (Thrift, Thrift, Thrift) {
        let leaf = &self.schema.leaves[number];
        let order = Order::of(leaf);
        let start = file.len();
        let mut dictionary = leaf.encoding == Encoding::Dictionary;
        if self.plain == Some((number, 0)) {
            dictionary = false;
        }
        let entries = entries(pages);
        if dictionary {
            let body = plain(&entries);
            let header = Thrift::Struct(vec![
                (1, Thrift::Int(2)),
                (2, Thrift::Int(body.len() as i64)),
                (3, Thrift::Int(body.len() as i64)),
                (4, crc(&body)),
                (
                    7,
                    Thrift::Struct(vec![
                        (1, Thrift::Int(entries.len() as i64)),
                        (2, Thrift::Int(0)),
                    ]),
                ),
            ]);
            file.extend(write(&header));
            file.extend(body);
        }
        let data = file.len();
        let (mut slots, mut nulls, mut row) = (0, 0, 0);
        let mut bounds = None;
        let mut offsets = Vec::new();
        let mut columns: [Vec<Thrift>; 4] = Default::default();
        for (page_number, page) in pages.iter().enumerate() {
            let part = Part::Page(group, number, page_number);
            let coded = dictionary
                && self
                    .plain
                    .is_none_or(|(leaf, from)| leaf != number || page_number < from);
            let here = file.len();
            let page_slots = match leaf.max_def {
                0 => page.values.len(),
                _ => page.def.len(),
            };
            let page_nulls = page_slots - page.values.len();
            let rows = match leaf.max_rep {
                0 => page_slots,
                _ => page.rep.iter().filter(|rep| **rep == 0).count(),
            };
            let of_page = extremes::of(&page.values, order).filter(|_| !leaf.unbounded);
            let rep = levels(&page.rep, leaf.max_rep);
            let def = levels(&page.def, leaf.max_def);
            let values = match coded {
                true => codes(&page.values, &entries),
                false => plain(&page.values),
            };
            let mut body = [rep.clone(), def.clone(), values].concat();
            if let Some(spoil) = &self.spoil {
                spoil(part, &mut body);
            }
            let mut header = Thrift::Struct(vec![
                (1, Thrift::Int(3)),
                (2, Thrift::Int(body.len() as i64)),
                (3, Thrift::Int(body.len() as i64)),
                (4, crc(&body)),
                (
                    8,
                    Thrift::Struct(vec![
                        (1, Thrift::Int(page_slots as i64)),
                        (2, Thrift::Int(page_nulls as i64)),
                        (3, Thrift::Int(rows as i64)),
                        (4, Thrift::Int(if coded { 8 } else { 0 })),
                        (5, Thrift::Int(def.len() as i64)),
                        (6, Thrift::Int(rep.len() as i64)),
                        (7, Thrift::Bool(false)),
                        (8, statistics(page_nulls, of_page.as_ref())),
                    ]),
                ),
            ]);
            (self.tamper)(part, &mut header);
            file.extend(write(&header));
            file.extend(body);
            offsets.push(Thrift::Struct(vec![
                (1, Thrift::Int(here as i64)),
                (2, Thrift::Int((file.len() - here) as i64)),
                (3, Thrift::Int(row)),
            ]));
            let (min, max) = match &of_page {
                Some(bounds) => (bounds.min.clone(), bounds.max.clone()),
                None => (Vec::new(), Vec::new()),
            };
            columns[0].push(Thrift::Bool(page_nulls == page_slots));
            columns[1].push(Thrift::Bytes(min));
            columns[2].push(Thrift::Bytes(max));
            columns[3].push(Thrift::Int(page_nulls as i64));
            extremes::widen(&mut bounds, of_page.as_ref(), order);
            slots += page_slots;
            nulls += page_nulls;
            row += rows as i64;
        }
        let path = leaf.path.split('.').map(|part| Thrift::Bytes(part.into()));
        let size = Thrift::Int((file.len() - start) as i64);
        let mut meta = vec![
            (1, Thrift::Int(0)),
            (
                2,
                Thrift::List(vec![Thrift::Int(if dictionary { 8 } else { 0 })]),
            ),
            (3, Thrift::List(path.collect())),
            (4, Thrift::Int(0)),
            (5, Thrift::Int(slots as i64)),
            (6, size.clone()),
            (7, size),
            (9, Thrift::Int(data as i64)),
        ];
        if dictionary {
            meta.push((11, Thrift::Int(start as i64)));
        }
        meta.push((12, statistics(nulls, bounds.as_ref())));
        let [null_pages, min, max, null_counts] = columns.map(Thrift::List);
        let index = vec![
            (1, null_pages),
            (2, min),
            (3, max),
            (4, Thrift::Int(0)),
            (5, null_counts),
        ];
        (
            Thrift::Struct(meta),
            Thrift::Struct(vec![(1, Thrift::List(offsets))]),
            Thrift::Struct(index),
        )
    }
}

/// Numbers of either width.
pub enum Ints<'a> {
    Narrow(&'a mut Vec<i32>),
    Wide(&'a mut Vec<i64>),
}

impl Ints<'_> {
    pub fn add(&mut self, index: usize, more: i64) {
        match self {
            Self::Narrow(values) => values[index] += more as i32,
            Self::Wide(values) => values[index] += more,
        }
    }
}

/// The field of a structure, which must be there.
pub fn field(thrift: &mut Thrift, id: i16) -> &mut Thrift {
    match thrift {
        Thrift::Struct(fields) => {
            let found = fields.iter_mut().find(|(field, _)| *field == id);
            &mut found.unwrap().1
        }
        other => panic!("no structure: {other:?}"),
    }
}

pub fn remove(thrift: &mut Thrift, id: i16) {
    match thrift {
        Thrift::Struct(fields) => fields.retain(|(field, _)| *field != id),
        other => panic!("no structure: {other:?}"),
    }
}

pub fn insert(thrift: &mut Thrift, id: i16, value: Thrift) {
    remove(thrift, id);
    match thrift {
        Thrift::Struct(fields) => fields.push((id, value)),
        other => panic!("no structure: {other:?}"),
    }
}

pub fn list(thrift: &mut Thrift) -> &mut Vec<Thrift> {
    match thrift {
        Thrift::List(values) => values,
        other => panic!("no list: {other:?}"),
    }
}

fn crc(body: &[u8]) -> Thrift {
    Thrift::Int(i64::from(crc32fast::hash(body).cast_signed()))
}

fn statistics(nulls: usize, bounds: Option<&Bounds>) -> Thrift {
    let mut fields = vec![(3, Thrift::Int(nulls as i64))];
    if let Some(Bounds { min, max }) = bounds {
        fields.push((5, Thrift::Bytes(max.clone())));
        fields.push((6, Thrift::Bytes(min.clone())));
    }
    Thrift::Struct(fields)
}

/// Each value of a chunk once.
fn entries(pages: &[Decoded]) -> Values {
    let mut seen: BTreeMap<Vec<u8>, ()> = BTreeMap::new();
    for page in pages {
        if let Values::Bytes(values) = &page.values {
            seen.extend(values.iter().map(|value| (value.data().to_vec(), ())));
        }
    }
    Values::Bytes(seen.into_keys().map(ByteArray::from).collect())
}

fn codes(values: &Values, entries: &Values) -> Vec<u8> {
    let (Values::Bytes(values), Values::Bytes(entries)) = (values, entries) else {
        panic!("only texts have dictionaries");
    };
    let code = |value: &ByteArray| {
        entries
            .binary_search_by(|entry| entry.data().cmp(value.data()))
            .unwrap()
    };
    let mut out = vec![32];
    for value in values {
        varint(2, &mut out);
        out.extend((code(value) as u32).to_le_bytes());
    }
    out
}

fn plain(values: &Values) -> Vec<u8> {
    match values {
        Values::Bool(values) => {
            let byte = |bits: &[bool]| {
                let bit = |(at, bit): (usize, &bool)| u8::from(*bit) << at;
                bits.iter().enumerate().map(bit).sum::<u8>()
            };
            values.chunks(8).map(byte).collect()
        }
        Values::I32(values) => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        Values::I64(values) => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        Values::F64(values) => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        Values::Bytes(values) => {
            let one = |value: &ByteArray| {
                [&(value.len() as u32).to_le_bytes()[..], value.data()].concat()
            };
            values.iter().flat_map(one).collect()
        }
    }
}

/// Runs of one, each level in a byte; nothing for a column without.
fn levels(levels: &[i16], max: u8) -> Vec<u8> {
    match max {
        0 => Vec::new(),
        _ => levels.iter().flat_map(|level| [2, *level as u8]).collect(),
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn write(thrift: &Thrift) -> Vec<u8> {
    let mut out = Vec::new();
    put(thrift, &mut out);
    out
}

fn kind(thrift: &Thrift) -> u8 {
    match thrift {
        Thrift::Bool(true) => 1,
        Thrift::Bool(false) => 2,
        Thrift::Int(_) => 6,
        Thrift::Double(_) => 7,
        Thrift::Bytes(_) => 8,
        Thrift::List(_) => 9,
        Thrift::Struct(_) => 12,
    }
}

fn put(thrift: &Thrift, out: &mut Vec<u8>) {
    match thrift {
        // Of lists: in structures, the type says it.
        Thrift::Bool(value) => out.push(if *value { 1 } else { 2 }),
        Thrift::Int(value) => varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out),
        Thrift::Double(value) => out.extend(value.to_le_bytes()),
        Thrift::Bytes(bytes) => {
            varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        Thrift::List(values) => {
            out.push(0xf0 | values.first().map_or(12, kind).clamp(2, 12));
            varint(values.len() as u64, out);
            values.iter().for_each(|value| put(value, out));
        }
        Thrift::Struct(fields) => {
            for (id, value) in fields {
                out.push(kind(value));
                varint(
                    ((i64::from(*id) << 1) ^ (i64::from(*id) >> 63)).cast_unsigned(),
                    out,
                );
                if !matches!(value, Thrift::Bool(_)) {
                    put(value, out);
                }
            }
            out.push(0);
        }
    }
}
