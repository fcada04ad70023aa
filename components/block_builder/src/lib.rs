//! Cuts a partition's log into sections and turns each into blocks in the bucket; see README.md.

mod aside;
mod build;
mod config;
mod error;
mod limits;
mod metrics;
mod sections;
mod service;
mod source;
mod upload;

pub use config::{BlockOptions, Config};
pub use error::Error;
pub use sections::{Reason, Section};
pub use service::{BlockBuilder, Deps, clean_folder};
pub use source::{BoxError, Bucket, Record, Records, Source, UploadStream};
