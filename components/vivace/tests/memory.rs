//! BOUND: ingest, block building and queries together stay under `memory.limit`, and nothing acknowledged is lost by that.

mod common;
#[path = "common/load.rs"]
mod load;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Options, Result, Server, agent, answer, eventually, list, with_params};
use load::unix_nanos;
use vivace_bench::data::varied::{CHUNK_SPANS, Window, chunk};

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000_000;

/// How long all of it goes on.
const WORK: Duration = Duration::from_secs(15);
const SENDERS: u64 = 2;
const ASKERS: usize = 3;

const CONFIG: &str = "
overrides:
  defaults:
    ingestion:
      rate_limit_bytes: 10000000000
      burst_size_bytes: 10000000000
      max_traces_per_user: 0
query_frontend:
  query_end_cutoff: 0s
live_store:
  flush_check_period: 100ms
  max_trace_idle: 500ms
  max_trace_live: 1s
  max_block_duration: 2s
";

/// What takes memory: many series, many values, whole traces, long lists.
const RANGES: [&str; 6] = [
    "{} | rate() by (span:id)",
    "{} | count_over_time() by (span.http.target, resource.k8s.pod.name)",
    "{} | histogram_over_time(duration) by (name)",
    "{ status = error } | compare({ span.http.response.status_code >= 500 }, 20)",
    "{ span.bytes > 10 } | quantile_over_time(duration, .5, .9, .99) by (resource.service.name)",
    "{ } >> { kind = client } | rate() by (name)",
];
const SEARCHES: [&str; 5] = [
    "{}",
    "{ } | select(span.http.url, span.db.statement, resource.service.name)",
    "{ name =~ \".*a.*\" } | by(resource.service.name) | count() > 1",
    "{ kind = server } &>> { kind = client }",
    "{ .not_there = \"x\" || span.http.url =~ \".*/[0-9]+\" }",
];

/// Sends new spans as fast as the server takes them until told to stop; gives those acknowledged.
fn send(url: &str, seed: u64, stop: &AtomicBool) -> Result<u64> {
    let agent = agent();
    let (mut acknowledged, mut number) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let now = unix_nanos();
        let window = Window {
            from: now - 30 * SECOND,
            to: now - 21 * SECOND,
        };
        // Half of a chunk's spans each, about.
        let mut of_chunk = 0;
        for body in chunk(seed, number, window) {
            // What is refused for lack of memory is sent again.
            loop {
                let post = agent
                    .post(url)
                    .header("content-type", "application/x-protobuf");
                let answer = answer(post.send(&body[..])?)?;
                match answer.status {
                    200 => break,
                    429 | 503 => std::thread::sleep(Duration::from_millis(20)),
                    other => return Err(format!("{other}: {}", answer.text()).into()),
                }
            }
            of_chunk += 1;
        }
        assert_eq!(of_chunk, 2);
        acknowledged += CHUNK_SPANS as u64;
        number += 1;
    }
    Ok(acknowledged)
}

/// Asks one query after the other until told to stop; gives how often each status came.
fn ask(server: &Server, first: usize, stop: &AtomicBool) -> Result<BTreeMap<u16, u32>> {
    let mut statuses = BTreeMap::new();
    let mut turn = first;
    while !stop.load(Ordering::Relaxed) {
        let (from, to) = (unix_nanos() / SECOND - 60, unix_nanos() / SECOND + 1);
        let (from, to) = (from.to_string(), to.to_string());
        let (path, query) = match turn % 2 {
            0 => ("/api/metrics/query_range", RANGES[turn / 2 % RANGES.len()]),
            _ => ("/api/search", SEARCHES[turn / 2 % SEARCHES.len()]),
        };
        let params = [
            ("q", query),
            ("start", &from),
            ("end", &to),
            ("limit", "5000"),
            ("spss", "100"),
            ("step", "1s"),
        ];
        let params = if turn.is_multiple_of(2) {
            [&params[..3], &params[5..]].concat()
        } else {
            params[..5].to_vec()
        };
        let answer = server.get(&with_params(path, &params))?;
        assert!(
            matches!(answer.status, 200 | 429 | 503),
            "{query}: {} {}",
            answer.status,
            answer.text()
        );
        *statuses.entry(answer.status).or_insert(0) += 1;
        turn += 1;
    }
    Ok(statuses)
}

fn count(server: &Server, from: u64) -> Result<u64> {
    let (from, to) = ((from * SECOND).to_string(), unix_nanos().to_string());
    let params = [
        ("q", "{} | count_over_time()"),
        ("start", &from),
        ("end", &to),
    ];
    let answer = server.get(&with_params("/api/metrics/query", &params))?;
    if answer.status != 200 {
        return Ok(0);
    }
    let json = answer.json()?;
    let series = list(&json["series"]).iter();
    Ok(series.filter_map(|one| one["value"].as_f64()).sum::<f64>() as u64)
}

fn stays_under(limit: u64) -> Result {
    let server = Arc::new(Server::start_with(Options {
        extra_yaml: format!("memory:\n  limit: {}MiB\n{CONFIG}", limit / MIB),
        ..Options::default()
    })?);
    let from = unix_nanos() / SECOND - 3600;
    let stop = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    std::thread::scope(|scope| -> Result {
        let (stop, sent, server) = (&stop, &sent, &*server);
        let senders: Vec<_> = (0..SENDERS)
            .map(|seed| {
                let url = format!("http://127.0.0.1:{}/v1/traces", server.otlp_http);
                scope.spawn(move || -> std::result::Result<(), String> {
                    let spans = send(&url, seed, stop).map_err(|error| error.to_string())?;
                    sent.fetch_add(spans, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        let askers: Vec<_> = (0..ASKERS)
            .map(|first| {
                scope.spawn(move || ask(server, first * 3, stop).map_err(|error| error.to_string()))
            })
            .collect();
        let begun = Instant::now();
        let mut last = Ok(());
        while begun.elapsed() < WORK && last.is_ok() {
            std::thread::sleep(Duration::from_millis(100));
            let rss = server.rss()?;
            if rss > limit {
                let used = server.get("/metrics")?.text();
                let used: Vec<&str> = used
                    .lines()
                    .filter(|line| line.starts_with("vivace_memory_"))
                    .collect();
                let after = begun.elapsed();
                last = Err(format!("{} MiB after {after:?}: {used:?}", rss / MIB));
            }
        }
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        for asker in askers {
            for (status, times) in asker.join().map_err(|_| "an asker panicked")?? {
                *statuses.entry(status).or_insert(0) += times;
            }
        }
        Ok(last?)
    })?;
    let sent = sent.into_inner();
    let peak = server.peak_rss()?;
    eprintln!(
        "limit {} MiB, peak {} MiB, {sent} spans, queries by status {statuses:?}",
        limit / MIB,
        peak / MIB
    );
    assert!(peak <= limit, "{} of {} MiB", peak / MIB, limit / MIB);
    assert!(sent >= 20 * CHUNK_SPANS as u64, "only {sent} spans");
    assert!(
        statuses.get(&200).is_some_and(|times| *times >= 11),
        "{statuses:?}"
    );
    // All of it is there, live or in blocks, and in blocks in the end.
    let all_there = || Ok(count(&server, from)? == sent);
    eventually(Duration::from_secs(30), all_there)
        .map_err(|error| format!("{error}: {:?} of {sent} spans", count(&server, from)))?;
    server.wait_for_blocks()?;
    assert_eq!(count(&server, from)?, sent);
    let peak = server.peak_rss()?;
    assert!(peak <= limit, "{} of {} MiB", peak / MIB, limit / MIB);
    Ok(())
}

#[test]
fn everything_at_once_in_256_mib() -> Result {
    stays_under(256 * MIB)
}

#[test]
fn everything_at_once_in_512_mib() -> Result {
    stays_under(512 * MIB)
}

#[test]
fn everything_at_once_in_2_gib() -> Result {
    stays_under(2048 * MIB)
}
