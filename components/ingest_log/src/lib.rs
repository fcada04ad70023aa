//! The embedded ingest log: records made durable on the local disk, in order, by partition.
//!
//! [`Handle::append`] resolves after fdatasync (one for all that wait), [`Handle::read`] gives
//! records back in order, consumer groups commit how far they are. See README.md for the
//! invariants, and the text of each module for the format it keeps: [`frame`], `groups`, [`meta`],
//! `dir`.

mod config;
mod corruption;
mod dir;
mod error;

pub mod frame;
mod groups;
mod handle;
mod index;
pub mod limits;
pub mod meta;
mod metrics;
mod partition;
mod reader;
mod scan;
mod scrub;
mod shared;
mod survey;

pub use config::Config;
pub use corruption::{CorruptRange, CorruptionReport};
pub use error::Error;
pub use handle::{Deps, Handle, Service, Tail};
pub use reader::{Entry, Position, Reader};
pub use shared::Shared;
