//! From OTLP to blocks in the bucket, and traces back from there.

use super::Error;
use super::bucket::Bucket;
use super::ingest::{load, reads};
use super::options::{Options, Scenario};
use super::server::Server;
use super::stages::{stages, waiting};
use super::summary::{Measured, Target};
use crate::load::{Protocol, Report, Settled};

/// Traces read back from blocks.
const VERIFIED: usize = 2_000;
/// How long the load may take, and then the blocks, in seconds.
const LOAD_MAX: usize = 3_600;
const SETTLE_MAX: usize = 1_800;
/// A fixed rate lasts at least that long, so that blocks are made meanwhile.
const RATE_SECONDS: u64 = 60;
/// The live window of a partition: the segment that is written, the one reserved behind it, and those not yet deleted.
const SEGMENTS_MOST: f64 = 4.0;
const MIB: f64 = 1_048_576.0;
/// Microseconds of CPU for a span from OTLP to its block in the bucket: a tenth of Tempo's 89.
const ALL_IN_CPU: f64 = 8.9;
/// Microseconds of CPU for a span to become part of a block.
pub const BUILD_CPU: f64 = 2.5;

/// All spans as fast as answers come back or at the fixed rate, then blocks, then traces.
pub fn blocks(scenario: Scenario, options: &Options) -> Result<Vec<Measured>, Error> {
    let (protocol, rate) = match scenario {
        Scenario::BlocksGrpc => (Protocol::Grpc, 0),
        Scenario::BlocksRateHttp => (Protocol::Http, options.rate),
        Scenario::BlocksRateGrpc => (Protocol::Grpc, options.rate),
        _ => (Protocol::Http, 0),
    };
    let spans = match rate {
        0 => options.block_spans,
        rate => rate * options.seconds.max(RATE_SECONDS),
    };
    let at_rate = ["--rate".to_owned(), rate.to_string()];
    let server = Server::start(options)?;
    let report = all_in_blocks_by(protocol, &server, options, spans, VERIFIED, &at_rate)?;
    let mut measured = ingested(&report);
    measured.extend(stored(&server, &report, None)?);
    Ok(measured)
}

/// What the load tells.
pub fn ingested(report: &Report) -> Vec<Measured> {
    vec![
        Measured::new("spans", "", report.spans as f64),
        Measured::new("throughput", "spans/s", report.spans_per_second),
        Measured::new("ack p50", "ms", report.ack_ms.p50),
        Measured::new("ack p99", "ms", report.ack_ms.p99),
    ]
}

/// What blocks cost, what is stored, and what reading from there takes. `limit_mib`: the server's limit of memory.
pub fn stored(
    server: &Server,
    report: &Report,
    limit_mib: Option<f64>,
) -> Result<Vec<Measured>, Error> {
    let settled = report.settled.as_ref();
    let settled = settled
        .ok_or_else(|| Error::Failed("the load generator did not wait for blocks".into()))?;
    let mut measured = cpu(report, settled);
    measured.extend(waiting(server.at().pid));
    if let Some(server) = &report.server_until_settled {
        let rss = server.rss_mib;
        measured.push(Measured::new("RSS when all is in blocks", "MiB", rss));
    }
    // The last one that is known: reading back is part of it.
    let reading = report.reads_after.as_ref();
    let reading = reading.and_then(|reads| reads.server.as_ref());
    if let Some(server) = reading.or(report.server_until_settled.as_ref()) {
        let peak = Measured::new("peak RSS, reads included", "MiB", server.peak_rss_mib);
        measured.push(peak.target(limit_mib.map(Target::AtMost)));
    }
    measured.push(Measured::new(
        "last ack to all in blocks",
        "s",
        settled.seconds,
    ));
    measured.extend(sizes(server, report, settled)?);
    measured.extend(reads(
        "trace by id from blocks",
        report.reads_after.as_ref(),
    ));
    measured.extend(completeness(report));
    Ok(measured)
}

/// Sends `spans` as fast as answers come back over OTLP/HTTP, and waits until they are in blocks.
pub fn all_in_blocks(
    server: &Server,
    options: &Options,
    spans: u64,
    verify: usize,
    more: &[String],
) -> Result<Report, Error> {
    all_in_blocks_by(Protocol::Http, server, options, spans, verify, more)
}

fn all_in_blocks_by(
    protocol: Protocol,
    server: &Server,
    options: &Options,
    spans: u64,
    verify: usize,
    more: &[String],
) -> Result<Report, Error> {
    let numbers = [
        ("--spans", spans),
        ("--seconds", LOAD_MAX as u64),
        ("--settle", SETTLE_MAX as u64),
        ("--verify", verify as u64),
    ];
    let mut arguments: Vec<String> = numbers
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value.to_string()])
        .collect();
    arguments.extend_from_slice(more);
    load(server, protocol, options, &arguments)
}

fn cpu(report: &Report, settled: &Settled) -> Vec<Measured> {
    let mut measured = Vec::new();
    let mut add = |name: &str, value: f64, target: Option<f64>| {
        let target = target.map(Target::AtMost);
        measured.push(Measured::new(name, "us/span", value).target(target));
    };
    if let Some(server) = &report.server_until_settled {
        add(
            "server CPU, all in",
            server.cpu_us_per_item,
            Some(ALL_IN_CPU),
        );
    }
    let built = settled.after.spans_in_blocks - settled.before.spans_in_blocks;
    if let Some(server) = &report.server_settling
        && built > 0.0
    {
        let share = 100.0 * built / report.spans as f64;
        add(
            "server CPU after the last ack, by span built then",
            server.cpu_us_per_item,
            Some(BUILD_CPU),
        );
        measured.push(Measured::new("spans built after the last ack", "%", share));
    }
    let all = report.server_until_settled.as_ref();
    measured.extend(stages(
        report.spans,
        &settled.after,
        all.map(|all| all.cpu_us_per_item),
    ));
    measured
}

/// Bucket and log.
fn sizes(server: &Server, report: &Report, settled: &Settled) -> Result<Vec<Measured>, Error> {
    let spans = report.spans.max(1) as f64;
    let (before, after) = (&settled.before, &settled.after);
    let mut measured = Vec::new();
    if let Some(folder) = server.bucket() {
        let bucket = Bucket::read(&folder)?;
        measured.extend([
            Measured::new("bucket, all objects", "B/span", bucket.bytes as f64 / spans),
            Measured::new(
                "bucket, data.parquet",
                "B/span",
                bucket.data_bytes as f64 / spans,
            ),
            Measured::new("blocks", "", bucket.blocks as f64),
        ]);
    }
    let partitions = after.partitions.max(1) as f64;
    measured.extend([
        Measured::new("log written", "B/span", after.log_bytes_written / spans),
        Measured::new(
            "log on disk at the last ack",
            "MiB",
            before.log_disk_bytes / MIB,
        ),
        Measured::new(
            "log on disk when drained",
            "MiB",
            after.log_disk_bytes / MIB,
        ),
        Measured::new(
            "log segments a partition when drained",
            "",
            after.log_segments / partitions,
        )
        .target(Some(Target::AtMost(SEGMENTS_MOST))),
    ]);
    Ok(measured)
}

/// A load whose answers are wrong has failed before: these are there to be seen.
fn completeness(report: &Report) -> Vec<Measured> {
    let Some(reads) = &report.reads_after else {
        return Vec::new();
    };
    let wrong = reads.missing_spans + reads.doubled_spans + reads.foreign_spans + reads.failed;
    vec![
        Measured::new("traces read back", "", reads.latency_ms.count as f64),
        Measured::new(
            "spans missing, doubled, foreign; reads failed",
            "",
            wrong as f64,
        )
        .target(Some(Target::AtMost(0.0))),
    ]
}
