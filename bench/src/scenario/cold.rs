//! Trace by id from S3 with nothing in memory, and with everything that is kept there.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::blocks::all_in_blocks;
use super::moto::{Moto, python};
use super::options::Options;
use super::server::{Server, Setup};
use super::summary::{Measured, Target, median};
use super::{Error, http};

/// Object requests of a cold lookup in the block that has the trace.
const REQUESTS: f64 = 3.0;
/// Reads of the store itself, to compare with.
const PLAIN_READS: usize = 50;
/// Blocks that lookups looked into, and blocks that filters kept them out of.
const INSPECTED: &str = "vivace_querier_blocks_inspected_total";
const FILTERED: &str = "vivace_querier_blocks_filtered_total";

/// One lookup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lookup {
    pub took: Duration,
    pub reads: f64,
    pub bytes: f64,
    spans: u64,
}

/// A trace of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    id: String,
    spans: u64,
}

/// The server is started anew before each cold lookup: then nothing is in its memory, no connection is open, and what
/// it knows of the bucket is the list of blocks that it read when it started.
pub fn cold_s3(options: &Options) -> Result<Vec<Measured>, Error> {
    let python = python(options.moto_python.as_deref()).ok_or_else(|| {
        Error::Failed("no S3 server: --moto-python names a Python that has moto[server]".into())
    })?;
    let moto = Moto::start(&python)?;
    let setup = Setup {
        store: Some(moto.bucket.clone()),
        ..Setup::default()
    };
    let mut server = Server::prepare_with(options, &setup)?;
    server.launch()?;
    let sample = tempfile::NamedTempFile::new().map_err(Error::io("sample"))?;
    let file = ["--sample-file".into(), sample.path().display().to_string()];
    let report = all_in_blocks(
        &server,
        options,
        options.cold_spans,
        options.cold_reads,
        &file,
    )?;
    let text = fs::read_to_string(sample.path()).map_err(Error::io("sample"))?;
    let wanted = wanted(&text)?;
    let (mut cold, mut in_block) = (Vec::new(), Vec::new());
    for one in &wanted {
        server.kill();
        server.launch()?;
        let before = server.samples()?;
        let lookup = look_up(&server, one)?;
        let after = server.samples()?;
        let filtered = after.sum(FILTERED) - before.sum(FILTERED);
        // A block whose filter says no costs one request.
        in_block.push(lookup.reads - filtered);
        cold.push(lookup);
    }
    let last = server.samples()?;
    let blocks = last.sum(INSPECTED) + last.sum(FILTERED);
    // Now everything that is kept comes into memory.
    for one in &wanted {
        look_up(&server, one)?;
    }
    let warm: Result<Vec<Lookup>, Error> = wanted.iter().map(|one| look_up(&server, one)).collect();
    let warm = warm?;
    let plain = plain_reads(&moto)?;
    let of = |lookups: &[Lookup], figure: fn(&Lookup) -> f64| {
        let values: Vec<f64> = lookups.iter().map(figure).collect();
        middle(values)
    };
    let millis = |lookup: &Lookup| lookup.took.as_secs_f64() * 1e3;
    Ok(vec![
        Measured::new("spans", "", report.spans as f64),
        Measured::new("blocks that a lookup asks", "", blocks),
        Measured::new("cold lookups", "", cold.len() as f64),
        Measured::new(
            "cold, requests in the block with the trace",
            "",
            middle(in_block),
        )
        .target(Some(Target::AtMost(REQUESTS))),
        Measured::new(
            "cold, requests over all blocks",
            "",
            of(&cold, |one| one.reads),
        ),
        Measured::new(
            "cold, bytes read",
            "KiB",
            of(&cold, |one| one.bytes / 1024.0),
        ),
        Measured::new("cold p50", "ms", of(&cold, millis)),
        Measured::new(
            "warm, requests over all blocks",
            "",
            of(&warm, |one| one.reads),
        ),
        Measured::new(
            "warm, bytes read",
            "KiB",
            of(&warm, |one| one.bytes / 1024.0),
        ),
        Measured::new("warm p50", "ms", of(&warm, millis)),
        Measured::new("the store itself, an empty answer p50", "ms", plain),
    ])
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    median(&values)
}

/// Lines of the load generator's sample.
pub fn wanted(text: &str) -> Result<Vec<Wanted>, Error> {
    let lines = text.lines().map(|line| {
        let (id, spans) = line.split_once(' ')?;
        Some(Wanted {
            id: id.to_owned(),
            spans: spans.parse().ok()?,
        })
    });
    let wanted: Option<Vec<Wanted>> = lines.collect();
    let wanted = wanted.filter(|wanted| !wanted.is_empty());
    wanted.ok_or_else(|| Error::Failed("the load generator's sample cannot be read".into()))
}

/// Reads the trace and makes sure that it is whole.
pub fn look_up(server: &Server, wanted: &Wanted) -> Result<Lookup, Error> {
    let started = Instant::now();
    let body = http::get(&server.at().query, &format!("/api/v2/traces/{}", wanted.id))?;
    let took = started.elapsed();
    let lookup = read_answer(&body, took)
        .ok_or_else(|| Error::Failed(format!("{}: the answer cannot be read", wanted.id)))?;
    if lookup.spans == wanted.spans {
        return Ok(lookup);
    }
    Err(Error::Failed(format!(
        "trace {} has {} spans instead of {}",
        wanted.id, lookup.spans, wanted.spans
    )))
}

fn read_answer(body: &[u8], took: Duration) -> Option<Lookup> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    // 64-bit numbers are strings in protobuf's JSON, and zeros are left out.
    let number = |name: &str| match &answer["metrics"][name] {
        Value::Null => Some(0.0),
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let resources = list(&answer["trace"], "resourceSpans").into_iter();
    let scopes = resources.flat_map(|resource| list(&resource, "scopeSpans"));
    let spans = scopes.map(|scope| list(&scope, "spans").len() as u64).sum();
    Some(Lookup {
        took,
        reads: number("backendReads")?,
        bytes: number("backendBytes")?,
        spans,
    })
}

/// How long the store takes for a request that reads nothing: what part of a latency is its own.
fn plain_reads(moto: &Moto) -> Result<f64, Error> {
    let mut took = Vec::new();
    for _ in 0..PLAIN_READS {
        let started = Instant::now();
        http::request(moto.address(), "HEAD", "/bench/nothing")?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(middle(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_reads_and_spans() {
        let body =
            br#"{"trace":{"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]},{"spans":[{}]}]},{}]},
            "metrics":{"inspectedBytes":"9","backendReads":"4","backendBytes":"1024"}}"#;
        let lookup = read_answer(body, Duration::ZERO).expect("a lookup");
        assert_eq!((lookup.reads, lookup.bytes, lookup.spans), (4.0, 1024.0, 3));
        let empty = read_answer(b"{}", Duration::ZERO).expect("a lookup");
        assert_eq!((empty.reads, empty.spans), (0.0, 0));
        assert!(read_answer(b"<html>", Duration::ZERO).is_none());
        let odd = br#"{"metrics":{"backendReads":"many"}}"#;
        assert!(read_answer(odd, Duration::ZERO).is_none());
    }

    #[test]
    fn samples_are_read_or_refused() {
        let one = Wanted {
            id: "0a".into(),
            spans: 20,
        };
        assert_eq!(wanted("0a 20\n").ok(), Some(vec![one]));
        for text in ["", "0a\n", "0a x\n"] {
            assert!(wanted(text).is_err(), "{text:?}");
        }
    }
}
