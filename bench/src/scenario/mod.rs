//! End-to-end scenarios: a server process, load on it, and what both used. Each is repeated; medians go to RESULTS.md.

mod blocks;
mod bucket;
mod cold;
mod connection;
mod criterion;
mod fair;
mod footer;
mod http;
mod ingest;
mod machine;
mod many_blocks;
mod memory;
mod moto;
mod options;
mod queries;
mod results;
mod server;
mod shards;
mod stages;
mod start;
mod storage;
mod summary;
mod two_hours;

use thiserror::Error;

pub use machine::Machine;
pub use options::{Options, Scenario};
pub use results::{rewrite, section};
pub use server::{External, S3, Server, Setup};
pub use summary::{Measured, Row, Summary, Table, TableRow, Target};

/// Why a scenario has no result.
#[derive(Debug, Error)]
pub enum Error {
    /// A file, process or socket.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server or a tool did not do what it should.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// Whether another try may succeed.
    pub fn is_retryable(&self) -> bool {
        true
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Runs all scenarios that were asked for, each as often as asked for.
///
/// # Errors
/// The first that fails ends the run: figures beside a broken scenario would not be believed.
pub fn run(options: &Options) -> Result<Vec<Summary>, Error> {
    let mut summaries = Vec::new();
    for scenario in options.scenarios() {
        if scenario == Scenario::Queries {
            // Each query is repeated by itself.
            eprintln!("{}", scenario.name());
            for summary in queries::queries(options)? {
                eprint!("{}", summary.text());
                summaries.push(summary);
            }
            continue;
        }
        if scenario == Scenario::Storage {
            // The same data each time.
            eprintln!("{}", scenario.name());
            let summary = storage::storage(options)?;
            eprint!("{}", summary.text());
            summaries.push(summary);
            continue;
        }
        // Criterion repeats by itself, and two hours are long.
        let repeat = match scenario {
            Scenario::Criterion | Scenario::TwoHours => 1,
            _ => options.repeat.max(1),
        };
        let mut runs = Vec::new();
        for n in 1..=repeat {
            eprintln!("{} ({n} of {repeat})", scenario.name());
            runs.push(once(scenario, options)?);
        }
        let summary = Summary::new(scenario, &runs);
        eprint!("{}", summary.text());
        summaries.push(summary);
    }
    Ok(summaries)
}

fn once(scenario: Scenario, options: &Options) -> Result<Vec<Measured>, Error> {
    match scenario {
        Scenario::Start => start::empty(options),
        Scenario::Replay => start::replay(options),
        Scenario::RateHttp | Scenario::RateGrpc => ingest::at_rate(scenario, options),
        Scenario::FullHttp | Scenario::FullGrpc => ingest::full_speed(scenario, options),
        Scenario::Mixed => ingest::mixed(options),
        Scenario::Blocks
        | Scenario::BlocksGrpc
        | Scenario::BlocksRateHttp
        | Scenario::BlocksRateGrpc => blocks::blocks(scenario, options),
        Scenario::TwoHours => two_hours::two_hours(options),
        Scenario::ColdS3 => cold::cold_s3(options),
        Scenario::Shards => shards::shards(options),
        Scenario::Memory => memory::memory(options),
        Scenario::ManyBlocks => many_blocks::many_blocks(options),
        Scenario::Fair => fair::fair(options),
        Scenario::Criterion => criterion::run(options),
        Scenario::Queries | Scenario::Storage => Err(Error::Failed(
            "this scenario makes summaries of its own".into(),
        )),
    }
}
