//! Rows of a row group of a block as a chunk: one read of some leaves after the other, decoded to cells at once.

mod attributes;
mod children;
mod chunk;
mod direct;
mod error;
mod layout;
mod limits;
mod merge;
mod named;
mod owners;
mod parts;
mod places;
mod plan;
mod room;
mod slots;
mod source;
mod stats;
mod strings;
mod table;

pub use chunk::{ChunkMemory, GroupChunk};
pub use error::LoadError;
pub use parts::{NoParts, PartName, SharedPart, SharedParts};
pub use plan::{plan_rows, spans_in};
pub use room::{OwnLimit, Room};
