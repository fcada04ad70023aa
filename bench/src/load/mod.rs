//! The load generator: OTLP/HTTP or gRPC, open loop at a rate or closed loop, latencies in hdrhistograms.
//!
//! In the open loop a pacer hands out tickets at the moments at which requests are due; connections take them. A
//! ticket's latency counts from that moment, so a server that stalls is charged for every request it kept waiting.

mod drive;
pub mod limits;
mod options;
mod outcome;
mod process;
mod progress;
mod query;
mod read;
mod report;
mod run;
mod sample;
mod samples;
mod send;
mod settle;
mod shared;
#[cfg(test)]
mod tests;

pub use drive::drive;
pub use options::{Compression, Options, Protocol, QueryUrl, UsageError};
pub use outcome::{Latencies, Outcome, Reads};
pub use process::{Process, Thread};
pub use report::{Quantiles, ReadReport, Report, Usage};
pub use run::{RunError, run};
pub use samples::{STAGES, Samples, Stored};
pub use settle::Settled;
pub use shared::{Mark, Marks, Shared};
