//! A TraceQL query over chunks.

use vivace_block::dedicated::{Scope, default_columns};
use vivace_columns::{Chunk, ChunkMemory, GroupChunk, Level};
use vivace_engine::{Dedicated, Matches, Plan, Scope as Searched, find};
use vivace_traceql::{parse, validate};

use super::Failure;
use crate::data::{Block, File, now};
use crate::limits::CHUNK_BYTES;

/// What a block's chunk is here.
pub type OfBlock<'b> = GroupChunk<&'b File, fn() -> std::future::Ready<()>>;

/// All traces of the block as a chunk with nothing loaded.
pub fn open_chunk(block: &Block) -> Result<OfBlock<'_>, Failure> {
    let groups = block.open.row_groups();
    let rows = 0..groups.first().map_or(0, |group| group.rows);
    let pause: fn() -> std::future::Ready<()> = || std::future::ready(());
    let open = block.open.clone();
    let chunk = GroupChunk::open(
        open,
        0,
        rows,
        &block.file,
        ChunkMemory::alone(CHUNK_BYTES),
        pause,
    );
    Ok(now(chunk)?)
}

/// The attributes with columns of their own.
pub fn dedicated() -> Dedicated {
    let level = |scope| match scope {
        Scope::Resource => Level::Resource,
        Scope::Span => Level::Span,
        Scope::Event => Level::Event,
    };
    let columns = default_columns().into_iter();
    columns
        .map(|column| (level(column.scope), column.name.as_str().into()))
        .collect()
}

/// A compiled search.
pub struct Query(Plan);

impl Query {
    pub fn new(text: &str) -> Result<Self, Failure> {
        let query = parse(text)?;
        validate(&query)?;
        let pipeline = query.search_pipeline().ok_or("not a search")?;
        Ok(Self(Plan::new(pipeline, &[], &dedicated())?))
    }

    /// What passes.
    pub fn run<C: Chunk>(&self, chunk: &mut C) -> Result<Matches, Failure> {
        Ok(now(find(
            &self.0,
            chunk,
            &Searched::default(),
            &async || {},
        ))?)
    }

    /// How many spans pass.
    pub fn count<C: Chunk>(&self, chunk: &mut C) -> Result<u64, Failure> {
        Ok(u64::from(self.run(chunk)?.selection.spans.count()))
    }

    pub fn spans_of(block: &Block) -> Result<u64, Failure> {
        Ok(u64::from(open_chunk(block)?.shape().spans()))
    }
}
