//! The embedded ingest log: records made durable on the local disk, in order, by partition.
pub mod config;
pub mod error;
pub mod frame;
pub mod groups;
pub mod index;
pub mod limits;
pub mod meta;
pub mod scan;
pub mod survey;
pub use config::Config;
pub use error::Error;
