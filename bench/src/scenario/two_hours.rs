//! Two hours of data as fast as they can be sent, in a small memory: nothing may be lost, and memory and log stay bounded.

use super::Error;
use super::blocks::{all_in_blocks, ingested, stored};
use super::options::Options;
use super::server::{Server, Setup};
use super::summary::{Measured, Target};

/// Traces read back.
const VERIFIED: usize = 20_000;
/// What the server may take, in MiB and as its configuration says it.
const LIMIT_MIB: f64 = 1024.0;
const LIMIT_YAML: &str = "memory: {limit: 1GiB}\n";

/// Requests that the server refuses are sent again when it says, so that every span gets in.
pub fn two_hours(options: &Options) -> Result<Vec<Measured>, Error> {
    let setup = Setup {
        yaml: LIMIT_YAML.into(),
        ..Setup::default()
    };
    let server = Server::start_with(options, &setup)?;
    let again = ["--retry-refused".to_owned()];
    let spans = options.two_hours_spans;
    let report = all_in_blocks(&server, options, spans, VERIFIED, &again)?;
    let none = Some(Target::AtMost(0.0));
    let mut measured = ingested(&report);
    measured.extend([
        Measured::new("requests refused, then taken in", "", report.refused as f64),
        Measured::new("requests failed", "", report.failed as f64).target(none),
        Measured::new("spans rejected", "", report.rejected_spans as f64).target(none),
    ]);
    // Another server has a limit of its own.
    let limit = options.external().is_none().then_some(LIMIT_MIB);
    measured.extend(stored(&server, &report, limit)?);
    Ok(measured)
}
