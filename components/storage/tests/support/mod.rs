//! What the tests of this crate share.
#![allow(dead_code, reason = "each test program uses a part of what is shared")]

pub mod proxy;
pub mod servers;
pub mod suite;

use std::future::Future;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_shards::BoxError;
use vivace_shards::runtime::{Config, run};

pub type Result<T = ()> = std::result::Result<T, BoxError>;

/// Runs a test on a real shard.
pub fn on_shard<F, Fut>(test: F)
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result> + 'static,
{
    let config = Config {
        shards: 1,
        pin: false,
        ..Config::default()
    };
    // An error of a shard is told as text only; the test's own says more.
    let failed = Arc::new(Mutex::new(None));
    let report = Arc::clone(&failed);
    let main = move || {
        let (test, report) = (test(), Arc::clone(&report));
        async move {
            if let Err(error) = test.await {
                *report.lock().unwrap() = Some(error.to_string());
            }
            Ok(())
        }
    };
    run(config, main).unwrap();
    let error = failed.lock().unwrap().take();
    assert_eq!(error, None);
}

/// A folder for ten thousands of files: in memory if the system has such a place.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// The `n`-th of `count` block ids, spread over all there are.
pub fn block_id(n: usize, count: usize) -> Uuid {
    // As the test servers make them: 2^128 / count, rounded down.
    let count = count as u128;
    let step = u128::MAX / count + u128::from(u128::MAX % count == count - 1);
    Uuid::from_u128(n as u128 * step)
}

/// The meta of the `n`-th block, as the test servers make it.
pub fn meta(tenant: &str, n: usize, count: usize) -> BlockMeta {
    let start = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let end = start + chrono::TimeDelta::nanoseconds(n as i64);
    BlockMeta {
        format: "vParquet5".into(),
        block_id: block_id(n, count),
        tenant_id: tenant.into(),
        start_time: start.into(),
        end_time: end.into(),
        total_objects: 7,
        size: 1000,
        compaction_level: 0,
        index_page_size: 0,
        total_records: 1,
        bloom_shards: 1,
        footer_size: 100,
        dedicated_columns: Default::default(),
        replication_factor: 1,
    }
}

/// Bytes that look the same nowhere.
pub fn noise(len: usize, seed: u64) -> bytes::Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}
