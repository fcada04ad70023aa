//! From start to ready: an empty server, and one with a filled log.

use std::time::Duration;

use super::Error;
use super::ingest::load;
use super::options::Options;
use super::server::Server;
use super::summary::{Measured, Target};
use crate::load::{Process, Protocol};

/// After which a server that does nothing is measured.
const IDLE: Duration = Duration::from_secs(5);
const MIB: f64 = 1_048_576.0;

fn process(server: &Server) -> Result<Process, Error> {
    Process::read(server.at().pid).ok_or_else(|| Error::Failed("the server is gone".into()))
}

/// No data.
pub fn empty(options: &Options) -> Result<Vec<Measured>, Error> {
    let mut server = Server::prepare(options)?;
    let ready = server.launch()?;
    let before = process(&server)?;
    std::thread::sleep(IDLE);
    let after = process(&server)?;
    let idle = (after.cpu - before.cpu).as_secs_f64() / IDLE.as_secs_f64();
    Ok(vec![
        Measured::new("start to ready", "ms", ready.as_secs_f64() * 1e3)
            .target(Some(Target::AtMost(1000.0))),
        Measured::new("idle RSS after 5 s", "MiB", after.rss as f64 / MIB)
            .target(Some(Target::AtMost(40.0))),
        Measured::new("idle CPU", "ms/s", idle * 1e3),
    ])
}

/// Killed with spans in its log that nothing has committed yet.
pub fn replay(options: &Options) -> Result<Vec<Measured>, Error> {
    let mut server = Server::prepare(options)?;
    server.launch()?;
    let spans = options.replay_spans.to_string();
    let arguments = ["--spans", &spans, "--seconds", "600"].map(str::to_owned);
    let report = load(&server, Protocol::Http, options, &arguments)?;
    server.kill();
    let ready = server.launch()?;
    let used = process(&server)?;
    let spans = report.spans as f64;
    Ok(vec![
        Measured::new("spans in the log", "", spans),
        Measured::new("start to ready", "ms", ready.as_secs_f64() * 1e3),
        Measured::new("replayed", "spans/s", spans / ready.as_secs_f64()),
        Measured::new(
            "CPU until ready",
            "us/span",
            used.cpu.as_secs_f64() * 1e6 / spans,
        ),
        Measured::new("RSS when ready", "MiB", used.rss as f64 / MIB),
        Measured::new("peak RSS", "MiB", used.peak_rss as f64 / MIB),
    ])
}
