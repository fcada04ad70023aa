//! Any bytes: `verify` never panics, and what it lets through can be read without a panic and in bounded time.
//! VIVACE_FUZZ_ITERATIONS sets how many bytes are tried.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{put, spans, take_all};
use vivace_model::{SpanBatch, SpanBatchBuilder};

/// Reads everything, and builds from it: true when the bytes pass.
fn try_bytes(bytes: Vec<u8>) -> bool {
    let Ok(batch) = SpanBatch::verify(Bytes::from(bytes)) else {
        return false;
    };
    let view = batch.view();
    let spans = take_all(&view);
    assert_eq!(spans.len(), view.span_count());
    assert_eq!(
        view.trace_runs().map(|(_, rows)| rows.len()).sum::<usize>(),
        spans.len()
    );
    let mut builder = SpanBatchBuilder::new();
    builder.append_rows(&view, 0..spans.len()).unwrap();
    let copy = builder.finish().unwrap();
    assert_eq!(take_all(&copy.view()), spans);
    true
}

fn sample(seed: u8) -> Vec<u8> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let spans = spans(6).new_tree(&mut runner).unwrap().current();
    let mut builder = SpanBatchBuilder::new();
    for span in &spans {
        put(&mut builder, span);
    }
    builder.finish().unwrap().as_bytes().to_vec()
}

#[test]
fn cut_bytes_are_refused_or_read() {
    let bytes = sample(1);
    assert!(try_bytes(bytes.clone()));
    for len in 0..bytes.len() {
        try_bytes(bytes[..len].to_vec());
    }
}

#[test]
fn every_byte_may_be_wrong() {
    for seed in 2..5 {
        let bytes = sample(seed);
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                try_bytes(bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(support::iterations(200)))]

    #[test]
    fn words_may_be_wrong(
        seed in 0..20u8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0..3u8), 1..4),
    ) {
        let mut bytes = sample(seed);
        for (place, value, how) in changes {
            let words = bytes.len() / 4;
            let at = place.index(words) * 4;
            let word: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            let old = u32::from_le_bytes(word);
            let new = match how {
                0 => value,
                1 => old.wrapping_add(value % 9).wrapping_sub(4),
                _ => value % 64,
            };
            bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        try_bytes(bytes);
    }

    #[test]
    fn noise_is_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), named in any::<bool>()) {
        if named && bytes.len() >= 8 {
            bytes[4..8].copy_from_slice(b"VSB1");
        }
        try_bytes(bytes);
    }
}
