//! The same load on 1, 2 and as many shards as there are CPUs: whether shards add up.
//!
//! Generator and server share the CPUs, so where all of them have a shard the spans per second say what the generator leaves. What a shard
//! can carry is told from its CPU time instead: spans by second of CPU time of the busiest shard, or of all CPU time of the process divided
//! by the shards, whichever is less. The first shows shards that wait for each other or get less work, the second work that is done beside
//! them (kernel's workers, uploads) and would need their CPUs.
//!
//! Two servers of one shard each, at the same time, are measured beside them: what two shards of one process lose against those is what
//! sharing costs; what those lose against one alone is the machine's (caches, interrupts, the generator on the same CPUs).

use std::time::Duration;

use super::Error;
use super::blocks::all_in_blocks;
use super::options::Options;
use super::server::{Server, Setup};
use super::summary::{Measured, Target};
use crate::load::{Process, Report, Thread};

/// Two shards carry so many times as much as one.
const RATIO: f64 = 1.8;
/// CPUs that are left for the generator and the kernel where spans per second are taken at their word.
const CPUS_LEFT: usize = 2;
/// For servers that run at the same time: pinned shards would all be on the first CPU.
const UNPINNED: &str = "runtime: {pin_threads: false}\n";
/// How the threads of shards are named.
const THREAD: &str = "shard-";

/// What came of one number of shards.
struct Run {
    shards: usize,
    report: Report,
    /// CPU time of all of the process.
    total: Duration,
    /// CPU time of the busiest shard.
    busiest: Duration,
}

/// One server after the other, each until everything is in blocks.
pub fn shards(options: &Options) -> Result<Vec<Measured>, Error> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let runs: Result<Vec<Run>, Error> = (numbers(cpus).into_iter())
        .map(|shards| run(options, shards))
        .collect();
    let runs = runs?;
    let mut measured: Vec<Measured> = runs.iter().flat_map(figures).collect();
    let of = |shards: usize| runs.iter().find(|run| run.shards == shards);
    if let (Some(one), Some(two)) = (of(1), of(2)) {
        let carried = two.carried() / one.carried();
        let speed = two.report.spans_per_second / one.report.spans_per_second;
        let target = |counts: bool| counts.then_some(Target::AtLeast(RATIO));
        let room = cpus >= 2 + CPUS_LEFT;
        measured
            .push(Measured::new("2 shards to 1, spans carried", "", carried).target(target(true)));
        measured.push(Measured::new("2 shards to 1, throughput", "", speed).target(target(room)));
        // A server of somebody else's is one.
        if options.external().is_none() {
            let apart = apart(options)?;
            let (name, figure) = ("2 servers of 1 shard, spans carried", apart);
            measured.push(Measured::new(name, "spans/s", figure));
            let (name, figure) = ("2 servers of 1 shard to 1 alone", apart / one.carried());
            measured.push(Measured::new(name, "", figure));
            let (name, figure) = ("2 shards to 2 servers of 1 shard", two.carried() / apart);
            measured.push(Measured::new(name, "", figure));
        }
    }
    Ok(measured)
}

/// 1, 2 and all CPUs, as far as there are CPUs.
fn numbers(cpus: usize) -> Vec<usize> {
    let mut numbers = vec![1, 2.min(cpus), cpus];
    numbers.dedup();
    numbers
}

/// Spans a second that two servers of one shard carry together.
fn apart(options: &Options) -> Result<f64, Error> {
    let setup = Setup {
        yaml: UNPINNED.into(),
        ..Setup::default()
    };
    let options = of_shards(options, 1);
    // One after the other: two that look for free ports at once may find the same.
    let servers = (
        Server::start_with(&options, &setup)?,
        Server::start_with(&options, &setup)?,
    );
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| load(&options, &servers.1));
        (load(&options, &servers.0), second.join())
    });
    let second = second.map_err(|_| Error::Failed("a load has panicked".into()))?;
    Ok(first?.carried() + second?.carried())
}

fn run(options: &Options, shards: usize) -> Result<Run, Error> {
    let options = of_shards(options, shards);
    load(&options, &Server::start(&options)?)
}

/// Connections and spans for so many shards.
fn of_shards(options: &Options, shards: usize) -> Options {
    Options {
        shards,
        // As many for each shard: they are spread by the kernel.
        connections: options.connections * shards,
        // Memory that is touched for the first time, segments and the like are had for each shard too.
        block_spans: options.block_spans * shards as u64,
        ..options.clone()
    }
}

fn load(options: &Options, server: &Server) -> Result<Run, Error> {
    let shards = options.shards;
    let pid = server.at().pid;
    let gone = || Error::Failed("the server is gone".into());
    let total = || Process::read(pid).map(|process| process.cpu);
    let before = (total().ok_or_else(gone)?, busiest(pid));
    let spans = options.block_spans;
    let threads = ["--shards".to_owned(), shards.div_ceil(4).to_string()];
    let report = all_in_blocks(server, options, spans, 0, &threads)?;
    Ok(Run {
        shards,
        report,
        total: total().ok_or_else(gone)?.saturating_sub(before.0),
        busiest: busiest(pid).saturating_sub(before.1),
    })
}

/// Those of the server's threads that are shards.
pub fn shard_threads(pid: u32) -> Vec<Thread> {
    let mut threads = Process::threads(pid);
    threads.retain(|thread| thread.name.starts_with(THREAD));
    threads
}

fn busiest(pid: u32) -> Duration {
    let shards = shard_threads(pid);
    let cpu = shards.iter().map(|thread| thread.cpu);
    cpu.max().unwrap_or_default()
}

impl Run {
    /// Spans a second that the shards would carry if each had a CPU of its own and nothing else had one.
    fn carried(&self) -> f64 {
        let shared = self.total.as_secs_f64() / self.shards as f64;
        self.report.spans as f64 / shared.max(self.busiest.as_secs_f64()).max(1e-9)
    }
}

fn figures(run: &Run) -> Vec<Measured> {
    let shards = match run.shards {
        1 => "1 shard".to_owned(),
        more => format!("{more} shards"),
    };
    let report = &run.report;
    let mut figures = vec![
        ("throughput", "spans/s", report.spans_per_second),
        ("ack p50", "ms", report.ack_ms.p50),
        ("ack p99", "ms", report.ack_ms.p99),
    ];
    if let Some(server) = &report.server {
        figures.push((
            "server CPU until the last ack",
            "us/span",
            server.cpu_us_per_item,
        ));
        figures.push(("server CPUs busy until then", "", server.cores));
    }
    if let Some(generator) = &report.generator {
        figures.push(("generator CPUs busy until then", "", generator.cores));
    }
    let by_span = |cpu: Duration| cpu.as_secs_f64() * 1e6 / report.spans.max(1) as f64;
    figures.push(("server CPU, all in blocks", "us/span", by_span(run.total)));
    figures.push((
        "busiest shard, all in blocks",
        "us/span",
        by_span(run.busiest),
    ));
    figures.push(("spans carried", "spans/s", run.carried()));
    if let Some(server) = &report.server_until_settled {
        figures.push(("peak RSS", "MiB", server.peak_rss_mib));
        figures.push(("RSS when all is in blocks", "MiB", server.rss_mib));
    }
    let named = figures.into_iter();
    let named =
        named.map(|(name, unit, value)| Measured::new(format!("{shards}: {name}"), unit, value));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_shards_fit_the_cpus() {
        assert_eq!(numbers(1), [1]);
        assert_eq!(numbers(2), [1, 2]);
        assert_eq!(numbers(8), [1, 2, 8]);
    }
}
