//! Reads a file leaf by leaf, with the `parquet` crate's own decoders.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::serialized_reader::SerializedPageReader;

/// A value, or what of a leaf is compared.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Val {
    Bool(bool),
    I32(i32),
    I64(i64),
    /// Bits.
    Double(u64),
    Bytes(Vec<u8>),
    Json(String),
}

/// A slot of a leaf: levels, and the value if there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub rep: i16,
    pub def: i16,
    pub value: Option<Val>,
}

/// A data page.
pub struct DataPage {
    pub encoding: Encoding,
    pub v1: bool,
    pub slots: Vec<Slot>,
}

/// A column chunk, decoded.
pub struct Chunk {
    pub pages: Vec<DataPage>,
    /// Entries of the dictionary.
    pub dictionary: Option<u32>,
}

pub struct File {
    pub bytes: Bytes,
    pub metadata: ParquetMetaData,
}

impl File {
    pub fn open(bytes: Bytes) -> Self {
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&bytes)
            .unwrap();
        Self { bytes, metadata }
    }

    pub fn leaves(&self) -> usize {
        self.metadata.file_metadata().schema_descr().num_columns()
    }

    pub fn path(&self, leaf: usize) -> String {
        let schema = self.metadata.file_metadata().schema_descr();
        schema.column(leaf).path().string()
    }

    pub fn leaf(&self, path: &str) -> usize {
        (0..self.leaves())
            .find(|leaf| self.path(*leaf) == path)
            .unwrap_or_else(|| panic!("no leaf {path}"))
    }

    pub fn column(&self, row_group: usize, leaf: usize) -> &ColumnChunkMetaData {
        self.metadata.row_group(row_group).column(leaf)
    }

    pub fn chunk(&self, row_group: usize, leaf: usize) -> Chunk {
        let column = self.column(row_group, leaf);
        let mut chunk = Chunk {
            pages: Vec::new(),
            dictionary: None,
        };
        let mut dictionary = None;
        for page in self.raw_pages(row_group, leaf) {
            if let Page::DictionaryPage { num_values, .. } = &page {
                chunk.dictionary = Some(*num_values);
                dictionary = Some(page);
                continue;
            }
            let encoding = page.encoding();
            let v1 = matches!(page, Page::DataPage { .. });
            let pages = Pages(dictionary.iter().cloned().chain([page]).collect());
            chunk.pages.push(DataPage {
                encoding,
                v1,
                slots: decode(column, pages),
            });
        }
        chunk
    }

    /// All slots of a leaf in a row group.
    pub fn slots(&self, row_group: usize, leaf: usize) -> Vec<Slot> {
        let pages = self.chunk(row_group, leaf).pages;
        pages.into_iter().flat_map(|page| page.slots).collect()
    }

    /// Pages, decompressed.
    pub fn raw_pages(&self, row_group: usize, leaf: usize) -> Vec<Page> {
        let column = self.column(row_group, leaf);
        let rows = self.metadata.row_group(row_group).num_rows() as usize;
        // The crate is built without codecs: it is told that there is none.
        let as_stored = column.clone().into_builder();
        let as_stored = as_stored.set_compression(Compression::UNCOMPRESSED).build();
        let bytes = Arc::new(self.bytes.clone());
        let pages = SerializedPageReader::new(bytes, &as_stored.unwrap(), rows, None).unwrap();
        let zstd = matches!(column.compression(), Compression::ZSTD(_));
        pages
            .map(|page| {
                if zstd {
                    decompress(page.unwrap())
                } else {
                    page.unwrap()
                }
            })
            .collect()
    }
}

fn decompress(page: Page) -> Page {
    let whole = |buf: Bytes| Bytes::from(zstd::decode_all(&buf[..]).unwrap());
    match page {
        Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding,
            rep_level_encoding,
            statistics,
        } => Page::DataPage {
            buf: whole(buf),
            num_values,
            encoding,
            def_level_encoding,
            rep_level_encoding,
            statistics,
        },
        Page::DictionaryPage {
            buf,
            num_values,
            encoding,
            is_sorted,
        } => Page::DictionaryPage {
            buf: whole(buf),
            num_values,
            encoding,
            is_sorted,
        },
        Page::DataPageV2 { .. } => panic!("pages of version 2 are not written"),
    }
}

/// Decoded pages, the first at the end.
struct Pages(Vec<Page>);

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(self.0.first().map(|page| PageMetadata {
            num_rows: None,
            num_levels: Some(page.num_values() as usize),
            is_dict: page.is_dictionary_page(),
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(|_| ())
    }
}

fn decode(column: &ColumnChunkMetaData, pages: Pages) -> Vec<Slot> {
    let (mut reps, mut defs) = (Vec::new(), Vec::new());
    let descriptor = column.column_descr_ptr();
    let max_def = descriptor.max_def_level();
    macro_rules! read {
        ($reader:expr, $value:expr) => {{
            let mut reader = $reader;
            let mut values = Vec::new();
            let read = reader
                .read_records(usize::MAX, Some(&mut defs), Some(&mut reps), &mut values)
                .unwrap();
            (read.2, values.into_iter().map($value).collect::<Vec<_>>())
        }};
    }
    let (levels, values) = match get_column_reader(Arc::clone(&descriptor), Box::new(pages)) {
        ColumnReader::BoolColumnReader(reader) => read!(reader, Val::Bool),
        ColumnReader::Int32ColumnReader(reader) => read!(reader, Val::I32),
        ColumnReader::Int64ColumnReader(reader) => read!(reader, Val::I64),
        ColumnReader::DoubleColumnReader(reader) => {
            read!(reader, |value: f64| Val::Double(value.to_bits()))
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            read!(reader, |value: parquet::data_type::ByteArray| Val::Bytes(
                value.data().to_vec()
            ))
        }
        _ => panic!("no leaf has this type"),
    };
    let mut values = values.into_iter();
    let level = |all: &[i16], at: usize| all.get(at).copied().unwrap_or_default();
    let slots: Vec<_> = (0..levels)
        .map(|at| Slot {
            rep: level(&reps, at),
            def: level(&defs, at),
            value: if level(&defs, at) == max_def {
                Some(values.next().unwrap())
            } else {
                None
            },
        })
        .collect();
    assert!(values.next().is_none());
    slots
}
