//! Ingest at half of what the server takes at full speed, while blocks are made; then the same with queries beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Error;
use super::connection::{Connection, escape};
use super::ingest::load;
use super::options::Options;
use super::server::{Server, Setup};
use super::summary::{Measured, Target, quantile};
use crate::load::{Protocol, Report};

/// Milliseconds of the p99 of acknowledgements with queries beside.
const ACK: f64 = 20.0;
/// Blocks are made all the time, and queries see the newest spans.
const SETUP: &str = "live_store: {flush_check_period: 500ms, max_trace_idle: 1s, max_block_duration: 4s, max_trace_live: 1s}\n\
    query_frontend: {query_end_cutoff: 0s}\n";
/// How far back the queries look.
const RANGE: Duration = Duration::from_secs(300);
/// Pause after a query that could not be asked.
const PAUSE: Duration = Duration::from_millis(20);

/// Searches, metrics and tags over what is being sent.
const QUERIES: [(&str, &str); 8] = [
    ("/api/search?limit=20&q=", "{ status = error }"),
    (
        "/api/search?limit=20&q=",
        r#"{ resource.service.name = "payment" && span.http.response.status_code = 500 }"#,
    ),
    (
        "/api/search?limit=20&q=",
        r#"{ span.url.path =~ "/api/orders/12[0-9]+" }"#,
    ),
    (
        "/api/search?limit=20&q=",
        r#"{ resource.service.name = "frontend" } >> { status = error }"#,
    ),
    ("/api/metrics/query_range?q=", "{} | rate()"),
    (
        "/api/metrics/query_range?q=",
        "{ status = error } | rate() by (resource.service.name)",
    ),
    (
        "/api/metrics/query_range?q=",
        "{ kind = server } | quantile_over_time(duration, .5, .99)",
    ),
    (
        "/api/v2/search/tag/resource.service.name/values?q=",
        "{ status = error }",
    ),
];

/// What the queries came to.
#[derive(Debug, Default)]
struct Asked {
    /// Milliseconds of each answer.
    took: Vec<f64>,
    failed: u64,
    first: Option<String>,
}

/// Three servers: for the full speed, without queries, with them.
pub fn fair(options: &Options) -> Result<Vec<Measured>, Error> {
    let rate = match options.mixed_rate {
        0 => half_of_full_speed(options)?,
        rate => rate,
    };
    let (alone, _, _) = measure(options, rate, false)?;
    let (beside, asked, blocks) = measure(options, rate, true)?;
    let mut measured = vec![Measured::new("rate", "spans/s", rate as f64)];
    measured.extend(acks("alone", &alone, None));
    measured.extend(acks("with queries", &beside, Some(Target::AtMost(ACK))));
    let mut took = asked.took;
    took.sort_by(f64::total_cmp);
    measured.push(Measured::new("queries answered", "", took.len() as f64));
    measured.push(
        Measured::new("queries refused or failed", "", asked.failed as f64)
            .target(Some(Target::AtMost(0.0))),
    );
    measured.push(Measured::new("query p50", "ms", quantile(&took, 0.5)));
    measured.push(Measured::new("query p99", "ms", quantile(&took, 0.99)));
    measured.push(Measured::new("blocks made meanwhile", "", blocks));
    if let Some(first) = asked.first {
        eprintln!("  first query that failed: {first}");
    }
    Ok(measured)
}

fn started(options: &Options) -> Result<Server, Error> {
    let setup = Setup {
        yaml: SETUP.into(),
        ..Setup::default()
    };
    Server::start_with(options, &setup)
}

fn seconds(options: &Options) -> Vec<String> {
    let (seconds, warmup) = (options.seconds.to_string(), options.warmup.to_string());
    ["--seconds", &seconds, "--warmup", &warmup]
        .map(str::to_owned)
        .to_vec()
}

/// With blocks being made, as in what follows.
fn half_of_full_speed(options: &Options) -> Result<u64, Error> {
    let server = started(options)?;
    let report = load(&server, Protocol::Http, options, &seconds(options))?;
    Ok((report.spans_per_second / 2.0) as u64)
}

/// Ingest at the rate; what queries came to, and how many blocks were made.
fn measure(options: &Options, rate: u64, queries: bool) -> Result<(Report, Asked, f64), Error> {
    let server = started(options)?;
    let mut arguments = seconds(options);
    arguments.extend(["--rate".to_owned(), rate.to_string()]);
    let stop = AtomicBool::new(!queries);
    let (report, asked) = std::thread::scope(|scope| {
        let url = &server.at().query;
        let asking = scope.spawn(|| {
            // Before the first spans there is nothing to look at.
            std::thread::sleep(Duration::from_secs(options.warmup));
            ask(url, &stop)
        });
        let report = load(&server, Protocol::Http, options, &arguments);
        stop.store(true, Ordering::Relaxed);
        let asked = asking.join();
        let asked =
            asked.unwrap_or_else(|_| Err(Error::Failed("the queries have panicked".into())));
        (report, asked)
    });
    // Another server may have no such metrics.
    let blocks = server.samples().map(|samples| samples.stored().blocks);
    Ok((report?, asked?, blocks.unwrap_or(0.0)))
}

/// One query after the other until told to stop.
fn ask(url: &str, stop: &AtomicBool) -> Result<Asked, Error> {
    let mut connection = Connection::new(url)?;
    let mut asked = Asked::default();
    for (path, query) in QUERIES.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        let start = now.saturating_sub(RANGE.as_secs());
        let path = format!("{path}{}&start={start}&end={now}", escape(query));
        let began = Instant::now();
        let failure = match connection.get(&path) {
            Ok((200, _)) => {
                asked.took.push(began.elapsed().as_secs_f64() * 1e3);
                continue;
            }
            Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(&body).trim()),
            Err(error) => error.to_string(),
        };
        asked.failed += 1;
        asked.first.get_or_insert(format!("{query}: {failure}"));
        std::thread::sleep(PAUSE);
    }
    Ok(asked)
}

fn acks(name: &str, report: &Report, target: Option<Target>) -> Vec<Measured> {
    let not = report.refused + report.failed + report.dropped;
    let named = |figure: &str| format!("{name}: {figure}");
    let mut measured = vec![
        Measured::new(named("sent"), "spans/s", report.spans_per_second),
        Measured::new(named("ack p50"), "ms", report.ack_ms.p50),
        Measured::new(named("ack p99"), "ms", report.ack_ms.p99).target(target),
        Measured::new(named("ack p99.9"), "ms", report.ack_ms.p999),
        Measured::new(
            named("of that, generator late p99"),
            "ms",
            report.waited_ms.p99,
        ),
        Measured::new(named("requests refused, failed, dropped"), "", not as f64),
    ];
    if let Some(server) = &report.server {
        measured.push(Measured::new(named("server CPUs busy"), "", server.cores));
        measured.push(Measured::new(
            named("server peak RSS"),
            "MiB",
            server.peak_rss_mib,
        ));
    }
    measured
}
