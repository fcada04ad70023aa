//! Load whose spans are remembered: what was sent, and what of it was acknowledged.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use vivace_bench::data::{Generator, Shape};

use crate::common::{Error, Result, Server, agent, answer, base64_to_hex, hex, list};

/// Span ids by trace id, both in hex.
pub type Spans = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Default, Clone)]
pub struct Ledger {
    pub sent: Spans,
    pub acknowledged: Spans,
    pub refused_requests: usize,
}

impl Ledger {
    pub fn merge(&mut self, other: Ledger) {
        for (into, from) in [
            (&mut self.sent, other.sent),
            (&mut self.acknowledged, other.acknowledged),
        ] {
            for (trace, spans) in from {
                into.entry(trace).or_default().extend(spans);
            }
        }
        self.refused_requests += other.refused_requests;
    }

    pub fn acknowledged_spans(&self) -> usize {
        self.acknowledged.values().map(BTreeSet::len).sum()
    }
}

/// Span ids by trace id of an encoded request.
pub fn spans_of(body: &[u8]) -> Result<Spans> {
    let mut spans = Spans::new();
    let request = ExportTraceServiceRequest::decode(body)?;
    for span in request
        .resource_spans
        .iter()
        .flat_map(|r| &r.scope_spans)
        .flat_map(|s| &s.spans)
    {
        spans
            .entry(hex(&span.trace_id))
            .or_default()
            .insert(hex(&span.span_id));
    }
    Ok(spans)
}

pub fn unix_nanos() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

/// Posts requests from `clients` threads until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Ledger>>>,
}

impl Load {
    pub fn start(server: &Server, clients: usize, seed: u64, shape: Shape) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("http://127.0.0.1:{}/v1/traces", server.otlp_http);
        let threads = (0..clients as u64)
            .map(|client| {
                let (stop, url) = (stop.clone(), url.clone());
                std::thread::spawn(move || run(&url, seed << 8 | client, shape, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    pub fn stop(self) -> Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        for thread in self.threads {
            all.merge(thread.join().map_err(|_| "a load thread panicked")??);
        }
        Ok(all)
    }
}

fn run(url: &str, seed: u64, shape: Shape, stop: &AtomicBool) -> Result<Ledger> {
    let agent = agent();
    let mut generator = Generator::new(seed, shape);
    let mut ledger = Ledger::default();
    while !stop.load(Ordering::Relaxed) {
        let request = generator.next_request(unix_nanos());
        let mut one = Ledger {
            sent: spans_of(&request.body)?,
            ..Ledger::default()
        };
        let response = agent
            .post(url)
            .header("content-type", "application/x-protobuf")
            .send(&request.body[..])
            .map_err(Error::from)
            .and_then(answer);
        match response {
            Ok(answer) if answer.status == 200 => {
                assert_eq!(
                    answer.body,
                    b"\x0a\x00",
                    "partial success: {}",
                    answer.text()
                );
                one.acknowledged = one.sent.clone();
            }
            Ok(_) | Err(_) => {
                one.refused_requests = 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        ledger.merge(one);
    }
    Ok(ledger)
}

/// Span ids (hex) of a v2 answer, in its order. A partial answer is an error.
pub fn span_ids_of(json: &serde_json::Value) -> Result<Vec<String>> {
    if !json["status"].is_null() {
        return Err(format!("partial: {}", json["message"]).into());
    }
    let mut ids = Vec::new();
    for resource in list(&json["trace"]["resourceSpans"]) {
        for scope in list(&resource["scopeSpans"]) {
            for span in list(&scope["spans"]) {
                ids.push(base64_to_hex(span["spanId"].as_str().unwrap_or_default()));
            }
        }
    }
    Ok(ids)
}

/// ACK and ONCE for one trace: every acknowledged span is there, nothing twice, nothing that was never sent.
pub fn found_is_right(
    trace: &str,
    sent: &BTreeSet<String>,
    acknowledged: Option<&BTreeSet<String>>,
    found: &[String],
) -> Result {
    let unique: BTreeSet<String> = found.iter().cloned().collect();
    if unique.len() != found.len() {
        return Err(format!("trace {trace}: a span is there twice: {found:?}").into());
    }
    if let Some(stranger) = unique.difference(sent).next() {
        return Err(format!("trace {trace}: span {stranger} was never sent").into());
    }
    let lost = acknowledged.map_or(0, |acknowledged| acknowledged.difference(&unique).count());
    if lost > 0 {
        return Err(format!("trace {trace}: {lost} acknowledged spans are lost").into());
    }
    Ok(())
}

/// [`found_is_right`] for every trace of a ledger.
pub fn check(server: &Server, ledger: &Ledger) -> Result {
    for (trace, sent) in &ledger.sent {
        let found = server.span_ids(trace)?;
        found_is_right(trace, sent, ledger.acknowledged.get(trace), &found)?;
    }
    Ok(())
}
