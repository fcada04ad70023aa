//! Queries of all kinds over blocks and live data: how long they take, warm and cold, and what they cost.

mod answer;
mod fill;
mod list;
mod measure;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::fill::{Part, fill};
use self::list::{Kind, QUERIES, Query};
use self::measure::{About, Cold, Warm, cold, geometric_mean, warm};
use super::Error;
use super::bucket::Bucket;
use super::connection::Connection;
use super::options::{Options, Scenario};
use super::server::{Server, Setup};
use super::summary::{Measured, Summary, Table, TableRow, Target};
use crate::data::varied::{CHUNK_SPANS, Window};
use crate::load::Process;

/// Seed of the data: always the same, so that ids are known where somebody else has loaded them.
const SEED: u64 = 20_261_126;
/// Larger than any section.
const NO_LIMIT: u64 = 1_000_000_000_000;
/// Nothing becomes a block any more.
const FILLED: &str = "ingest_log: {embedded: {partitions: 1}}\n\
    live_store: {max_block_duration: 100h, max_trace_live: 100h, max_block_bytes: 1000000000000}\n";
/// One in so many parts of the time is live, with as many more spans.
const LIVE_PART: u64 = 20;
/// The newest data is left alone by queries for 30 s; traces last up to 20 s.
const NEWEST: Duration = Duration::from_secs(60);
/// How long spans may need to become a block.
const BLOCK_MAX: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);
/// The data and the time for which there is a target.
const TARGET_SPANS: u64 = 600_000;
const TARGET_BLOCKS: u64 = 3;
const TARGET_MEAN_MS: f64 = 10.0;
const MIB: f64 = 1_048_576.0;

/// What one query came to.
struct Outcome {
    query: &'static Query,
    warm: Result<Warm, String>,
    cold: Option<Result<Cold, String>>,
}

/// Data of this scenario, and who has it.
struct Loaded {
    server: Server,
    about: About,
    figures: Vec<Measured>,
    spans: Option<u64>,
}

/// One summary for each number of blocks, or one of another server.
pub fn queries(options: &Options) -> Result<Vec<Summary>, Error> {
    if let Some(url) = &options.query_url {
        let now = now()?;
        let about = about(options, now);
        let outcomes = ask_all(url, options.query_pid, &about, options.query_runs)?;
        return Ok(vec![summary(
            "queries-external",
            vec![],
            &outcomes,
            false,
            None,
        )]);
    }
    if options.external().is_some() {
        let loaded = load_other(options)?;
        return Ok(vec![measure(options, loaded, "queries-external", None)?]);
    }
    let mut summaries = Vec::new();
    for &blocks in &options.query_blocks {
        let loaded = load(options, blocks)?;
        let spans = options.query_spans;
        let target = (spans, blocks) == (TARGET_SPANS, TARGET_BLOCKS);
        let target = target.then_some(Target::AtMost(TARGET_MEAN_MS));
        let cut = match options.query_section_bytes {
            0 => "",
            _ => "-cut",
        };
        let name = format!("queries-{spans}-{blocks}{cut}");
        summaries.push(measure(options, loaded, &name, target)?);
    }
    Ok(summaries)
}

/// One partition, so that a section of the log is one block; and sections that end when nothing comes any more, or at this size (0: none).
fn filling(section_bytes: u64) -> String {
    let most = match section_bytes {
        0 => NO_LIMIT,
        bytes => bytes,
    };
    format!(
        "ingest_log: {{embedded: {{partitions: 1}}}}\n\
        live_store: {{flush_check_period: 100ms, max_trace_idle: 1s, max_block_duration: 1s, max_trace_live: 100h, max_block_bytes: {most}}}\n"
    )
}

/// Unix nanoseconds.
fn now() -> Result<u64, Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|error| Error::Failed(error.to_string()))?;
    Ok(since.as_nanos() as u64)
}

/// All of the time that data is spread over.
fn window(options: &Options, now: u64) -> Window {
    let minutes = Duration::from_secs(options.query_minutes.max(1) * 60);
    let to = now.saturating_sub(NEWEST.as_nanos() as u64);
    Window {
        from: to.saturating_sub(minutes.as_nanos() as u64),
        to,
    }
}

fn about(options: &Options, now: u64) -> About {
    let window = window(options, now);
    About {
        start: window.from / 1_000_000_000,
        end: now / 1_000_000_000,
        seed: SEED,
        chunk: options.query_spans / CHUNK_SPANS as u64 / 3,
    }
}

/// Chunks of all blocks, and of live data behind them.
fn parts(options: &Options, now: u64, blocks: u64) -> (Vec<Part>, Part) {
    let chunks = (options.query_spans / CHUNK_SPANS as u64).max(blocks);
    let all = window(options, now);
    let live = all.part(LIVE_PART - 1, LIVE_PART);
    let old = Window {
        from: all.from,
        to: live.from,
    };
    let old_parts = (0..blocks).map(|n| Part {
        from: chunks * n / blocks,
        to: chunks * (n + 1) / blocks,
        window: old.part(n, blocks),
    });
    let newest = Part {
        from: chunks,
        to: chunks + (chunks / LIVE_PART).max(1),
        window: live,
    };
    (old_parts.collect(), newest)
}

/// Blocks one after the other, then live data.
fn load(options: &Options, blocks: u64) -> Result<Loaded, Error> {
    let setup = Setup {
        yaml: filling(options.query_section_bytes),
        ..Setup::default()
    };
    let mut server = Server::start_with(options, &setup)?;
    let now = now()?;
    let (old, newest) = parts(options, now, blocks.max(1));
    let otlp = format!("http://{}", server.at().otlp_http);
    for part in &old {
        fill(&otlp, SEED, *part)?;
        wait_for_blocks(&server)?;
    }
    server.kill();
    server.reconfigure(options, FILLED)?;
    server.launch()?;
    fill(&otlp, SEED, newest)?;
    let in_blocks: u64 = old.iter().map(|part| part.spans()).sum();
    let mut figures = vec![
        Measured::new("spans in blocks", "", in_blocks as f64),
        Measured::new("spans in live data", "", newest.spans() as f64),
    ];
    if let Some(folder) = server.bucket() {
        let bucket = Bucket::read(&folder)?;
        let bytes = bucket.data_bytes as f64;
        figures.extend([
            Measured::new("blocks", "", bucket.blocks as f64),
            Measured::new("data.parquet of all blocks", "MiB", bytes / MIB),
            Measured::new("data.parquet", "B/span", bytes / in_blocks as f64),
        ]);
    }
    Ok(Loaded {
        about: about(options, now),
        figures,
        spans: Some(in_blocks + newest.spans()),
        server,
    })
}

/// The same data into another server, which makes blocks when it likes.
fn load_other(options: &Options) -> Result<Loaded, Error> {
    let server = Server::start(options)?;
    let now = now()?;
    let (old, newest) = parts(options, now, 1);
    let otlp = format!("http://{}", server.at().otlp_http);
    let mut spans = 0;
    for part in old.into_iter().chain([newest]) {
        fill(&otlp, SEED, part)?;
        spans += part.spans();
    }
    std::thread::sleep(Duration::from_secs(options.query_wait));
    Ok(Loaded {
        about: about(options, now),
        figures: vec![Measured::new("spans", "", spans as f64)],
        spans: None,
        server,
    })
}

/// Sends so many spans, spread over the options' time; returns how many they came to.
pub fn fill_all(options: &Options, otlp: &str, spans: u64) -> Result<u64, Error> {
    let part = Part {
        from: 0,
        to: (spans / CHUNK_SPANS as u64).max(1),
        window: window(options, now()?),
    };
    fill(otlp, SEED, part)?;
    Ok(part.spans())
}

fn wait_for_blocks(server: &Server) -> Result<(), Error> {
    let started = Instant::now();
    while started.elapsed() < BLOCK_MAX {
        match server.samples()?.all_in_blocks() {
            Some(true) => return Ok(()),
            Some(false) => std::thread::sleep(LOOK),
            None => break,
        }
    }
    let seconds = started.elapsed().as_secs();
    Err(Error::Failed(format!(
        "what was sent is not in a block after {seconds} s"
    )))
}

/// All queries: cold where the server is our own, then warm.
fn measure(
    options: &Options,
    loaded: Loaded,
    name: &str,
    target: Option<Target>,
) -> Result<Summary, Error> {
    let Loaded {
        mut server,
        about,
        mut figures,
        spans,
    } = loaded;
    let mut colds = Vec::new();
    if options.external().is_none() {
        for query in QUERIES {
            server.kill();
            server.launch()?;
            let mut connection = Connection::new(&server.at().query)?;
            colds.push(cold(&mut connection, query, &about)?);
        }
    }
    let at = server.at();
    let mut outcomes = ask_all(&at.query, Some(at.pid), &about, options.query_runs)?;
    for (outcome, cold) in outcomes.iter_mut().zip(colds) {
        outcome.cold = Some(cold);
    }
    if let Some(process) = Process::read(at.pid) {
        let peak = process.peak_rss as f64 / MIB;
        figures.push(Measured::new("peak RSS", "MiB", peak));
    }
    if let Some(spans) = spans {
        all_are_there(&outcomes, spans)?;
    }
    Ok(summary(name, figures, &outcomes, spans.is_some(), target))
}

fn ask_all(url: &str, pid: Option<u32>, about: &About, runs: usize) -> Result<Vec<Outcome>, Error> {
    let mut connection = Connection::new(url)?;
    let outcomes = QUERIES.iter().map(|query| {
        let warm = warm(&mut connection, pid, query, about, runs)?;
        if let Err(text) = &warm {
            eprintln!("  {}: {text}", query.name);
        }
        Ok(Outcome {
            query,
            warm,
            cold: None,
        })
    });
    outcomes.collect()
}

/// Figures over spans that got lost say nothing.
fn all_are_there(outcomes: &[Outcome], spans: u64) -> Result<(), Error> {
    let count = outcomes
        .iter()
        .find(|one| one.query.text == "{} | count_over_time()");
    let counted = count.and_then(|one| one.warm.as_ref().ok());
    let counted = counted.map(|warm| warm.answer.total);
    match counted {
        Some(counted) if counted == spans as f64 => Ok(()),
        _ => Err(Error::Failed(format!(
            "{counted:?} spans were counted instead of {spans}"
        ))),
    }
}

fn summary(
    name: &str,
    mut figures: Vec<Measured>,
    outcomes: &[Outcome],
    known_data: bool,
    target: Option<Target>,
) -> Summary {
    let none = Some(Target::AtMost(0.0));
    let warms = || {
        outcomes
            .iter()
            .filter_map(|one| Some((one.query, one.warm.as_ref().ok()?)))
    };
    let colds = outcomes
        .iter()
        .filter_map(|one| one.cold.as_ref()?.as_ref().ok());
    let colds: Vec<f64> = colds.map(|cold| cold.took).collect();
    let mut add = |name: String, unit, value: f64, target| {
        figures.push(Measured::new(name, unit, value).target(target));
    };
    add("queries".into(), "", outcomes.len() as f64, None);
    let mean = geometric_mean(warms().map(|(_, warm)| warm.p50));
    add("geometric mean of p50, all".into(), "ms", mean, target);
    for group in ["searches", "metrics", "tags"] {
        let of = warms().filter(|(query, _)| query.kind.group() == group);
        let mean = geometric_mean(of.map(|(_, warm)| warm.p50));
        add(format!("geometric mean of p50, {group}"), "ms", mean, None);
    }
    let cpu: Vec<f64> = warms().filter_map(|(_, warm)| warm.cpu).collect();
    if !cpu.is_empty() {
        let all: f64 = cpu.iter().sum();
        add("CPU of one run of all".into(), "ms", all, None);
    }
    if !colds.is_empty() {
        let mean = geometric_mean(colds.into_iter());
        add("geometric mean, cold".into(), "ms", mean, None);
    }
    let failed = outcomes.iter().filter(|one| one.warm.is_err()).count();
    add("queries that failed".into(), "", failed as f64, none);
    if known_data {
        let odd = warms().filter(|(query, warm)| query.finds != (warm.answer.found > 0));
        let odd = odd.count() as f64;
        add("found nothing, or what is not there".into(), "", odd, none);
    }
    Summary::new(Scenario::Queries, &[figures])
        .named(name)
        .with_table(table(outcomes))
}

fn table(outcomes: &[Outcome]) -> Table {
    let rows = outcomes.iter().map(|one| {
        let warm = one.warm.as_ref().ok();
        let cold = one.cold.as_ref().and_then(|cold| cold.as_ref().ok());
        let kib = |bytes: f64| bytes / 1024.0;
        TableRow {
            name: one.query.name.to_owned(),
            values: vec![
                warm.map(|warm| warm.p50),
                warm.map(|warm| warm.p99),
                warm.and_then(|warm| warm.cpu),
                warm.map(|warm| kib(warm.answer.inspected_bytes)),
                cold.map(|cold| cold.took),
                cold.map(|cold| cold.answer.reads),
                cold.map(|cold| kib(cold.answer.read_bytes)),
                warm.map(|warm| warm.answer.found as f64),
                warm.map(|warm| kib(warm.answer.bytes)),
            ],
            note: match (&one.warm, one.query.kind) {
                (Err(text), _) => text.clone(),
                (_, Kind::Tags) => format!("tags {}", one.query.text),
                (_, Kind::Values) => format!("values of {}", one.query.text),
                (_, Kind::Instant) => format!("instant {}", one.query.text),
                _ => one.query.text.to_owned(),
            },
        }
    });
    Table {
        columns: vec![
            "query",
            "p50 ms",
            "p99 ms",
            "CPU ms",
            "inspected KiB",
            "cold ms",
            "cold requests",
            "cold read KiB",
            "found",
            "answer KiB",
            "text",
        ],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn parts_follow_each_other_in_chunks_and_time() {
        let line = [
            "vivace-bench",
            "--query-spans",
            "10000",
            "--query-minutes",
            "30",
        ];
        let options = Options::parse_from(line);
        let now = 1_800_000_000_000_000_000;
        let (old, newest) = parts(&options, now, 3);
        assert_eq!(old.iter().map(|part| part.spans()).sum::<u64>(), 10_000);
        let all: Vec<Part> = old.into_iter().chain([newest]).collect();
        for two in all.windows(2) {
            assert_eq!(
                (two[0].to, two[0].window.to),
                (two[1].from, two[1].window.from)
            );
        }
        assert_eq!(newest.spans(), 1_000);
        let about = about(&options, now);
        assert_eq!(all[0].window.from / 1_000_000_000, about.start);
        assert_eq!(newest.window.to, now - 60_000_000_000);
        assert!(about.chunk < 10);
    }

    #[test]
    fn failures_and_surprises_are_counted() {
        let warm = |found| Warm {
            p50: 2.0,
            p99: 3.0,
            cpu: None,
            answer: answer::Answer {
                found,
                total: 7.0,
                ..Default::default()
            },
        };
        let outcomes: Vec<Outcome> = (QUERIES.iter())
            .map(|query| Outcome {
                query,
                warm: match query.name {
                    "everything" => Err("400 no".into()),
                    "error" => Ok(warm(0)),
                    _ => Ok(warm(u64::from(query.finds))),
                },
                cold: None,
            })
            .collect();
        let summary = summary("queries-1-1", vec![], &outcomes, true, None);
        let figure = |name: &str| {
            let row = summary.rows.iter().find(|row| row.name == name);
            row.map(|row| row.median)
        };
        assert_eq!(figure("queries that failed"), Some(1.0));
        assert_eq!(figure("found nothing, or what is not there"), Some(1.0));
        let mean = figure("geometric mean of p50, all");
        assert!(mean.is_some_and(|mean| (mean - 2.0).abs() < 1e-9));
        assert!(all_are_there(&outcomes, 7).is_ok());
        assert!(all_are_there(&outcomes, 8).is_err());
    }
}
