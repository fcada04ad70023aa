use std::io::Write;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::runtime;

const ALL: [Encoding; 6] = [
    Encoding::Identity,
    Encoding::Gzip,
    Encoding::Zstd,
    Encoding::Deflate,
    Encoding::Snappy,
    Encoding::Lz4,
];

/// Runs a future on a shard.
fn run<T: Send + 'static>(make: impl AsyncFn() -> T + Send + Sync + 'static) -> T {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
    let out = std::sync::Arc::clone(&slot);
    let make = std::sync::Arc::new(make);
    let config = runtime::Config {
        shards: 1,
        pin: false,
        ..runtime::Config::default()
    };
    runtime::run(config, move || {
        let (make, slot) = (make.clone(), slot.clone());
        async move {
            *slot.lock().unwrap() = Some(make().await);
            Ok(())
        }
    })
    .unwrap();
    let value = out.lock().unwrap().take();
    value.unwrap()
}

#[test]
fn every_encoding_round_trips_within_its_limit() {
    run(async || {
        let mut data = Vec::new();
        for i in 0..60_000u32 {
            data.extend_from_slice(&(i / 7).to_le_bytes());
        }
        for size in [0, 1, 100, 65_536, data.len()] {
            let plain = Bytes::copy_from_slice(&data[..size]);
            for encoding in ALL {
                let packed = compress(encoding, plain.clone()).await.unwrap();
                let back = decompress(encoding, packed.clone(), size).await;
                assert_eq!(back.as_ref(), Ok(&plain), "{encoding:?} {size}");
                if size > 0 {
                    let refused = decompress(encoding, packed, size - 1).await;
                    assert_eq!(refused, Err(DecodeError::TooLarge { limit: size - 1 }));
                }
            }
        }
    });
}

#[test]
fn forms_that_clients_also_send() {
    run(async || {
        let plain = Bytes::from_static(b"some text, some text, some text");
        let raw_block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let back = decompress(Encoding::Snappy, raw_block.into(), 100).await;
        assert_eq!(back.as_ref(), Ok(&plain));
        let large = vec![7u8; 300_000];
        let raw_block = snap::raw::Encoder::new().compress_vec(&large).unwrap();
        let back = decompress(Encoding::Snappy, raw_block.into(), 1 << 20).await;
        assert_eq!(back.unwrap().len(), large.len());
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&plain).unwrap();
        let back = decompress(Encoding::Deflate, raw.finish().unwrap().into(), 100).await;
        assert_eq!(back.as_ref(), Ok(&plain));
        // Two gzip members and two zstd frames are one body.
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let mut twice = compress(encoding, plain.clone()).await.unwrap().to_vec();
            twice.extend_from_within(..);
            let back = decompress(encoding, twice.into(), 100).await.unwrap();
            assert_eq!(back.len(), 2 * plain.len());
        }
    });
}

#[test]
fn a_snappy_block_that_lies_about_its_length_costs_nothing() {
    run(async || {
        // Claims 512 MiB.
        let lie = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x02, 0x00]);
        let refused = decompress(Encoding::Snappy, lie, usize::MAX).await;
        assert!(
            matches!(refused, Err(DecodeError::Corrupt { .. })),
            "{refused:?}"
        );
    });
}

#[test]
fn rubbish_is_refused_or_decoded_but_never_past_the_limit() {
    run(async || {
        let mut runner = proptest::test_runner::TestRunner::default();
        let bytes = proptest::collection::vec(any::<u8>(), 0..200);
        for _ in 0..500 {
            let tree = (bytes.clone(), 0..ALL.len(), 0usize..40).new_tree(&mut runner);
            let (data, valid_start, cut) = tree.unwrap().current();
            let plain = Bytes::from_static(b"abcabcabc");
            let start = compress(ALL[valid_start], plain).await.unwrap();
            for encoding in ALL {
                let mut input = start[..cut.min(start.len())].to_vec();
                input.extend_from_slice(&data);
                if let Ok(out) = decompress(encoding, input.into(), 1000).await {
                    assert!(out.len() <= 1000);
                }
            }
        }
    });
}

#[test]
fn accept_encoding() {
    for (value, expected) in [
        ("gzip", true),
        ("deflate, gzip;q=0.5", true),
        ("GZIP", true),
        ("*", true),
        ("gzip;q=0, *", false),
        ("identity", false),
        ("", false),
        ("br;q=1.0, *;q=0", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
        assert_eq!(accepts_gzip(&headers), expected, "{value}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}
