//! ACK and ONCE between the log and the bucket, in the simulated world: the server is crashed at every kind of step from
//! the cut of a section to its commit and beyond, with a store that fails, answers late, or loses its answers.
//!
//! `VIVACE_SIM_SEEDS` sets how many worlds (200 by default), `VIVACE_SIM_SEED` replays the one that a failure names.

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use common::{Error, Result, hex};
use futures_util::FutureExt as _;
use load::Spans;
use vivace_block::BlockMeta;
use vivace_block::bloom::BloomShard;
use vivace_block::keys::{self, BlockObject};
use vivace_block_reader::{OpenBlock, Ranges, ReadError};
use vivace_model::TraceId;
use vivace_shards::sim::Sim;
use vivace_storage::sim::{Faults, SimStore};
use world::World;

const CRASHES_PER_SEED: u64 = 4;
const TESTS: u64 = 4;
/// Blocks are made all the time; a section holds some requests.
const CONFIG: &str = "
server: {http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1}
distributor: {receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:4318'}}}}}
storage: {trace: {backend: local, local: {path: /bucket}, wal: {path: /data/wal}, blocklist_poll: 1s}}
overrides: {defaults: {ingestion: {max_traces_per_user: 0}}}
ingest_log: {embedded: {segment_size: 1MiB, max_record_size: 512KiB, min_free_bytes: 0}}
live_store: {flush_check_period: 60ms, max_trace_idle: 20ms, max_trace_live: 60ms, max_block_duration: 40ms, max_block_bytes: 60000}
";
/// Long enough for everything to get into blocks, failures of the store included.
const DRAIN: Duration = Duration::from_secs(10);

fn crash_and_verify(world: &World) -> Result<usize> {
    let store = world.sim.durable(Sim::MAIN, SimStore::new);
    for crash in 0..CRASHES_PER_SEED {
        world.crash_while_flushing()?;
        if crash % 2 == 1 {
            world.verify()?;
        }
    }
    store.set_faults(Faults::default());
    world.run_quietly(DRAIN, || every_span_is_in_one_block(world, &store))?;
    world.verify()?;
    Ok(world.acknowledged_spans())
}

/// What the bucket has after everything has settled: whole blocks, nothing else, and each acknowledged span once.
fn every_span_is_in_one_block(world: &World, store: &SimStore) -> Result {
    let mut blocks: BTreeMap<_, BTreeMap<BlockObject, bytes::Bytes>> = BTreeMap::new();
    for (key, bytes) in store.objects() {
        let Some((block, object)) = keys::parse_block_object("single-tenant", &key) else {
            continue;
        };
        blocks.entry(block).or_default().insert(object, bytes);
    }
    let mut stored: BTreeSet<(String, String)> = BTreeSet::new();
    for (block, objects) in &blocks {
        for object in [
            BlockObject::Meta,
            BlockObject::Data,
            BlockObject::Bloom(0),
            BlockObject::Index,
        ] {
            if !objects.contains_key(&object) {
                return Err(
                    format!("block {block} is an orphan: it has {:?}", objects.keys()).into(),
                );
            }
        }
        for span in spans_of_block(objects, &world.sent())? {
            if !stored.insert(span.clone()) {
                return Err(format!("span {span:?} is in two blocks").into());
            }
        }
    }
    for (trace, spans) in world.acknowledged() {
        for span in spans {
            if !stored.contains(&(trace.clone(), span.clone())) {
                return Err(format!("span {span} of trace {trace} is in no block").into());
            }
        }
    }
    let left = world.files("/data/wal/blocks");
    if !left.is_empty() {
        return Err(format!("local blocks are left: {left:?}").into());
    }
    Ok(())
}

/// Trace and span ids of those traces that a block has, in hex.
fn spans_of_block(
    objects: &BTreeMap<BlockObject, bytes::Bytes>,
    traces: &Spans,
) -> Result<Vec<(String, String)>> {
    let meta = BlockMeta::from_json(&objects[&BlockObject::Meta])?;
    let bloom = BloomShard::parse(objects[&BlockObject::Bloom(0)].clone())?;
    let data = Data(objects[&BlockObject::Data].clone());
    let read = async {
        let open = OpenBlock::open(&meta, &data).await?;
        let mut spans = Vec::new();
        for trace in traces.keys() {
            let Ok(id) = TraceId::from_hex(trace) else {
                continue;
            };
            if !bloom.contains(id) {
                continue;
            }
            let Some(found) = open.find_trace(id, &data, async || {}).await? else {
                continue;
            };
            let view = found.batch.view();
            for row in 0..view.span_count() {
                spans.push((trace.clone(), hex(&view.span(row).span_id().0)));
            }
        }
        Ok::<_, ReadError<std::io::Error>>(spans)
    };
    Ok(read.now_or_never().ok_or("reading from memory waits")??)
}

struct Data(bytes::Bytes);

impl Ranges for Data {
    type Error = std::io::Error;

    async fn read(&self, range: Range<u64>) -> std::io::Result<bytes::Bytes> {
        Ok(self.0.slice(range.start as usize..range.end as usize))
    }
}

fn run_seeds(part: u64, shards: usize, faults: Faults) -> Result {
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seeds: Vec<u64> = match number("VIVACE_SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let worlds = number("VIVACE_SIM_SEEDS").unwrap_or(200);
            (0..worlds.div_ceil(TESTS))
                .map(|n| n * TESTS + part)
                .collect()
        }
    };
    let mut acknowledged = 0;
    for seed in seeds {
        let mut world = World::new(CONFIG, seed, shards);
        world.steps = 500;
        let store = world.sim.durable(Sim::MAIN, SimStore::new);
        store.set_faults(faults.clone());
        acknowledged += crash_and_verify(&world)
            .map_err(|error| -> Error { format!("VIVACE_SIM_SEED={seed}: {error}").into() })?;
    }
    assert!(acknowledged > 0, "nothing was ever acknowledged");
    Ok(())
}

#[test]
fn one_shard_and_a_sound_store() -> Result {
    run_seeds(0, 1, Faults::default())
}

#[test]
fn two_shards_and_a_sound_store() -> Result {
    run_seeds(1, 2, Faults::default())
}

#[test]
fn one_shard_and_a_failing_store() -> Result {
    run_seeds(2, 1, Faults::often())
}

#[test]
fn three_shards_and_a_failing_store() -> Result {
    run_seeds(3, 3, Faults::often())
}
