//! Traces by id among very many blocks.

use std::fs;

use super::Error;
use super::blocks::all_in_blocks;
use super::bucket::Bucket;
use super::cold::{Lookup, look_up, wanted};
use super::options::Options;
use super::server::{Server, Setup};
use super::summary::{Measured, quantile};
use crate::load::Process;

/// Spans of one request, which is one block.
const BLOCK_SPANS: u64 = 500;
/// Every record of the log is larger than that, and so a section of its own and a block.
const FILLING: &str = "ingest_log: {embedded: {partitions: 1}}\n\
    live_store: {flush_check_period: 100ms, max_trace_idle: 100ms, max_block_duration: 100ms, max_trace_live: 1s, max_block_bytes: 100000}\n";
/// Traces that are read by a server that knows all blocks, each so many times.
const WARM_TRACES: usize = 200;
const WARM_TIMES: usize = 5;
/// Traces that are each read by a server that has just started.
const COLD_TRACES: usize = 20;
/// Blocks that filters kept lookups out of, and blocks that were looked into.
const INSPECTED: &str = "vivace_querier_blocks_inspected_total";
const FILTERED: &str = "vivace_querier_blocks_filtered_total";

/// Makes the blocks, then asks.
pub fn many_blocks(options: &Options) -> Result<Vec<Measured>, Error> {
    let setup = Setup {
        yaml: FILLING.into(),
        ..Setup::default()
    };
    let mut server = Server::prepare_with(options, &setup)?;
    server.launch()?;
    let sample = tempfile::NamedTempFile::new().map_err(Error::io("sample"))?;
    let more = [
        "--sample-file".to_owned(),
        sample.path().display().to_string(),
        "--spans-per-request".to_owned(),
        BLOCK_SPANS.to_string(),
        "--retry-refused".to_owned(),
    ];
    let spans = options.many_blocks * BLOCK_SPANS;
    let report = all_in_blocks(&server, options, spans, WARM_TRACES, &more)?;
    let text = fs::read_to_string(sample.path()).map_err(Error::io("sample"))?;
    let wanted = wanted(&text)?;
    let mut measured = vec![Measured::new("spans", "", report.spans as f64)];
    if let Some(folder) = server.bucket() {
        let bucket = Bucket::read(&folder)?;
        measured.push(Measured::new("blocks", "", bucket.blocks as f64));
    }
    let mut cold = Vec::new();
    let mut started = Vec::new();
    for one in wanted.iter().take(COLD_TRACES) {
        server.kill();
        started.push(server.launch()?.as_secs_f64() * 1e3);
        cold.push(look_up(&server, one)?);
    }
    started.sort_by(f64::total_cmp);
    measured.push(Measured::new(
        "start to ready, with these blocks",
        "ms",
        quantile(&started, 0.5),
    ));
    measured.extend(figures("cold", &cold));
    // Now everything that is kept comes into memory.
    for one in &wanted {
        look_up(&server, one)?;
    }
    let used = || Process::read(server.at().pid).map(|process| process.cpu);
    let (before, cpu) = (server.samples()?, used());
    let mut warm = Vec::new();
    for one in std::iter::repeat_n(&wanted, WARM_TIMES).flatten() {
        warm.push(look_up(&server, one)?);
    }
    let cpu = cpu.zip(used()).map(|(from, to)| to.saturating_sub(from));
    let after = server.samples()?;
    measured.extend(figures("warm", &warm));
    let reads = warm.len().max(1) as f64;
    if let Some(cpu) = cpu {
        let micros = cpu.as_secs_f64() * 1e6 / reads;
        measured.push(Measured::new("warm, server CPU", "us/read", micros));
    }
    for (name, metric) in [
        ("blocks looked into", INSPECTED),
        ("blocks that filters kept it out of", FILTERED),
    ] {
        let count = (after.sum(metric) - before.sum(metric)) / reads;
        measured.push(Measured::new(format!("warm, {name}"), "", count));
    }
    if let Some(process) = Process::read(server.at().pid) {
        let rss = process.rss as f64 / 1_048_576.0;
        measured.push(Measured::new("RSS after that", "MiB", rss));
    }
    Ok(measured)
}

fn figures(name: &str, lookups: &[Lookup]) -> Vec<Measured> {
    let sorted = |figure: fn(&Lookup) -> f64| {
        let mut values: Vec<f64> = lookups.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let took = sorted(|one| one.took.as_secs_f64() * 1e3);
    let reads = sorted(|one| one.reads);
    let bytes = sorted(|one| one.bytes / 1024.0);
    vec![
        Measured::new(format!("{name} p50"), "ms", quantile(&took, 0.5)),
        Measured::new(format!("{name} p99"), "ms", quantile(&took, 0.99)),
        Measured::new(format!("{name}, requests"), "", quantile(&reads, 0.5)),
        Measured::new(format!("{name}, bytes read"), "KiB", quantile(&bytes, 0.5)),
    ]
}
