//! Writes vParquet blocks from SpanBatches; see README.md.

mod column;
mod encode;
mod error;
mod footer;
pub mod limits;
mod options;
mod pause;
mod pool;
mod table;
mod trace;
mod types;
mod write;

pub use error::{EncodeError, WriteError};
pub use options::{Built, Options, Sink};
pub use write::write_block;
