//! Live data of one shard's partitions; see README.md.

mod admit;
mod config;
mod error;
mod find;
mod index;
mod limits;
mod loan;
mod metrics;
mod partition;
mod queue;
mod replay;
mod shared;
mod size;
mod snapshot;
mod state;
mod store;
mod tracker;

pub use admit::{Admission, Discarded, Ticket};
pub use config::Config;
pub use error::{BoxError, Error};
pub use loan::Loan;
pub use replay::{RecordSource, Replayed};
pub use shared::{Reason, Shared};
pub use snapshot::{LiveBatch, Snapshot};
pub use store::{Held, RecordReader, Store};
pub use tracker::{Ages, TraceLimits};

#[cfg(test)]
mod tests;
