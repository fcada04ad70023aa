//! Row groups, pages, indexes and statistics: what readers rely on, and the traps in which they fall without a word.

use parquet::basic::{BoundaryOrder, Compression, Encoding, Type};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use vivace_block::Format;
use vivace_block::bloom::{BloomShard, shard_of};
use vivace_block::index::RowGroupIndex;
use vivace_block_writer::{Built, Options, limits};
use vivace_model::TraceId;

use crate::common::{batch, conformance, many_columns, options, write};
use crate::file::{File, Slot, Val};
use crate::support::{Any, Span};

/// Points 1, 5, 6 and 7 of the checklist (block-format.md §12).
pub fn check_layout(file: &File, built: &Built, ids: &[[u8; 16]]) {
    let metadata = &file.metadata;
    assert!(ids.is_sorted_by(|a, b| a < b));
    let trace_ids = file.leaf("TraceID");
    let mut found = Vec::new();
    let mut last_ids = Vec::new();
    for (number, row_group) in metadata.row_groups().iter().enumerate() {
        assert_eq!(row_group.ordinal(), Some(number as i32));
        let slots = file.slots(number, trace_ids);
        assert_eq!(slots.len(), row_group.num_rows() as usize);
        for slot in slots {
            match slot.value {
                Some(Val::Bytes(id)) => found.push(<[u8; 16]>::try_from(&id[..]).unwrap()),
                other => panic!("{other:?}"),
            }
        }
        last_ids.push(TraceId(*found.last().unwrap()));
    }
    assert_eq!(found, ids);
    let index = RowGroupIndex::parse(&built.index).unwrap();
    assert_eq!(index.last_ids(), last_ids);
    let meta = &built.meta;
    assert_eq!(meta.size, file.bytes.len() as u64);
    assert_eq!(meta.total_objects, ids.len() as u64);
    assert_eq!(meta.total_records as usize, metadata.num_row_groups());
    assert_eq!(meta.replication_factor, 1);
    let end = &file.bytes[file.bytes.len() - 8..];
    assert_eq!(end[..4], meta.footer_size.to_le_bytes());
    assert_eq!(&end[4..], b"PAR1");
    assert_eq!(&file.bytes[..4], b"PAR1");
    assert_eq!(meta.bloom_shards as usize, built.blooms.len());
    for id in ids {
        let shard = shard_of(TraceId(*id), meta.bloom_shards) as usize;
        let shard = BloomShard::parse(built.blooms[shard].clone()).unwrap();
        assert!(shard.contains(TraceId(*id)));
    }
}

/// Statistics, column and offset index of every chunk against what is in its pages.
pub fn check_indexes(file: &File) {
    let schema = file.metadata.file_metadata().schema_descr();
    for row_group in 0..file.metadata.num_row_groups() {
        let mut at = file.column(row_group, 0).byte_range().0;
        for leaf in 0..file.leaves() {
            let column = file.column(row_group, leaf);
            let path = column.column_path().string();
            // Chunks stand one behind the other, dictionary first.
            assert_eq!(column.byte_range().0, at, "{path}");
            at += column.byte_range().1;
            let chunk = file.chunk(row_group, leaf);
            let slots = || chunk.pages.iter().flat_map(|page| &page.slots);
            assert_eq!(column.num_values() as usize, slots().count(), "{path}");
            let nulls = slots().filter(|slot| slot.value.is_none()).count() as u64;
            let statistics = column.statistics().unwrap();
            assert_eq!(statistics.null_count_opt(), Some(nulls), "{path}");
            let order = Ordered::of(column.column_type(), schema.column(leaf).sort_order());
            let bounds = (statistics.min_bytes_opt(), statistics.max_bytes_opt());
            let all: Vec<_> = slots().cloned().collect();
            let unbounded = path.ends_with("String08") || path == "big.blob";
            check_bounds(&all, bounds, order, unbounded, &path);
            check_pages(file, row_group, leaf, &chunk.pages, order, unbounded, &path);
        }
    }
}

fn check_pages(
    file: &File,
    row_group: usize,
    leaf: usize,
    pages: &[crate::file::DataPage],
    order: Ordered,
    unbounded: bool,
    path: &str,
) {
    let indexes = file.metadata.page_index_for_row_group(row_group);
    let offsets = indexes.offset_index(leaf).unwrap().page_locations();
    let index = indexes.column_index(leaf).unwrap();
    assert_eq!(offsets.len(), pages.len(), "{path}");
    assert_eq!(index.num_pages() as usize, pages.len(), "{path}");
    let column = file.column(row_group, leaf);
    let mut at = column.data_page_offset();
    let mut rows = 0;
    for (number, page) in pages.iter().enumerate() {
        assert_eq!(
            (offsets[number].offset, offsets[number].first_row_index),
            (at, rows),
            "{path}"
        );
        at += i64::from(offsets[number].compressed_page_size);
        assert_eq!(page.slots[0].rep, 0, "{path}: a page begins with a row");
        rows += page.slots.iter().filter(|slot| slot.rep == 0).count() as i64;
        let values = page
            .slots
            .iter()
            .filter(|slot| slot.value.is_some())
            .count();
        assert_eq!(index.is_null_page(number), values == 0, "{path}");
        let nulls = page.slots.len() - values;
        assert_eq!(index.null_count(number), Some(nulls as i64), "{path}");
        let (least, greatest) = page_bounds(index, number);
        let bounds = (values > 0).then_some((least, greatest));
        let bounds = (
            bounds.as_ref().map(|bounds| &bounds.0[..]),
            bounds.as_ref().map(|bounds| &bounds.1[..]),
        );
        if unbounded {
            assert!(
                bounds.0.unwrap_or_default().is_empty() && bounds.1.unwrap_or_default().is_empty()
            );
        } else {
            check_bounds(&page.slots, bounds, order, false, path);
        }
    }
    assert_eq!(
        rows,
        file.metadata.row_group(row_group).num_rows(),
        "{path}"
    );
    let (start, len) = column.byte_range();
    assert_eq!(at as u64, start + len, "{path}");
}

fn page_bounds(index: &ColumnIndexMetaData, page: usize) -> (Vec<u8>, Vec<u8>) {
    macro_rules! bounds {
        ($index:expr) => {
            (
                $index
                    .min_value(page)
                    .map(|value| value.to_le_bytes().to_vec()),
                $index
                    .max_value(page)
                    .map(|value| value.to_le_bytes().to_vec()),
            )
        };
    }
    let (least, greatest) = match index {
        ColumnIndexMetaData::BOOLEAN(index) => (
            index.min_value(page).map(|value| vec![u8::from(*value)]),
            index.max_value(page).map(|value| vec![u8::from(*value)]),
        ),
        ColumnIndexMetaData::INT32(index) => bounds!(index),
        ColumnIndexMetaData::INT64(index) => bounds!(index),
        ColumnIndexMetaData::DOUBLE(index) => bounds!(index),
        ColumnIndexMetaData::BYTE_ARRAY(index) => (
            index.min_value(page).map(<[u8]>::to_vec),
            index.max_value(page).map(<[u8]>::to_vec),
        ),
        other => panic!("{other:?}"),
    };
    (least.unwrap_or_default(), greatest.unwrap_or_default())
}

/// How values of a leaf compare.
#[derive(Clone, Copy, Debug)]
enum Ordered {
    Bool,
    Signed,
    Unsigned,
    Double,
    Bytes,
}

impl Ordered {
    fn of(physical: Type, order: parquet::basic::SortOrder) -> Self {
        match (physical, order) {
            (Type::BOOLEAN, _) => Self::Bool,
            (Type::DOUBLE, _) => Self::Double,
            (Type::BYTE_ARRAY, _) => Self::Bytes,
            (_, parquet::basic::SortOrder::UNSIGNED) => Self::Unsigned,
            _ => Self::Signed,
        }
    }

    /// A number whose order is that of the value, or the bytes.
    fn key(self, value: &[u8]) -> (i128, Vec<u8>) {
        let number = match value.len() {
            4 => i128::from(i32::from_le_bytes(value.try_into().unwrap())),
            8 => i128::from(i64::from_le_bytes(value.try_into().unwrap())),
            _ => 0,
        };
        match self {
            Self::Bool | Self::Bytes => (0, value.to_vec()),
            Self::Signed => (number, Vec::new()),
            Self::Unsigned if number >= 0 => (number, Vec::new()),
            Self::Unsigned if value.len() == 4 => (number + (1 << 32), Vec::new()),
            Self::Unsigned => (number + (1 << 64), Vec::new()),
            // The total order of IEEE 754.
            Self::Double if number >= 0 => (number, Vec::new()),
            Self::Double => (i128::from(i64::MIN) - number - 1, Vec::new()),
        }
    }
}

fn raw(value: &Val) -> Vec<u8> {
    match value {
        Val::Bool(value) => vec![u8::from(*value)],
        Val::I32(value) => value.to_le_bytes().to_vec(),
        Val::I64(value) => value.to_le_bytes().to_vec(),
        Val::Double(bits) => bits.to_le_bytes().to_vec(),
        Val::Bytes(bytes) => bytes.clone(),
        Val::Json(_) => panic!("not raw"),
    }
}

/// Bounds enclose all values, closely.
fn check_bounds(
    slots: &[Slot],
    bounds: (Option<&[u8]>, Option<&[u8]>),
    order: Ordered,
    unbounded: bool,
    path: &str,
) {
    let values = slots.iter().filter_map(|slot| slot.value.as_ref());
    let not_nan =
        |value: &&Val| !matches!(value, Val::Double(bits) if f64::from_bits(*bits).is_nan());
    let any = values.clone().next().is_some();
    if !any || unbounded {
        assert_eq!(bounds, (None, None), "{path}");
        return;
    }
    let (Some(least), Some(greatest)) = bounds else {
        panic!("{path} has values and no bounds");
    };
    let numbers: Vec<_> = values.clone().filter(not_nan).map(raw).collect();
    let all = if numbers.is_empty() {
        values.map(raw).collect()
    } else {
        numbers
    };
    let keys = all.iter().map(|value| order.key(value));
    let (min, max) = (keys.clone().min().unwrap(), keys.max().unwrap());
    let (least, greatest) = (order.key(least), order.key(greatest));
    if matches!(order, Ordered::Bytes) {
        assert!(least <= min && greatest >= max, "{path}");
        let cut = |bytes: &[u8]| bytes.len() <= limits::BOUND_BYTES;
        assert!(min.1.starts_with(&least.1), "{path}");
        assert!(
            cut(&least.1) && (cut(&greatest.1) || greatest == max),
            "{path}"
        );
        if cut(&max.1) {
            assert_eq!(greatest, max, "{path}");
        }
    } else {
        assert_eq!((least, greatest), (min, max), "{path}");
    }
}

fn plain_span(number: u64) -> Span {
    let resource = crate::support::Resource {
        attributes: vec![("service.name".into(), Any::String("shop".into()))],
        dropped: 0,
        schema_url: String::new(),
        entity_refs: Vec::new(),
    };
    let scope = crate::support::Scope {
        name: "library".into(),
        version: "1".into(),
        attributes: Vec::new(),
        dropped: 0,
        schema_url: String::new(),
    };
    let mut trace_id = [0; 16];
    trace_id[8..].copy_from_slice(&(number + 1).to_be_bytes());
    Span {
        trace_id,
        span_id: (number + 1).to_be_bytes(),
        parent: None,
        name: "GET".into(),
        kind: 2,
        start: 1_700_000_000_000_000_000 + number,
        end: 1_700_000_001_000_000_000 + number,
        status: (0, String::new()),
        trace_state: String::new(),
        flags: 0,
        dropped: [0; 3],
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        resource,
        scope,
    }
}

fn file_of(spans: &[Span], options: &Options) -> File {
    File::open(write(&[batch(spans)], options).1)
}

#[test]
fn the_conformance_data_in_many_row_groups() {
    let batches = conformance();
    for format in [Format::VParquet4, Format::VParquet5] {
        let options = Options {
            row_group_bytes: 150_000,
            dedicated: many_columns(),
            ..options(format)
        };
        let (built, bytes) = write(&batches, &options);
        let file = File::open(bytes);
        assert!(file.metadata.num_row_groups() > 5);
        let mut ids: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.view().trace_ids().iter().collect::<Vec<_>>())
            .collect();
        ids.sort();
        ids.dedup();
        check_layout(&file, &built, &ids);
        check_indexes(&file);
    }
}

/// Each encoding where it is asked for, and none where readers misread it.
#[test]
fn encodings_that_readers_read() {
    let batches = conformance();
    for format in [Format::VParquet4, Format::VParquet5] {
        let options = options(format);
        let assigned = vivace_block::dedicated::assign(
            format,
            &vivace_block::dedicated::of_format(format, &options.dedicated),
        );
        let schema = match format {
            Format::VParquet5 => vivace_block::schema::Schema::version5(&assigned),
            _ => vivace_block::schema::Schema::version4(),
        };
        let file = File::open(write(&batches, &options).1);
        for (position, leaf) in schema.leaves.iter().enumerate() {
            let column = file.column(0, position);
            assert!(matches!(column.compression(), Compression::ZSTD(_)));
            let chunk = file.chunk(0, position);
            assert!(!chunk.pages.is_empty());
            for page in &chunk.pages {
                assert!(page.v1, "{}", leaf.path);
                let has_codes = page.encoding == Encoding::RLE_DICTIONARY;
                assert_eq!(has_codes, chunk.dictionary.is_some(), "{}", leaf.path);
                if leaf.encoding == vivace_block::schema::Encoding::Dictionary {
                    assert!(has_codes, "{} needs a dictionary", leaf.path);
                }
                if column.column_type() == Type::BOOLEAN {
                    assert_eq!(page.encoding, Encoding::PLAIN, "{}", leaf.path);
                }
                if leaf.path.ends_with("ParentID") {
                    assert!(!has_codes, "-1 is not found through a dictionary");
                }
            }
        }
    }
}

/// A dictionary of several megabytes stays the only encoding of its chunk.
#[test]
fn dictionaries_do_not_fall_back() {
    let spans: Vec<_> = (0..6_000)
        .map(|number| {
            let mut span = plain_span(number);
            let text = format!("{number:0>500}");
            span.attributes = vec![
                ("long".into(), Any::String(text.clone())),
                ("url.path".into(), Any::String(text)),
            ];
            span
        })
        .collect();
    let file = file_of(&spans, &options(Format::VParquet5));
    for path in [
        "rs.ss.Spans.Attrs.Value",
        "rs.ss.Spans.DedicatedAttributes.String02",
    ] {
        let leaf = file.leaf(path);
        assert!(file.column(0, leaf).uncompressed_size() > 3_000_000);
        let chunk = file.chunk(0, leaf);
        assert_eq!(chunk.dictionary, Some(6_000));
        let codes = |page: &crate::file::DataPage| page.encoding == Encoding::RLE_DICTIONARY;
        assert!(chunk.pages.iter().all(codes));
    }
}

/// One span, attributes of two types: the page of neither is a null page, though it has as many nulls as rows.
#[test]
fn pages_of_repeated_leaves_are_not_null_pages() {
    let mut span = plain_span(0);
    span.attributes = vec![
        ("a".into(), Any::Int(5)),
        ("b".into(), Any::String("x".into())),
    ];
    let file = file_of(&[span], &options(Format::VParquet5));
    let indexes = file.metadata.page_index_for_row_group(0);
    let index = |path: &str| {
        let index = indexes.column_index(file.leaf(path)).unwrap();
        (index.is_null_page(0), index.null_count(0))
    };
    assert_eq!(index("rs.ss.Spans.Attrs.ValueInt"), (false, Some(1)));
    assert_eq!(index("rs.ss.Spans.Attrs.Value"), (false, Some(1)));
    assert_eq!(index("rs.ss.Spans.Attrs.ValueDouble"), (true, Some(2)));
    assert_eq!(index("rs.ss.Spans.Events.Name"), (true, Some(1)));
}

/// A trace is found by its id with few bytes, and the pages of a row group that say so are sorted.
#[test]
fn pages_of_trace_ids_are_small_and_sorted() {
    let spans: Vec<_> = (0..2_500).map(plain_span).collect();
    let file = file_of(&spans, &options(Format::VParquet5));
    let leaf = file.leaf("TraceID");
    let pages = file.chunk(0, leaf).pages;
    let sizes: Vec<_> = pages.iter().map(|page| page.slots.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    let index = file.metadata.page_index_for_row_group(0);
    let index = index.column_index(leaf).unwrap();
    assert_eq!(index.get_boundary_order(), Some(BoundaryOrder::ASCENDING));
    let (least, _) = page_bounds(index, 1);
    assert_eq!(least, spans[1_000].trace_id);
}

/// Long values that hardly repeat, in a column of their own.
#[test]
fn blobs_have_no_dictionary_and_no_bounds() {
    let mut span = plain_span(0);
    span.attributes = vec![("big.blob".into(), Any::String("prompt".repeat(100)))];
    let options = Options {
        dedicated: many_columns(),
        ..options(Format::VParquet5)
    };
    let file = file_of(&[span], &options);
    let leaf = file.leaf("rs.ss.Spans.DedicatedAttributes.String08");
    let chunk = file.chunk(0, leaf);
    assert_eq!(chunk.dictionary, None);
    assert_eq!(chunk.pages[0].encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY);
    let statistics = file.column(0, leaf).statistics().unwrap();
    assert_eq!(
        (statistics.min_bytes_opt(), statistics.max_bytes_opt()),
        (None, None)
    );
    assert_eq!(statistics.null_count_opt(), Some(0));
    check_indexes(&file);
}

#[test]
fn pages_end_with_rows_and_near_their_size() {
    let (_, bytes) = write(&conformance(), &options(Format::VParquet5));
    let file = File::open(bytes);
    let pages = file.chunk(0, file.leaf("rs.ss.Spans.Attrs.Key")).pages;
    assert!(pages.len() > 1);
    for page in &pages[..pages.len() - 1] {
        let slots = page.slots.len();
        // Elements of arrays count too, and the longest row has some thousands.
        let near = limits::PAGE_SLOTS * 9 / 10..limits::PAGE_SLOTS + 20_000;
        assert!(near.contains(&slots), "{slots}");
    }
}

#[test]
fn the_footer_says_version_2_and_has_no_pairs() {
    let file = file_of(&[plain_span(0)], &options(Format::VParquet5));
    let metadata = file.metadata.file_metadata();
    assert_eq!(metadata.version(), 2);
    assert_eq!(metadata.key_value_metadata(), None);
    assert_eq!(metadata.schema().name(), "Trace");
    let group = file.metadata.row_group(0);
    assert_eq!(group.sorting_columns(), None);
    let sizes = group
        .columns()
        .iter()
        .map(|column| column.uncompressed_size());
    assert_eq!(group.total_byte_size(), sizes.sum::<i64>());
}
