//! Both forms against each other, against bytes as Tempo writes them, and against damage.

use std::cell::Cell;
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::ZERO_TIME;
use crate::dedicated::{DedicatedColumn, default_columns};
use crate::meta::tests::meta;

/// Runs work that waits for nothing but pauses which are always ready.
fn finish<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn from_protobuf(bytes: &[u8]) -> Result<TenantIndex, TenantIndexError> {
    finish(TenantIndex::from_protobuf(&zstd(bytes), async || {}))
}

fn from_json(json: &str) -> Result<TenantIndex, TenantIndexError> {
    finish(TenantIndex::from_json(&gzip(json.as_bytes()), async || {}))
}

/// Field `number` of a message, with its length.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &bytes.to_vec(), &mut out);
    out
}

/// Field `number` of a message, a number.
fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::uint64::encode(number, &value, &mut out);
    out
}

fn zero_time() -> Vec<u8> {
    varint(1, -62_135_596_800_i64 as u64)
}

fn index() -> impl Strategy<Value = TenantIndex> {
    let compacted = (meta(), meta()).prop_map(|(meta, other)| CompactedBlockMeta {
        meta,
        compacted_time: other.end_time,
    });
    let parts = (
        meta(),
        prop::collection::vec(meta(), 0..4),
        prop::collection::vec(compacted, 0..4),
    );
    parts.prop_map(|(other, meta, compacted)| TenantIndex {
        created_at: other.start_time,
        meta,
        compacted,
    })
}

#[test]
fn oddities_of_old_files() {
    let meta = [
        field(1, b"vParquet4"),
        field(2, &[7; 16]),
        field(3, b"min"),
        field(4, b"max"),
        field(5, b"single-tenant"),
        field(6, &zero_time()),
        varint(8, 5),
        varint(11, 1),
        varint(13, 2),
        field(14, b"v2"),
        field(17, b""),
        field(99, b"later"),
    ]
    .concat();
    let compacted = [field(1, &meta), field(2, &varint(1, 5))].concat();
    let bytes = [
        field(1, &zero_time()),
        field(2, &meta),
        field(4, b"later"),
        field(3, &compacted),
    ]
    .concat();
    let index = from_protobuf(&bytes).unwrap();
    assert_eq!(index.created_at, ZERO_TIME);
    let meta = &index.meta[0];
    assert_eq!(meta.format, "vParquet4");
    assert_eq!(meta.block_id.as_bytes(), &[7; 16]);
    assert_eq!((meta.start_time, meta.end_time), (ZERO_TIME, ZERO_TIME));
    assert_eq!((meta.total_objects, meta.total_records), (5, 2));
    assert!(meta.dedicated_columns.is_empty());
    assert_eq!(index.compacted[0].meta, *meta);
    assert_eq!(index.compacted[0].compacted_time.timestamp(), 5);
}

#[test]
fn equal_dedicated_columns_are_read_as_one_list() {
    let with = |id: u128, columns: &[DedicatedColumn]| {
        let json = format!(
            r#"{{"format":"f","blockID":"{}","tenantID":"t"}}"#,
            uuid::Uuid::from_u128(id)
        );
        let mut meta = BlockMeta::from_json(json.as_bytes()).unwrap();
        meta.dedicated_columns = columns.into();
        meta
    };
    let columns = default_columns();
    let index = TenantIndex {
        created_at: ZERO_TIME,
        meta: vec![with(1, &columns), with(2, &columns), with(3, &columns[1..])],
        compacted: vec![CompactedBlockMeta {
            meta: with(4, &columns[1..]),
            compacted_time: ZERO_TIME,
        }],
    };
    let bytes = finish(index.to_protobuf(async || {})).unwrap();
    let protobuf = finish(TenantIndex::from_protobuf(&bytes, async || {})).unwrap();
    let bytes = finish(index.to_json(async || {})).unwrap();
    let json = finish(TenantIndex::from_json(&bytes, async || {})).unwrap();
    for read in [protobuf, json] {
        assert_eq!(read, index);
        let list = |at: usize| &read.meta[at].dedicated_columns;
        assert!(Arc::ptr_eq(list(0), list(1)));
        assert!(Arc::ptr_eq(
            list(2),
            &read.compacted[0].meta.dedicated_columns
        ));
    }
}

#[test]
fn fields_are_those_of_the_specification() {
    let json = r#"{"format":"f","blockID":"01010101-0101-0101-0101-010101010101","tenantID":"t","startTime":"1970-01-01T00:00:01.000000002Z","endTime":"1970-01-01T00:00:03Z","totalObjects":8,"size":9,"compactionLevel":10,"indexPageSize":12,"totalRecords":13,"bloomShards":15,"footerSize":16,"dedicatedColumns":[{"n":"x"}],"replicationFactor":18}"#;
    let meta = BlockMeta::from_json(json.as_bytes()).unwrap();
    let index = TenantIndex {
        created_at: meta.end_time,
        compacted: vec![CompactedBlockMeta {
            meta: meta.clone(),
            compacted_time: meta.start_time,
        }],
        meta: vec![meta],
    };
    let (start, end) = ([varint(1, 1), varint(2, 2)].concat(), varint(1, 3));
    let meta = [
        field(1, b"f"),
        field(2, &[1; 16]),
        field(5, b"t"),
        field(6, &start),
        field(7, &end),
        varint(8, 8),
        varint(9, 9),
        varint(10, 10),
        varint(12, 12),
        varint(13, 13),
        varint(15, 15),
        varint(16, 16),
        field(17, br#"[{"n":"x"}]"#),
        varint(18, 18),
    ]
    .concat();
    let compacted = [field(1, &meta), field(2, &start)].concat();
    let bytes = [field(1, &end), field(2, &meta), field(3, &compacted)].concat();
    let written = finish(index.to_protobuf(async || {})).unwrap();
    assert_eq!(zstd::decode_all(&written[..]).unwrap(), bytes);
    assert_eq!(from_protobuf(&bytes).unwrap(), index);

    let written = finish(index.to_json(async || {})).unwrap();
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&written[..]);
    io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    let name = decoder.header().and_then(|header| header.filename());
    assert_eq!(name, Some(&b"index.json"[..]));
    let open = json.strip_suffix('}').unwrap();
    let time = "1970-01-01T00:00:01.000000002Z";
    let expected = format!(
        r#"{{"created_at":"1970-01-01T00:00:03Z","meta":[{json}],"compacted":[{open},"compactedTime":"{time}"}}]}}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn json_of_other_writers() {
    let meta = r#"{"format":"vParquet4","blockID":"01010101-0101-0101-0101-010101010101","tenantID":"a ]\"}"}"#;
    for json in [
        format!(r#" {{ "x" : {{"meta":[1]}} , "meta" : [ {meta} , {meta} ] }} "#),
        format!(r#"{{"compacted":null,"created_at":null,"meta":[{meta},{meta}],"y":-1.5e3}}"#),
    ] {
        let index = from_json(&json).unwrap();
        assert_eq!(index.created_at, ZERO_TIME);
        assert_eq!(index.meta.len(), 2);
        assert_eq!(index.meta[1].tenant_id, "a ]\"}");
        assert!(index.compacted.is_empty());
        assert!(!index.is_empty());
    }
    for json in ["{}", r#"{"meta":[],"compacted":[]}"#] {
        assert!(from_json(json).unwrap().is_empty());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let meta = [field(1, b"vParquet4"), field(2, &[7; 16])].concat();
    let with = |more: Vec<u8>| {
        let bytes = [field(2, &meta), field(2, &[&meta[..], &more].concat())].concat();
        from_protobuf(&bytes).unwrap_err().to_string()
    };
    let block = "tenant index: meta 1: block 07070707-0707-0707-0707-070707070707: ";
    assert_eq!(
        with(field(2, &[7; 15])),
        "tenant index: meta 1: block id of 15 bytes instead of 16"
    );
    assert_eq!(with(varint(8, u64::MAX)), format!("{block}-1 objects"));
    assert_eq!(
        with(field(7, &varint(2, 1_000_000_000))),
        format!("{block}end time of 0 s and 1000000000 ns")
    );
    assert_eq!(
        with(field(6, &varint(1, 253_402_300_800))),
        format!("{block}start time of 253402300800 s and 0 ns")
    );
    assert!(with(field(17, b"[")).starts_with(&format!("{block}dedicatedColumns: ")));
    assert!(with(vec![0xff]).starts_with("tenant index: meta 1: "));
    assert!(
        from_protobuf(&[0x12, 5, 0])
            .unwrap_err()
            .to_string()
            .starts_with("tenant index: meta 0: ")
    );

    let message = |json: &str| from_json(json).unwrap_err().to_string();
    let meta =
        r#"{"format":"vParquet4","blockID":"01010101-0101-0101-0101-010101010101","tenantID":"a"}"#;
    let wrong = meta.replace("tenant", "enant");
    assert!(
        message(&format!(r#"{{"meta":[{meta},{wrong}]}}"#))
            .starts_with("tenant index: meta 1: missing field `tenantID`")
    );
    assert!(
        message(&format!(r#"{{"compacted":[{wrong}]}}"#))
            .starts_with("tenant index: compacted 0: missing field `tenantID`")
    );
    assert_eq!(
        message(r#"{"created_at":"now"}"#),
        "tenant index: created_at: \"now\" is not a time of RFC 3339"
    );
    assert_eq!(
        message(r#"{"meta":[] "#),
        "tenant index: byte 11 of the JSON: a comma or the end of a list was expected"
    );
    assert!(message(r#"{"meta":{}}"#).starts_with("tenant index: meta: invalid type"));
    for json in [
        "",
        "[]",
        "{",
        "{}x",
        r#"{"meta"}"#,
        r#"{"meta":}"#,
        r#"{"meta":[{]}"#,
        r#"{"a":"\"#,
        "{,}",
        r#"{"meta":[,]}"#,
        r#"{1:2}"#,
        r#"{"a":1,}"#,
    ] {
        assert!(from_json(json).is_err(), "{json}");
    }
}

#[test]
fn what_is_cut_or_too_long_when_decompressed_is_refused() {
    let bytes = zstd(&field(4, &[0; 100_000]));
    let cut = finish(TenantIndex::from_protobuf(
        &bytes[..bytes.len() - 1],
        async || {},
    ));
    assert!(matches!(cut, Err(TenantIndexError::Decompress(_))));
    let bytes = gzip(br#"{"meta":[]}"#);
    let cut = finish(TenantIndex::from_json(
        &bytes[..bytes.len() - 1],
        async || {},
    ));
    assert!(matches!(cut, Err(TenantIndexError::Decompress(_))));
    let pauses = Cell::new(0);
    let max = 10 * BYTES_PER_PAUSE;
    for (len, fits) in [(max, true), (max + 1, false)] {
        let read = io::Read::take(io::repeat(0), len as u64);
        let bytes = finish(decompress(read, max, &async || {
            pauses.set(pauses.get() + 1)
        }));
        match bytes {
            Ok(bytes) => assert!(fits && bytes.len() == len),
            Err(error) => assert!(!fits && matches!(error, TenantIndexError::TooLong)),
        }
        assert_eq!(pauses.replace(0), 10);
    }
}

#[test]
fn long_lists_pause() {
    let meta = [field(1, b"vParquet4"), field(2, &[7; 16])].concat();
    let index = from_protobuf(&field(2, &meta).repeat(96)).unwrap();
    let pauses = Cell::new(0);
    let count = async || pauses.set(pauses.get() + 1);
    let protobuf = finish(index.to_protobuf(count)).unwrap();
    assert_eq!(pauses.replace(0), 6);
    assert_eq!(
        finish(TenantIndex::from_protobuf(&protobuf, count)).unwrap(),
        index
    );
    // One more for what was decompressed.
    assert_eq!(pauses.replace(0), 7);
    let json = finish(index.to_json(count)).unwrap();
    assert_eq!(pauses.replace(0), 6);
    assert_eq!(finish(TenantIndex::from_json(&json, count)).unwrap(), index);
    assert!(pauses.get() >= 6);
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_both_forms(index in index()) {
        let protobuf = finish(index.to_protobuf(async || {})).unwrap();
        let json = finish(index.to_json(async || {})).unwrap();
        prop_assert_eq!(&finish(TenantIndex::from_protobuf(&protobuf, async || {})).unwrap(), &index);
        prop_assert_eq!(&finish(TenantIndex::from_json(&json, async || {})).unwrap(), &index);
    }

    #[test]
    fn any_bytes_are_refused_or_read(
        index in index(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let change = |mut bytes: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes
        };
        let protobuf = finish(index.to_protobuf(async || {})).unwrap();
        let json = finish(index.to_json(async || {})).unwrap();
        let inner = zstd::decode_all(&protobuf[..]).unwrap();
        let mut text = Vec::new();
        io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&json[..]), &mut text).unwrap();
        // Damage below and above the compression; what is read can be written again.
        for read in [
            from_protobuf(&change(inner)),
            finish(TenantIndex::from_protobuf(&change(protobuf), async || {})),
            from_protobuf(&bytes),
            finish(TenantIndex::from_json(&gzip(&change(text)), async || {})),
            finish(TenantIndex::from_json(&change(json), async || {})),
            finish(TenantIndex::from_json(&gzip(&bytes), async || {})),
        ].into_iter().flatten() {
            let json = finish(read.to_json(async || {})).unwrap();
            prop_assert_eq!(finish(TenantIndex::from_json(&json, async || {})).unwrap(), read);
        }
    }
}
