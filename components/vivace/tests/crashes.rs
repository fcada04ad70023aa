//! ACK and ONCE in the simulated world: the whole server (HTTP, scan, mailboxes, log, live store, queries) on simulated
//! shards, sockets and disk, crashed at random I/O steps with torn and reordered unsynced writes, also during recovery.
//!
//! `VIVACE_SIM_CRASHES` sets how many crashes (2,000 by default, over all tests of this file), `VIVACE_SIM_SEED` replays
//! the one seed that a failure names.

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/world.rs"]
mod world;

use common::{Error, Result};
use vivace_shards::disk::sim::SimDisk;
use vivace_shards::sim::Sim;
use world::World;

const CRASHES_PER_SEED: u64 = 5;
const TESTS: u64 = 4;
const CONFIG: &str = "
server: {http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1}
distributor: {receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:4318'}}}}}
storage: {trace: {backend: local, local: {path: /data/blocks}, wal: {path: /data/wal}}}
overrides: {defaults: {ingestion: {max_traces_per_user: 0}}}
ingest_log: {embedded: {segment_size: 1MiB, max_record_size: 512KiB, min_free_bytes: 0}}
";

fn run(world: &World) -> Result<usize> {
    for crash in 0..CRASHES_PER_SEED {
        if crash % 3 == 2 {
            world.crash_in_recovery()?;
        } else {
            world.crash_under_load()?;
        }
        if crash % 2 == 1 {
            world.verify()?;
        }
    }
    world.verify()?;
    Ok(world.acknowledged_spans())
}

fn run_seeds(part: u64, shards: usize, prepare: impl Fn(&World)) -> Result {
    let fixed: Option<u64> = std::env::var("VIVACE_SIM_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let crashes: u64 = std::env::var("VIVACE_SIM_CRASHES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2000);
    let seeds = match fixed {
        Some(seed) => vec![seed],
        None => (0..crashes.div_ceil(CRASHES_PER_SEED * TESTS))
            .map(|n| n * TESTS + part)
            .collect(),
    };
    let mut acknowledged = 0;
    for seed in seeds {
        let world = World::new(CONFIG, seed, shards);
        prepare(&world);
        let outcome = run(&world);
        acknowledged += outcome
            .map_err(|error| -> Error { format!("VIVACE_SIM_SEED={seed}: {error}").into() })?;
    }
    assert!(acknowledged > 0, "nothing was ever acknowledged");
    Ok(())
}

#[test]
fn crashes_of_one_shard() -> Result {
    run_seeds(0, 1, |_| {})
}

#[test]
fn crashes_of_two_shards() -> Result {
    run_seeds(1, 2, |_| {})
}

#[test]
fn crashes_of_three_shards() -> Result {
    run_seeds(2, 3, |_| {})
}

/// A disk that is full from time to time: refused requests may not be acknowledged, acknowledged ones may not be lost.
#[test]
fn crashes_with_a_small_disk() -> Result {
    run_seeds(3, 2, |world| {
        let disk = world.sim.durable(Sim::MAIN, SimDisk::new);
        disk.set_capacity(Some(5 << 20));
    })
}
