//! ACK and ONCE in the simulated world: the whole server (HTTP, scan, mailboxes, log, live store, queries) on simulated
//! shards, sockets and disk, crashed at random I/O steps with torn and reordered unsynced writes, also during recovery.
//!
//! `VIVACE_SIM_CRASHES` sets how many crashes (2,000 by default, over all tests of this file), `VIVACE_SIM_SEED` replays
//! the one seed that a failure names.

mod common;
#[path = "common/load.rs"]
mod load;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Error, Result};
use http::{Request, StatusCode};
use load::{Ledger, found_is_right, span_ids_of, spans_of};
use vivace::{Node, plan, run_shard};
use vivace_bench::data::{Generator, Shape};
use vivace_config::{Invocation, Source, load};
use vivace_shards::disk::sim::SimDisk;
use vivace_shards::http::client::{Client, Version};
use vivace_shards::sim::{Ended, ProcessId, Sim};
use vivace_shards::{BoxError, time};

const INGEST: &str = "127.0.0.1:4318";
const QUERY: &str = "127.0.0.1:3200";
const CRASHES_PER_SEED: u64 = 5;
const TESTS: u64 = 4;
const CONFIG: &str = "
server: {http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1}
distributor: {receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:4318'}}}}}
storage: {trace: {backend: local, local: {path: /data/blocks}, wal: {path: /data/wal}}}
overrides: {defaults: {ingestion: {max_traces_per_user: 0}}}
ingest_log: {embedded: {segment_size: 1MiB, max_record_size: 512KiB, min_free_bytes: 0}}
";

fn node(seed: u64, shards: usize) -> std::result::Result<Arc<Node>, BoxError> {
    let source = Source {
        name: "simulated",
        text: CONFIG,
    };
    let loaded = load(&Invocation::default(), Some(source), &|_| None)?;
    let listeners = plan(&loaded.config)?;
    Ok(Arc::new(Node::new(
        Arc::new(loaded.config),
        false,
        shards,
        listeners,
        seed,
    )?))
}

/// Posts requests until the server goes away or `requests` were answered.
async fn post(
    ledger: Rc<RefCell<Ledger>>,
    generator: Rc<RefCell<Generator>>,
    requests: usize,
) -> std::result::Result<(), BoxError> {
    let Some(client) = connect(INGEST).await else {
        return Ok(());
    };
    for _ in 0..requests {
        let request = generator.borrow_mut().next_request(time::unix_nanos());
        let spans = spans_of(&request.body).map_err(|error| error.to_string())?;
        let mut one = Ledger {
            sent: spans.clone(),
            ..Ledger::default()
        };
        let post = Request::post("/v1/traces")
            .header("content-type", "application/x-protobuf")
            .body(Bytes::from(request.body))?;
        let answer = time::timeout(Duration::from_secs(60), client.send(post)).await;
        let gone = match answer {
            Ok(Ok(answer)) if answer.status() == StatusCode::OK => {
                one.acknowledged = spans;
                false
            }
            Ok(Ok(answer)) => {
                one.refused_requests = 1;
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                if !matches!(answer.status().as_u16(), 429 | 503) {
                    return Err(format!("{}: {text}", answer.status()).into());
                }
                false
            }
            Ok(Err(_)) | Err(_) => true,
        };
        ledger.borrow_mut().merge(one);
        if gone {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads every trace back and compares.
async fn check(ledger: Rc<RefCell<Ledger>>) -> std::result::Result<(), BoxError> {
    let Some(client) = connect(QUERY).await else {
        return Err("the server cannot be reached".into());
    };
    let ready = async || -> std::result::Result<bool, BoxError> {
        let answer = client
            .send(Request::get("/ready").body(Bytes::new())?)
            .await?;
        Ok(answer.status() == StatusCode::OK)
    };
    while !time::timeout(Duration::from_secs(60), ready()).await?? {
        time::sleep(Duration::from_millis(10)).await;
    }
    let ledger = ledger.borrow().clone();
    for (trace, sent) in &ledger.sent {
        let answer = client
            .send(Request::get(format!("/api/v2/traces/{trace}")).body(Bytes::new())?)
            .await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{trace}: {}", answer.status()).into());
        }
        let json = serde_json::from_slice(answer.body())?;
        let found = span_ids_of(&json).map_err(|error| error.to_string())?;
        found_is_right(trace, sent, ledger.acknowledged.get(trace), &found)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A server that is starting refuses connections for a while.
async fn connect(address: &str) -> Option<Client> {
    for _ in 0..200 {
        if let Ok(client) = Client::connect(address.parse().ok()?, Version::Http1).await {
            return Some(client);
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    None
}

struct World {
    sim: Sim,
    client: ProcessId,
    seed: u64,
    shards: usize,
    ledger: Rc<RefCell<Ledger>>,
    generator: Rc<RefCell<Generator>>,
}

impl World {
    fn new(seed: u64, shards: usize) -> Self {
        let sim = Sim::new(seed).shards(shards).poll_budget(3_000_000);
        let client = sim.add_process("client", 1);
        // Every fourth world has large requests, so that segments fill up and new ones begin.
        let spans = if (seed / TESTS).is_multiple_of(4) {
            120
        } else {
            8
        };
        let shape = Shape {
            spans_per_request: spans,
            spans_per_trace: spans,
            attributes_per_span: 15,
        };
        Self {
            sim,
            client,
            seed,
            shards,
            ledger: Rc::default(),
            generator: Rc::new(RefCell::new(Generator::new(seed, shape))),
        }
    }

    fn start_server(&self) -> Result {
        let node = node(self.seed, self.shards)?;
        self.sim
            .start(Sim::MAIN, move || run_shard(Arc::clone(&node)));
        Ok(())
    }

    /// Posts until the server crashes at its k-th I/O step from now, or later.
    fn crash_under_load(&self) -> Result {
        self.start_server()?;
        let (ledger, generator) = (Rc::clone(&self.ledger), Rc::clone(&self.generator));
        let requests = 2 + self.sim.below(20) as usize;
        self.sim.start(self.client, move || {
            post(Rc::clone(&ledger), Rc::clone(&generator), requests)
        });
        self.sim.crash_at_io(Sim::MAIN, 1 + self.sim.below(120));
        self.sim.run_until_ended(self.client)?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    /// Crashes while the log is recovered; there may be nothing to recover in so few steps.
    fn crash_in_recovery(&self) -> Result {
        self.start_server()?;
        self.sim.crash_at_io(Sim::MAIN, 1 + self.sim.below(40));
        self.sim.run_for(Duration::from_millis(200))?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    fn verify(&self) -> Result {
        self.start_server()?;
        let ledger = Rc::clone(&self.ledger);
        self.sim
            .start(self.client, move || check(Rc::clone(&ledger)));
        match self.sim.run_until_ended(self.client)? {
            Ended::Finished => {}
            Ended::Crashed => return Err("the client crashed".into()),
        }
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    fn run(&self) -> Result<usize> {
        for crash in 0..CRASHES_PER_SEED {
            if crash % 3 == 2 {
                self.crash_in_recovery()?;
            } else {
                self.crash_under_load()?;
            }
            if crash % 2 == 1 {
                self.verify()?;
            }
        }
        self.verify()?;
        Ok(self.ledger.borrow().acknowledged_spans())
    }
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
        let world = World::new(seed, shards);
        prepare(&world);
        let outcome = world.run();
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
