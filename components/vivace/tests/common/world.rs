//! The whole server on simulated shards, sockets, disk and bucket, with a client that keeps account.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::common::Result;
use super::load::{Ledger, Spans, found_is_right, span_ids_of, spans_of};
use bytes::Bytes;
use http::{Request, StatusCode};
use vivace::{Node, plan, run_shard};
use vivace_bench::data::{Generator, Shape};
use vivace_config::{Invocation, Source, load};
use vivace_shards::disk::sim::SimDisk;
use vivace_shards::http::client::{Client, Version};
use vivace_shards::sim::{Ended, ProcessId, Sim};
use vivace_shards::{BoxError, time};

const INGEST: &str = "127.0.0.1:4318";
const QUERY: &str = "127.0.0.1:3200";

fn node(config: &str, seed: u64, shards: usize) -> std::result::Result<Arc<Node>, BoxError> {
    let source = Source {
        name: "simulated",
        text: config,
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
        let ask = || Request::get(format!("/api/v2/traces/{trace}")).body(Bytes::new());
        let mut answer = client.send(ask()?).await?;
        // A store that fails makes lookups fail, openly. It does not fail for ever.
        for _ in 0..100 {
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            time::sleep(Duration::from_millis(50)).await;
            answer = client.send(ask()?).await?;
        }
        if answer.status() != StatusCode::OK {
            let text = String::from_utf8_lossy(answer.body());
            return Err(format!("{trace}: {}: {text}", answer.status()).into());
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

/// A server in a simulated world, a client, and what was acknowledged.
pub struct World {
    pub sim: Sim,
    config: &'static str,
    /// I/O steps within which a crash under load comes.
    pub steps: u64,
    client: ProcessId,
    seed: u64,
    shards: usize,
    ledger: Rc<RefCell<Ledger>>,
    generator: Rc<RefCell<Generator>>,
}

impl World {
    pub fn new(config: &'static str, seed: u64, shards: usize) -> Self {
        let sim = Sim::new(seed).shards(shards).poll_budget(3_000_000);
        let client = sim.add_process("client", 1);
        // Every fourth world has large requests, so that segments fill up and new ones begin.
        let spans = if (seed / 4).is_multiple_of(4) { 120 } else { 8 };
        let shape = Shape {
            spans_per_request: spans,
            spans_per_trace: spans,
            attributes_per_span: 15,
        };
        Self {
            sim,
            config,
            steps: 120,
            client,
            seed,
            shards,
            ledger: Rc::default(),
            generator: Rc::new(RefCell::new(Generator::new(seed, shape))),
        }
    }

    pub fn start_server(&self) -> Result {
        let node = node(self.config, self.seed, self.shards)?;
        self.sim
            .start(Sim::MAIN, move || run_shard(Arc::clone(&node)));
        Ok(())
    }

    /// Posts until the server crashes at its k-th I/O step from now, or later.
    pub fn crash_under_load(&self) -> Result {
        self.start_server()?;
        let (ledger, generator) = (Rc::clone(&self.ledger), Rc::clone(&self.generator));
        let requests = 2 + self.sim.below(20) as usize;
        self.sim.start(self.client, move || {
            post(Rc::clone(&ledger), Rc::clone(&generator), requests)
        });
        self.sim
            .crash_at_io(Sim::MAIN, 1 + self.sim.below(self.steps));
        self.sim.run_until_ended(self.client)?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    /// Crashes while the log is recovered; there may be nothing to recover in so few steps.
    pub fn crash_in_recovery(&self) -> Result {
        self.start_server()?;
        self.sim.crash_at_io(Sim::MAIN, 1 + self.sim.below(40));
        self.sim.run_for(Duration::from_millis(200))?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    pub fn verify(&self) -> Result {
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

    /// Posts, lets blocks be made for a while, and crashes at some step between; the server may also live until the end.
    pub fn crash_while_flushing(&self) -> Result {
        self.start_server()?;
        let (ledger, generator) = (Rc::clone(&self.ledger), Rc::clone(&self.generator));
        let requests = 2 + self.sim.below(12) as usize;
        self.sim.start(self.client, move || {
            post(Rc::clone(&ledger), Rc::clone(&generator), requests)
        });
        self.sim
            .crash_at_io(Sim::MAIN, 1 + self.sim.below(self.steps));
        self.sim.run_until_ended(self.client)?;
        self.sim
            .run_for(Duration::from_millis(self.sim.below(600)))?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    /// Lets the server run without load, looks at what it has come to, then crashes it.
    pub fn run_quietly(&self, time: Duration, look: impl FnOnce() -> Result) -> Result {
        self.start_server()?;
        self.sim.run_for(time)?;
        look()?;
        self.sim.crash(Sim::MAIN);
        Ok(())
    }

    /// Acknowledged span ids by trace id, in hex.
    pub fn acknowledged(&self) -> Spans {
        self.ledger.borrow().acknowledged.clone()
    }

    /// Span ids by trace id of everything that was sent, acknowledged or not.
    pub fn sent(&self) -> Spans {
        self.ledger.borrow().sent.clone()
    }

    /// Names of files in a folder of the server's disk.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let disk = self.sim.durable(Sim::MAIN, SimDisk::new);
        disk.names(folder.as_ref())
    }

    pub fn acknowledged_spans(&self) -> usize {
        self.ledger.borrow().acknowledged_spans()
    }
}
