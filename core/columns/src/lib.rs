//! Spans as typed columns, whatever holds them; see README.md.

mod batch;
mod bitmap;
mod cells;
mod chunk;
mod column;
mod copy;
mod group;
mod reader;
mod selection;
mod shape;
mod strings;
mod table;

pub use batch::BatchChunk;
pub use bitmap::Bitmap;
pub use cells::array_bits;
pub use cells::{CellKind, Cells, Kinds, known_kind};
pub use chunk::{Chunk, ServiceStats};
pub use column::{Column, Level};
pub use copy::TraceCopy;
pub use group::{
    ChunkMemory, GroupChunk, LoadError, NoParts, OwnLimit, PartName, Room, SharedPart, SharedParts,
    plan_rows, spans_in,
};
pub use reader::{FieldReader, ValueAt, kind, status};
pub use selection::Selection;
pub use shape::{Members, Shape};
pub use strings::Strings;
pub use table::AttributeTable;
