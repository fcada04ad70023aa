//! The whole generator: shards, then the report.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use vivace_shards::runtime::{self, Config};

use super::drive::drive;
use super::options::{Options, UsageError};
use super::read::hex;
use super::report::Report;
use super::shared::Shared;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The options make no sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A shard could not start, or could not reach the server.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// The load ended during the warm-up.
    #[error(
        "the load ended before anything was measured: --spans is smaller than what --warmup sends"
    )]
    NothingMeasured,
    /// The ids of the sample could not be written.
    #[error("{path}: {source}")]
    SampleFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl RunError {
    /// Whether the same run may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Usage(_) | Self::NothingMeasured => false,
            Self::SampleFile { .. } => true,
            Self::Runtime(runtime::Error::Main { .. }) => true,
            Self::Runtime(error) => error.is_retryable(),
        }
    }
}

/// Generates the load and returns what was measured.
///
/// # Errors
/// If the options make no sense or the server cannot be reached. A server that refuses or fails later is reported.
pub fn run(options: &Options) -> Result<Report, RunError> {
    options.check()?;
    let shards = match options.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        shards => shards,
    };
    let shards = shards.min(options.connections);
    let config = Config {
        shards,
        // The server's shards are pinned; the generator takes the CPU that is free.
        pin: false,
        ..Config::default()
    };
    let shared = Arc::new(Shared::new(options, shards));
    let (for_shards, shared) = ((options.clone(), shared.clone()), shared);
    runtime::run(config, move || {
        let (options, shared) = for_shards.clone();
        drive(options, shared)
    })?;
    let (outcome, marks) = shared.result();
    if let Some(path) = &options.sample_file {
        let lines = outcome.sampled.iter();
        let text: String = lines
            .map(|(id, spans)| format!("{} {spans}\n", hex(id)))
            .collect();
        std::fs::write(path, text).map_err(|source| RunError::SampleFile {
            path: path.clone(),
            source,
        })?;
    }
    let report = Report::new(options, &outcome, &marks, shared.settled());
    report.ok_or(RunError::NothingMeasured)
}
