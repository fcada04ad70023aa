//! The schema of Tempo's blocks, the meta, and everything around the rows.

use chrono::{DateTime, Utc};
use parquet::schema::types::Type;
use vivace_block::{BlockMeta, Format};
use vivace_block_writer::{EncodeError, Options, WriteError, write_block};

use crate::common::{self, File as Sink, conformance, finish, options, write};
use crate::file::File;

/// Spans of the conformance data, and bytes of Tempo's block of version 5.
const SPANS: u64 = 11_990;
const TEMPO_BYTES: u64 = 1_394_413;

#[test]
fn schemas_are_those_of_tempo() {
    for format in [Format::VParquet4, Format::VParquet5] {
        let tempo = File::open(std::fs::read(common::tempo(format)).unwrap().into());
        let ours = File::open(write(&conformance(), &options(format)).1);
        let (a, b) = (
            tempo.metadata.file_metadata(),
            ours.metadata.file_metadata(),
        );
        assert_eq!(a.version(), b.version());
        assert_eq!(tempo.leaves(), ours.leaves());
        for leaf in 0..tempo.leaves() {
            let (a, b) = (a.schema_descr().column(leaf), b.schema_descr().column(leaf));
            assert_eq!(a.path(), b.path());
            assert_eq!(a.physical_type(), b.physical_type(), "{}", a.path());
            assert_eq!(a.logical_type_ref(), b.logical_type_ref(), "{}", a.path());
            assert_eq!(a.converted_type(), b.converted_type(), "{}", a.path());
            assert_eq!(a.max_rep_level(), b.max_rep_level(), "{}", a.path());
            assert_eq!(a.max_def_level(), b.max_def_level(), "{}", a.path());
            let repetition = |leaf: &parquet::schema::types::ColumnDescriptor| {
                leaf.self_type().get_basic_info().repetition()
            };
            assert_eq!(repetition(&a), repetition(&b), "{}", a.path());
        }
        same_nodes(a.schema(), b.schema());
    }
}

fn same_nodes(a: &Type, b: &Type) {
    assert_eq!(a.name(), b.name());
    assert_eq!(a.get_basic_info(), b.get_basic_info());
    assert_eq!(a.is_group(), b.is_group());
    if a.is_group() {
        assert_eq!(a.get_fields().len(), b.get_fields().len(), "{}", a.name());
        for (a, b) in a.get_fields().iter().zip(b.get_fields()) {
            same_nodes(a, b);
        }
    }
}

#[test]
fn metas_are_those_of_tempo() {
    for format in [Format::VParquet4, Format::VParquet5] {
        let path = common::tempo(format).with_file_name("meta.json");
        let tempo = BlockMeta::from_json(&std::fs::read(path).unwrap()).unwrap();
        let (built, bytes) = write(&conformance(), &options(format));
        assert_eq!((built.spans, built.duplicates), (SPANS, 0));
        let ours = built.meta;
        assert_eq!(ours.size, bytes.len() as u64);
        let same = BlockMeta {
            block_id: tempo.block_id,
            size: tempo.size,
            footer_size: tempo.footer_size,
            start_time: tempo.start_time,
            end_time: tempo.end_time,
            total_records: tempo.total_records,
            ..ours
        };
        assert_eq!(same, tempo);
    }
}

#[test]
fn times_cover_all_spans() {
    let batches = conformance();
    let (built, _) = write(&batches, &options(Format::VParquet5));
    let (mut least, mut greatest) = (u64::MAX, 0);
    for batch in &batches {
        for span in batch.view().spans() {
            least = least.min(span.start_unix_nano());
            greatest = greatest.max(span.end_unix_nano());
        }
    }
    let time = |nanos: u64| DateTime::<Utc>::from_timestamp_nanos(nanos.cast_signed());
    assert_eq!(
        (built.meta.start_time, built.meta.end_time),
        (time(least), time(greatest))
    );
}

#[test]
fn blocks_are_smaller_than_those_of_tempo() {
    let (built, bytes) = write(&conformance(), &options(Format::VParquet5));
    assert_eq!(built.spans, SPANS);
    let share = bytes.len() as f64 / TEMPO_BYTES as f64;
    assert!(share < 0.6, "{share:.3} of Tempo's block");
}

#[test]
fn equal_batches_make_equal_bytes_whatever_their_order() {
    let mut batches = conformance();
    let first = write(&batches, &options(Format::VParquet5)).1;
    assert_eq!(first, write(&batches, &options(Format::VParquet5)).1);
    batches.reverse();
    // Numbers of texts differ, so that dictionaries do; rows and slots are the same.
    let (a, b) = (
        File::open(first),
        File::open(write(&batches, &options(Format::VParquet5)).1),
    );
    for leaf in 0..a.leaves() {
        assert_eq!(a.slots(0, leaf), b.slots(0, leaf), "{}", a.path(leaf));
    }
}

#[test]
fn a_sink_that_fails_ends_the_block() {
    let batches = conformance();
    for fails_at in [0, 1, 50, 101] {
        let mut sink = Sink {
            fails_at: Some(fails_at),
            ..Sink::default()
        };
        let options = options(Format::VParquet5);
        let error = finish(write_block(&batches, &options, &mut sink, async || {})).unwrap_err();
        assert!(matches!(&error, WriteError::Sink(text) if text == "the disk is full"));
        assert_eq!(sink.appends, fails_at);
    }
}

#[test]
fn what_can_not_be_written_is_refused() {
    let mut sink = Sink::default();
    let error = finish(write_block(
        &[],
        &options(Format::VParquet5),
        &mut sink,
        async || {},
    ));
    assert!(matches!(error, Err(WriteError::Encode(EncodeError::Empty))));
    let batches = conformance();
    let old = Options {
        format: Format::VParquet3,
        ..options(Format::VParquet5)
    };
    let error = finish(write_block(&batches, &old, &mut sink, async || {}));
    assert!(matches!(
        error,
        Err(WriteError::Encode(EncodeError::Format(Format::VParquet3)))
    ));
    assert!(sink.bytes.is_empty());
}

#[test]
fn pauses_come_often() {
    use std::cell::Cell;
    let pauses = Cell::new(0_u64);
    let mut sink = Sink::default();
    let pause = async || pauses.set(pauses.get() + 1);
    finish(write_block(
        &conformance(),
        &options(Format::VParquet5),
        &mut sink,
        pause,
    ))
    .unwrap();
    // Every 64 spans, and every page.
    assert!(pauses.get() > SPANS / 64 + 92, "{}", pauses.get());
}
