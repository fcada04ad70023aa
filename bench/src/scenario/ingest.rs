//! Scenarios that put load on a server, with `vivace-load` as a process of its own.

use std::process::{Command, Stdio};

use super::Error;
use super::options::{Options, Scenario};
use super::server::{Server, sibling};
use super::stages::so_far;
use super::summary::{Measured, Target};
use crate::load::{Protocol, ReadReport, Report};

/// Traces read back after each load.
const VERIFIED: usize = 500;
/// Figures with targets.
const ACK: &str = "ack p99";
const CPU: &str = "server CPU";
const RATE_TARGETS: [(&str, f64); 2] = [(ACK, 10.0), (CPU, 3.0)];
/// Trace reads per second in the mixed scenario.
const READS_PER_SECOND: u64 = 100;

/// Runs the load generator with these arguments beside those that every scenario has.
pub fn load(
    server: &Server,
    protocol: Protocol,
    options: &Options,
    arguments: &[String],
) -> Result<Report, Error> {
    let at = server.at();
    let (name, target) = match protocol {
        Protocol::Http => ("http", at.otlp_http),
        Protocol::Grpc => ("grpc", at.otlp_grpc),
    };
    let program = sibling("vivace-load")?;
    let output = Command::new(&program)
        .args(["--json", "--quiet", "--protocol", name])
        .args(["--target", &target.to_string()])
        .args(["--pid", &at.pid.to_string()])
        .args(["--query-url", &at.query])
        .args(["--connections", &options.connections.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(program.display().to_string()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let report: Report = serde_json::from_slice(&output.stdout).map_err(|error| {
        Error::Failed(format!("vivace-load: {}: {error}\n{told}", output.status))
    })?;
    if !report.is_good() {
        return Err(Error::Failed(format!(
            "answers are wrong:\n{}",
            report.text()
        )));
    }
    Ok(report)
}

fn arguments(list: &[(&str, u64)]) -> Vec<String> {
    let words = list.iter();
    words
        .flat_map(|(name, value)| [format!("--{name}"), value.to_string()])
        .collect()
}

fn protocol(scenario: Scenario) -> Protocol {
    match scenario {
        Scenario::RateGrpc | Scenario::FullGrpc => Protocol::Grpc,
        _ => Protocol::Http,
    }
}

/// Fixed rate, then traces by id.
pub fn at_rate(scenario: Scenario, options: &Options) -> Result<Vec<Measured>, Error> {
    let server = Server::start(options)?;
    let report = load(
        &server,
        protocol(scenario),
        options,
        &arguments(&[
            ("rate", options.rate),
            ("seconds", options.seconds),
            ("warmup", options.warmup),
            ("verify", VERIFIED as u64),
        ]),
    )?;
    let mut measured = common(&report, &RATE_TARGETS);
    measured.extend(so_far(&server));
    measured.extend(reads("trace by id after", report.reads_after.as_ref()));
    Ok(measured)
}

/// As fast as answers come back.
pub fn full_speed(scenario: Scenario, options: &Options) -> Result<Vec<Measured>, Error> {
    let server = Server::start(options)?;
    let report = load(
        &server,
        protocol(scenario),
        options,
        &arguments(&[
            ("seconds", options.seconds),
            ("warmup", options.warmup),
            ("verify", VERIFIED as u64),
        ]),
    )?;
    let mut measured = vec![Measured::new(
        "throughput",
        "spans/s",
        report.spans_per_second,
    )];
    measured.extend(common(&report, &[(CPU, 3.0)]));
    measured.extend(so_far(&server));
    Ok(measured)
}

/// Half the rate, and reads beside it.
pub fn mixed(options: &Options) -> Result<Vec<Measured>, Error> {
    let server = Server::start(options)?;
    let report = load(
        &server,
        Protocol::Http,
        options,
        &arguments(&[
            ("rate", options.rate / 2),
            ("seconds", options.seconds),
            ("warmup", options.warmup),
            ("reads-per-second", READS_PER_SECOND),
        ]),
    )?;
    let mut measured = common(&report, &[(ACK, 10.0)]);
    measured.extend(reads("trace by id beside", report.reads_beside.as_ref()));
    Ok(measured)
}

/// What every load tells, with the targets that count in this scenario.
fn common(report: &Report, targets: &[(&str, f64)]) -> Vec<Measured> {
    let not = report.refused + report.failed + report.dropped;
    let mut figures = vec![
        ("ack p50", "ms", report.ack_ms.p50),
        (ACK, "ms", report.ack_ms.p99),
        ("ack p99.9", "ms", report.ack_ms.p999),
        ("of that, generator late p50", "ms", report.waited_ms.p50),
        ("of that, generator late p99", "ms", report.waited_ms.p99),
        ("requests refused, failed, dropped", "", not as f64),
    ];
    if let Some(server) = &report.server {
        figures.extend([
            (CPU, "us/span", server.cpu_us_per_item),
            ("server CPUs busy", "", server.cores),
            ("server RSS", "MiB", server.rss_mib),
            ("server peak RSS", "MiB", server.peak_rss_mib),
        ]);
    }
    if let Some(generator) = &report.generator {
        figures.push(("generator CPU", "us/span", generator.cpu_us_per_item));
    }
    let measured = figures.into_iter().map(|(name, unit, value)| {
        let target = targets.iter().find(|(of, _)| *of == name);
        let target = target.map(|(_, most)| Target::AtMost(*most));
        Measured::new(name, unit, value).target(target)
    });
    measured.collect()
}

/// Latencies and CPU of traces read.
pub fn reads(name: &str, reads: Option<&ReadReport>) -> Vec<Measured> {
    let Some(reads) = reads else {
        return Vec::new();
    };
    let mut measured = vec![
        Measured::new(format!("{name} p50"), "ms", reads.latency_ms.p50),
        Measured::new(format!("{name} p99"), "ms", reads.latency_ms.p99),
    ];
    if let Some(server) = &reads.server {
        let cpu = server.cpu_us_per_item;
        measured.push(Measured::new(format!("{name}, server CPU"), "us/read", cpu));
    }
    measured
}
