//! Simulated crashes: random appends and commits; power loss in the middle of random I/O steps
//! (also while recovering), with unsynced writes torn and reordered; kills, which lose nothing that
//! was written but leave it unsynced; disks that fail and disks that are full.
//!
//! `VIVACE_SIM_SEED=<seed>` replays one run, `VIVACE_SIM_RUNS=<n>` makes more of them.

mod common;

use std::rc::Rc;
use std::time::Duration;

use common::{Listener, Model, config, record, start_shared, verify};
use vivace_ingest_log::{Config, Error, Handle, Shared};
use vivace_shards::disk::sim::{Fault, Operation, SimDisk};
use vivace_shards::sim::{Ended, Sim};
use vivace_shards::{Class, rand, spawn, time};

const RUNS: u64 = 300;

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match number("VIVACE_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("VIVACE_SIM_RUNS").unwrap_or(RUNS)).collect(),
    }
}

/// How one run goes; all from its seed.
struct Plan {
    config: Config,
    producers: u64,
    appends: u64,
    largest: u64,
    /// How likely a write, sync or change of names fails, in a million.
    faults: u32,
    capacity: Option<u64>,
}

fn plan(sim: &Sim) -> Plan {
    let below = |n| sim.below(n);
    let segment_bytes = [4 << 10, 8 << 10, 32 << 10, 256 << 10][below(4) as usize];
    let retention_bytes = if below(4) == 0 { segment_bytes * 6 } else { 0 };
    let largest = [64, 600, 3_000, 20_000][below(4) as usize];
    Plan {
        config: Config {
            partitions: 1 + below(3) as u32,
            segment_bytes,
            retention_bytes,
            // `consume` runs it, so that nothing is deleted while a test looks.
            retention_interval: Duration::from_secs(3600),
            commit_delay: Duration::from_micros(below(2) * 700),
            ..config("/log")
        },
        producers: 1 + below(4),
        appends: 1 + below(25),
        largest,
        faults: [0, 0, 10_000, 100_000][below(4) as usize],
        capacity: [None, None, None, Some((5 + below(20)) * segment_bytes)][below(4) as usize],
    }
}

fn break_disk(disk: &SimDisk, plan: &Plan) {
    disk.set_capacity(plan.capacity);
    for operation in [
        Operation::Open,
        Operation::Rename,
        Operation::Remove,
        Operation::SyncDir,
        Operation::Write,
        Operation::Sync,
        Operation::Allocate,
        Operation::SetLen,
    ] {
        disk.inject(Fault {
            per_million: plan.faults,
            times: u64::MAX,
            ..Fault::once(operation, libc::EIO)
        });
    }
}

async fn produce(handle: Handle, model: Model, partition: u32, name: u64, plan: Rc<Plan>) {
    for number in 0..plan.appends {
        let id = (name << 32) | (rand::below(1 << 16) << 16) | number;
        let len = 8 + rand::below(plan.largest) as usize;
        let fresh = {
            let mut model = model.borrow_mut();
            model.entry(partition).or_default().tried.insert(id)
        };
        if !fresh {
            continue;
        }
        if rand::below(10) == 0 {
            // A client that goes away.
            let lost = handle.append(partition, record(id, len));
            let _ = time::timeout(Duration::from_nanos(rand::below(2_000_000)), lost).await;
            continue;
        }
        match handle.append(partition, record(id, len)).await {
            Ok(offset) => {
                let mut model = model.borrow_mut();
                let promises = model.entry(partition).or_default();
                assert!(
                    promises.told.contains(&(offset, id)),
                    "acknowledged before the tail has heard of it"
                );
                assert_eq!(
                    promises.kept.insert(offset, id),
                    None,
                    "{offset} given twice"
                );
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        if rand::below(8) == 0 {
            time::sleep(Duration::from_micros(rand::below(3_000))).await;
        }
    }
}

async fn consume(handle: Handle, model: Model, partition: u32, times: u64) {
    for _ in 0..times {
        time::sleep(Duration::from_micros(rand::below(5_000))).await;
        let next = rand::below(handle.end_offset(partition).unwrap() + 1);
        {
            let mut model = model.borrow_mut();
            let most = &mut model.entry(partition).or_default().committed.1;
            *most = next.max(*most);
        }
        match handle.commit(partition, "group", next).await {
            Ok(()) => {
                let mut model = model.borrow_mut();
                let least = &mut model.entry(partition).or_default().committed.0;
                *least = next.max(*least);
                let now = handle.committed(partition, "group").unwrap();
                assert!(now >= Some(next));
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        if let Err(error) = handle.retain().await {
            assert!(error.is_retryable(), "{error}");
        }
    }
}

async fn work(plan: Rc<Plan>, shared: Shared, model: Model, round: u64, busy: bool) {
    let handle = match start_shared(&plan.config, &shared).await {
        Ok(handle) => handle,
        Err(error) => {
            let allowed = (plan.faults > 0 && matches!(error, Error::Io { .. }))
                || (plan.capacity.is_some() && matches!(error, Error::DiskFull { .. }));
            assert!(busy && allowed, "start: {error}");
            return;
        }
    };
    verify(&handle, &model, plan.config.retention_bytes > 0).await;
    let mut tasks = Vec::new();
    for partition in handle.owned().into_iter().filter(|_| busy) {
        let from = handle.end_offset(partition).unwrap();
        let listener = Rc::new(Listener {
            model: Rc::clone(&model),
            from,
            positions: Default::default(),
        });
        let told_from = handle
            .set_tail(partition, Rc::clone(&listener) as _)
            .unwrap();
        assert_eq!(told_from, from);
        for producer in 0..plan.producers {
            let name = (round << 16) | producer;
            let appends = produce(
                handle.clone(),
                Rc::clone(&model),
                partition,
                name,
                Rc::clone(&plan),
            );
            tasks.push(spawn(Class::Ingest, appends));
        }
        let commits = consume(handle.clone(), Rc::clone(&model), partition, 3);
        tasks.push(spawn(Class::Ingest, commits));
    }
    for task in tasks {
        task.await;
    }
    handle.close().await;
}

fn run(seed: u64) {
    let sim = Sim::new(seed);
    let shards = 1 + sim.below(2) as usize;
    let sim = sim.shards(shards);
    let plan = Rc::new(plan(&sim));
    let model = Model::default();
    let rounds = 2 + sim.below(4);
    for round in 0..=rounds {
        // The last round only looks.
        let busy = round < rounds;
        let disk = sim.durable(Sim::MAIN, SimDisk::new);
        disk.clear_faults();
        disk.set_capacity(None);
        if busy {
            break_disk(&disk, &plan);
        }
        let mut killed_after = Duration::MAX;
        let mut power_loss_at = 0;
        match sim.below(5) {
            _ if !busy => {}
            0 => killed_after = Duration::from_micros(1 + sim.below(60_000)),
            1 => power_loss_at = 1 + sim.below(12),
            _ => power_loss_at = 1 + sim.below(300),
        }
        sim.crash_at_io(Sim::MAIN, power_loss_at);
        let shared = Shared::new();
        let (plan, model) = (Rc::clone(&plan), Rc::clone(&model));
        let main = move || {
            let work = work(
                Rc::clone(&plan),
                shared.clone(),
                Rc::clone(&model),
                round,
                busy,
            );
            async move {
                // Kill -9: what was written stays, synced or not, and may be lost later.
                let _ = time::timeout(killed_after, work).await;
                Ok(())
            }
        };
        match sim.run(main) {
            Ok(ended) => assert!(busy || ended == Ended::Finished),
            Err(failure) => panic!("round {round}: {failure}\nreplay: VIVACE_SIM_SEED={seed}"),
        }
    }
}

#[test]
fn acknowledged_records_survive() {
    for seed in seeds() {
        run(seed);
    }
}
