//! Asking, again and again.

use std::time::{Duration, Instant};

use super::answer::{self, Answer};
use super::list::{Kind, Query};
use crate::data::varied::{order_id, trace_id};
use crate::load::Process;
use crate::scenario::Error;
use crate::scenario::connection::{Connection, escape};
use crate::scenario::summary::quantile;

/// Asked without being measured, at first.
const WARM_UP: usize = 2;
/// A query is repeated for that long, so that ticks of 10 ms tell its CPU, but not more often.
const MEASURED: Duration = Duration::from_secs(1);
const REPEATED_MOST: usize = 400;
/// Characters of a refusal that are told.
const QUOTE_MOST: usize = 120;

/// What the queries are about.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Unix seconds.
    pub start: u64,
    pub end: u64,
    /// Seed of the data, and a chunk of it that is there.
    pub seed: u64,
    pub chunk: u64,
}

/// Figures of repeated runs of one query.
#[derive(Debug, Clone, Copy)]
pub struct Warm {
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// User and system time of the server for one run, in milliseconds.
    pub cpu: Option<f64>,
    pub answer: Answer,
}

/// The first run.
#[derive(Debug, Clone, Copy)]
pub struct Cold {
    /// Milliseconds.
    pub took: f64,
    pub answer: Answer,
}

/// Path and parameters.
pub fn path(query: &Query, about: &About) -> String {
    let order = order_id(about.seed, about.chunk, 0);
    let trace: String = (trace_id(about.seed, about.chunk, 0).iter())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = query.text.replace("ORDER", &order).replace("TRACE", &trace);
    let text = text.as_str();
    let (start, end) = (about.start, about.end);
    let q = escape(text);
    match query.kind {
        Kind::Search => format!("/api/search?q={q}&start={start}&end={end}&limit=20&spss=3"),
        Kind::Wide => format!("/api/search?q={q}&start={start}&end={end}&limit=200&spss=20"),
        Kind::Range => format!("/api/metrics/query_range?q={q}&start={start}&end={end}"),
        Kind::Instant => format!("/api/metrics/query?q={q}&start={start}&end={end}"),
        Kind::Tags => {
            format!("/api/v2/search/tags?scope={q}&start={start}&end={end}&limit=5000")
        }
        Kind::Values => {
            let (tag, filter) = text.split_once(' ').unwrap_or((text, ""));
            let (tag, filter) = (escape(tag), escape(filter));
            format!("/api/v2/search/tag/{tag}/values?q={filter}&start={start}&end={end}&limit=5000")
        }
    }
}

/// Asks once. An answer that is none is told in words; what is wrong with the connection ends the run.
fn ask(
    connection: &mut Connection,
    kind: Kind,
    path: &str,
) -> Result<Result<(f64, Answer), String>, Error> {
    let started = Instant::now();
    let (status, body) = connection.get(path)?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    if status != 200 {
        let text = String::from_utf8_lossy(&body);
        let text: String = text.trim().chars().take(QUOTE_MOST).collect();
        return Ok(Err(format!("{status} {text}")));
    }
    let answer = answer::read(kind, &body).ok_or("the answer cannot be read");
    Ok(answer
        .map(|answer| (took, answer))
        .map_err(|text| text.to_owned()))
}

/// The first run, by a server that has just started.
pub fn cold(
    connection: &mut Connection,
    query: &Query,
    about: &About,
) -> Result<Result<Cold, String>, Error> {
    let asked = ask(connection, query.kind, &path(query, about))?;
    Ok(asked.map(|(took, answer)| Cold { took, answer }))
}

/// At least `runs` runs, more of those that take no time.
pub fn warm(
    connection: &mut Connection,
    pid: Option<u32>,
    query: &Query,
    about: &About,
    runs: usize,
) -> Result<Result<Warm, String>, Error> {
    let path = path(query, about);
    for _ in 0..WARM_UP {
        if let Err(text) = ask(connection, query.kind, &path)? {
            return Ok(Err(text));
        }
    }
    let used = || pid.and_then(Process::read).map(|process| process.cpu);
    let (before, started) = (used(), Instant::now());
    let mut took = Vec::new();
    let mut last = Answer::default();
    while took.len() < runs.max(1) || (started.elapsed() < MEASURED && took.len() < REPEATED_MOST) {
        match ask(connection, query.kind, &path)? {
            Ok((millis, answer)) => {
                took.push(millis);
                last = answer;
            }
            Err(text) => return Ok(Err(text)),
        }
    }
    let cpu = before.zip(used());
    took.sort_by(f64::total_cmp);
    Ok(Ok(Warm {
        p50: quantile(&took, 0.5),
        p99: quantile(&took, 0.99),
        cpu: cpu.map(|(before, after)| {
            after.saturating_sub(before).as_secs_f64() * 1e3 / took.len() as f64
        }),
        answer: last,
    }))
}

/// Of positive values; NaN if there are none.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value.ln();
        count += 1.0;
    }
    (sum / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_means() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            (quantile(&values, 0.5), quantile(&values, 0.99)),
            (50.0, 99.0)
        );
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
        let mean = geometric_mean([1.0, 100.0].into_iter());
        assert!((mean - 10.0).abs() < 1e-9);
        assert!(geometric_mean(std::iter::empty()).is_nan());
    }

    #[test]
    fn paths_carry_query_range_and_ids() {
        let about = About {
            start: 100,
            end: 200,
            seed: 7,
            chunk: 3,
        };
        let of = |kind, text| {
            let query = Query {
                name: "x",
                kind,
                text,
                finds: true,
            };
            path(&query, &about)
        };
        assert_eq!(
            of(Kind::Search, "{}"),
            "/api/search?q=%7B%7D&start=100&end=200&limit=20&spss=3"
        );
        assert!(of(Kind::Search, "ORDER").contains(&order_id(7, 3, 0)));
        let trace = of(Kind::Search, "TRACE");
        let id = trace
            .strip_prefix("/api/search?q=")
            .and_then(|rest| rest.split('&').next());
        assert_eq!(id.map(str::len), Some(32));
        assert_eq!(
            of(Kind::Values, "span.a { status = error }"),
            "/api/v2/search/tag/span.a/values?q=%7B%20status%20%3D%20error%20%7D&start=100&end=200&limit=5000"
        );
        assert!(of(Kind::Values, "name").contains("/tag/name/values?q=&"));
    }
}
