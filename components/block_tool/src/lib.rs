//! `vivace block`: blocks for operators; see README.md.

mod arguments;
mod block;
mod cat;
mod folder;
mod inspect;
pub mod limits;
mod list;
mod parquet;
mod run;
mod source;
mod text;
mod verify;

pub use folder::Folder;
pub use run::{Connect, FAILED, OK, UNREADABLE, run};
pub use source::{ListedBlock, Source, SourceError};
