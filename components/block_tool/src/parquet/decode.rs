//! Levels and values of pages, decoded by the `parquet` crate, one page at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::{Encoding, Repetition, Type as ParquetType};
use parquet::column::page::{Page as ParquetPage, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};
use vivace_block::schema::{self, Leaf, Physical};

use super::{FileError, Kind, Page};

/// Values of one leaf.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

/// What a page has in it: a slot for each place of a value, and the values that are there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    pub rep: Vec<i16>,
    pub def: Vec<i16>,
    pub values: Values,
}

impl Values {
    pub fn none_of(physical: Physical) -> Self {
        match physical {
            Physical::Boolean => Self::Bool(Vec::new()),
            Physical::Int32 => Self::I32(Vec::new()),
            Physical::Int64 => Self::I64(Vec::new()),
            Physical::Double => Self::F64(Vec::new()),
            Physical::ByteArray => Self::Bytes(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }
}

/// Decodes the pages of one chunk, which must be given in order.
pub(crate) struct Decoder {
    reader: ColumnReader,
    next: Arc<Mutex<Option<ParquetPage>>>,
    max_rep: i16,
    max_def: i16,
    codec: i64,
}

impl Decoder {
    pub fn new(leaf: &Leaf, codec: i64) -> Result<Self, FileError> {
        let next = Arc::new(Mutex::new(None));
        let descriptor =
            descriptor(leaf).map_err(|error| FileError::malformed(format!("its type: {error}")))?;
        let feed = Box::new(Feed(Arc::clone(&next)));
        Ok(Self {
            reader: get_column_reader(Arc::new(descriptor), feed),
            next,
            max_rep: leaf.max_rep.into(),
            max_def: leaf.max_def.into(),
            codec,
        })
    }

    /// None for a dictionary, which is kept for the pages after it.
    pub fn decode(&mut self, page: &Page) -> Result<Option<Decoded>, FileError> {
        let body = page.decompress(self.codec)?;
        let is_data = page.header.kind != Kind::Dictionary;
        let feed = to_parquet(page, body)?;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
        let mut decoded = Decoded {
            rep: Vec::new(),
            def: Vec::new(),
            values: Values::Bool(Vec::new()),
        };
        // A decoder that panics is not used again: the chunk ends with the error.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(&mut decoded)))
            .unwrap_or_else(|_| Err(ParquetError::General("it cannot be decoded".to_owned())));
        read.map_err(|error| FileError::malformed(error.to_string()))?;
        if !is_data {
            return Ok(None);
        }
        let slots = page.header.slots;
        let fits = |levels: &[i16], max: i16| {
            max == 0 || (levels.len() == slots && levels.iter().all(|level| *level <= max))
        };
        if !fits(&decoded.rep, self.max_rep) || !fits(&decoded.def, self.max_def) {
            return Err(FileError::malformed(format!(
                "levels that are not those of {slots} values"
            )));
        }
        let there = decoded
            .def
            .iter()
            .filter(|def| **def == self.max_def)
            .count();
        let expected = if self.max_def == 0 { slots } else { there };
        if decoded.values.len() != expected {
            return Err(FileError::malformed(format!(
                "{} values where levels say {expected}",
                decoded.values.len()
            )));
        }
        Ok(Some(decoded))
    }

    fn read(&mut self, out: &mut Decoded) -> ParquetResult<()> {
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                out.values = Values::Bool(read_all(reader, out)?);
            }
            ColumnReader::Int32ColumnReader(reader) => {
                out.values = Values::I32(read_all(reader, out)?);
            }
            ColumnReader::Int64ColumnReader(reader) => {
                out.values = Values::I64(read_all(reader, out)?);
            }
            ColumnReader::DoubleColumnReader(reader) => {
                out.values = Values::F64(read_all(reader, out)?);
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                out.values = Values::Bytes(read_all(reader, out)?);
            }
            _ => {
                let error = "a type that blocks do not have".to_owned();
                return Err(ParquetError::General(error));
            }
        }
        Ok(())
    }
}

fn read_all<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    out: &mut Decoded,
) -> ParquetResult<Vec<T::T>> {
    let mut values = Vec::new();
    reader.read_records(
        usize::MAX,
        Some(&mut out.def),
        Some(&mut out.rep),
        &mut values,
    )?;
    Ok(values)
}

fn descriptor(leaf: &Leaf) -> ParquetResult<ColumnDescriptor> {
    let physical = match leaf.physical {
        Physical::Boolean => ParquetType::BOOLEAN,
        Physical::Int32 => ParquetType::INT32,
        Physical::Int64 => ParquetType::INT64,
        Physical::Double => ParquetType::DOUBLE,
        Physical::ByteArray => ParquetType::BYTE_ARRAY,
    };
    let repetition = match leaf.repetition {
        schema::Repetition::Required => Repetition::REQUIRED,
        schema::Repetition::Optional => Repetition::OPTIONAL,
        schema::Repetition::Repeated => Repetition::REPEATED,
    };
    let parts: Vec<String> = leaf.path.split('.').map(str::to_owned).collect();
    let name = parts.last().map_or("", String::as_str);
    let node = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .build()?;
    Ok(ColumnDescriptor::new(
        Arc::new(node),
        leaf.max_def.into(),
        leaf.max_rep.into(),
        ColumnPath::new(parts),
    ))
}

fn to_parquet(page: &Page, buf: Bytes) -> Result<ParquetPage, FileError> {
    let header = &page.header;
    let encoding = match header.encoding {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => return Err(FileError::malformed(format!("a page in encoding {other}"))),
    };
    // Sizes are within the limits, which are far below 2³².
    let num_values = header.slots as u32;
    Ok(match header.kind {
        Kind::Dictionary => ParquetPage::DictionaryPage {
            buf,
            num_values,
            encoding,
            is_sorted: false,
        },
        Kind::DataV1 => ParquetPage::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        },
        Kind::DataV2 {
            rep_bytes,
            def_bytes,
            ..
        } => {
            if rep_bytes + def_bytes > buf.len() {
                return Err(FileError::malformed("levels longer than their page"));
            }
            ParquetPage::DataPageV2 {
                buf,
                num_values,
                encoding,
                // What the levels say is compared with the header elsewhere.
                num_nulls: 0,
                num_rows: num_values,
                def_levels_byte_len: def_bytes as u32,
                rep_levels_byte_len: rep_bytes as u32,
                is_compressed: false,
                statistics: None,
            }
        }
    })
}

/// Gives the page that was put there, and then none until the next one is.
struct Feed(Arc<Mutex<Option<ParquetPage>>>);

impl Iterator for Feed {
    type Item = ParquetResult<ParquetPage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Feed {
    fn get_next_page(&mut self) -> ParquetResult<Option<ParquetPage>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// None: so that each page is taken for the last one, which ends where a row does.
    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.get_next_page().map(|_| ())
    }
}
