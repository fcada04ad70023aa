//! Some traces of one source.

use vivace_model::TraceId;
use vivace_traceql::Field;

use crate::bitmap::Bitmap;
use crate::cells::Cells;
use crate::column::{Column, Level};
use crate::shape::{Members, Shape};
use crate::strings::Strings;
use crate::table::AttributeTable;

/// Spans of one service in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStats {
    pub service: Box<str>,
    pub spans: u32,
    pub errors: u32,
}

/// Whole traces, or fragments of traces, of one `SpanBatch` or of some rows of a row group.
///
/// Columns are loaded first, by name and together, so that few reads are needed, and looked at afterwards without waiting. What was
/// loaded stays until the chunk is dropped.
#[allow(
    async_fn_in_trait,
    reason = "one thread runs a query over a chunk from start to end"
)]
pub trait Chunk {
    type Error: std::error::Error + 'static;

    fn shape(&self) -> &Shape;

    /// Loads columns that are not there yet. Only traces in `keep` will be looked at (None: all of them); cells of others may be
    /// missing or wrong. A column that was loaded for fewer traces is not loaded again: pass ever smaller sets.
    async fn load(&mut self, columns: &[Column], keep: Option<&Bitmap>) -> Result<(), Self::Error>;

    /// A loaded column; None if it was not loaded.
    fn cells(&self, column: &Column) -> Option<&Cells>;

    /// Strings that the column may have, if that can be told without reading its values; others it does not have. None: not known.
    /// With an empty answer the column has no strings at all.
    async fn strings_of(&mut self, column: &Column) -> Result<Option<Strings>, Self::Error>;

    /// Loads which events spans have; `events` has them then.
    async fn load_events(&mut self) -> Result<(), Self::Error>;

    /// Events of spans; None if they were not loaded.
    fn events(&self) -> Option<&Members>;

    /// Loads which links spans have.
    async fn load_links(&mut self) -> Result<(), Self::Error>;

    /// Links of spans; None if they were not loaded.
    fn links(&self) -> Option<&Members>;

    /// Loads the ids of traces.
    async fn load_trace_ids(&mut self) -> Result<(), Self::Error>;

    /// By trace, ascending; None if they were not loaded.
    fn trace_ids(&self) -> Option<&[TraceId]>;

    /// Spans and errors by service of one trace, sorted by service.
    async fn service_stats(&mut self, trace: u32) -> Result<Vec<ServiceStats>, Self::Error>;

    /// Attributes of a level without those of `named`. Level is not `Trace`.
    async fn load_table(&mut self, level: Level) -> Result<(), Self::Error>;

    /// A loaded table.
    fn table(&self, level: Level) -> Option<&AttributeTable>;

    /// Keys that attributes of a level may have in this chunk, those of `named` columns with any value included, sorted, each once.
    /// Read from dictionaries where that is enough; exact for batches.
    async fn keys(&mut self, level: Level) -> Result<Vec<Box<str>>, Self::Error>;

    /// Attributes of a level that have a column of their own in this chunk; `load` them.
    fn named(&self, level: Level) -> Vec<Field>;

    /// Bytes read so far, for `inspectedBytes`.
    fn bytes_read(&self) -> u64;

    /// What everything loaded takes in memory.
    fn memory_bytes(&self) -> usize;
}
