//! Appends of 64 KiB records to the embedded log, fdatasync included: one at a time (latency) and
//! with many under way (throughput by group commit). On the file system that holds the target
//! directory.

use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vivace_ingest_log::{Config, Deps, Service, Shared};
use vivace_shards::{Class, runtime, spawn, time};

const RECORD_BYTES: usize = 64 << 10;

/// The time of `appends` appends with `in_flight` of them under way.
fn append(appends: u64, in_flight: u64) -> Duration {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let config = Config {
        path: dir.path().to_path_buf(),
        partitions: 1,
        // The oldest segments make room, as in a running server.
        retention_bytes: 512 << 20,
        retention_interval: Duration::from_millis(100),
        ..Config::default()
    };
    let shared = Shared::new();
    let took = std::sync::Arc::new(Mutex::new(Duration::ZERO));
    let runtime_config = runtime::Config {
        shards: 1,
        ..runtime::Config::default()
    };
    let result = took.clone();
    let ran = runtime::run(runtime_config, move || {
        let (config, shared, took) = (config.clone(), shared.clone(), took.clone());
        async move {
            let handle = Service::start(config, Deps { shared }).await?;
            let record = Bytes::from(vec![0xa5; RECORD_BYTES]);
            let left = Rc::new(std::cell::Cell::new(appends));
            // The first append makes the first segment.
            handle.append(0, vec![record.clone()]).await?;
            let begun = time::Instant::now();
            let mut tasks = Vec::new();
            for _ in 0..in_flight {
                let (handle, record, left) = (handle.clone(), record.clone(), Rc::clone(&left));
                tasks.push(spawn(Class::Ingest, async move {
                    while left.get() > 0 {
                        left.set(left.get() - 1);
                        handle
                            .append(0, vec![record.clone()])
                            .await
                            .expect("append");
                    }
                }));
            }
            for task in tasks {
                task.await;
            }
            *took.lock().expect("no panic while held") = begun.elapsed();
            handle.close().await;
            Ok(())
        }
    });
    ran.expect("the shard ran");
    *result.lock().expect("no panic while held")
}

fn ingest_log(c: &mut Criterion) {
    let mut group = c.benchmark_group("ingest_log/append_64KiB_fdatasync");
    group.throughput(Throughput::Bytes(RECORD_BYTES as u64));
    group.sample_size(10);
    for in_flight in [1, 4, 16, 64] {
        group.bench_function(BenchmarkId::new("in_flight", in_flight), |b| {
            b.iter_custom(|appends| append(appends, in_flight));
        });
    }
    group.finish();
}

criterion_group!(benches, ingest_log);
criterion_main!(benches);
