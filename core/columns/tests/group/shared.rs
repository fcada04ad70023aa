//! Parts that one query has decoded serve the next.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;

use vivace_block::Format;
use vivace_columns::{
    Bitmap, Cells, Chunk, ChunkMemory, Column, GroupChunk, Level, LoadError, OwnLimit, PartName,
    Room, SharedPart, SharedParts,
};

use crate::naive::{self, at};
use crate::support::random::Random;
use crate::support::{Block, Memory, now, recorded, written};
use crate::walk::BUDGET;

/// Keeps everything.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<HashMap<PartName, SharedPart>>>);

impl SharedParts for Kept {
    fn get(&self, name: &PartName) -> Option<SharedPart> {
        self.0.borrow().get(name).cloned()
    }

    fn put(&self, name: PartName, part: SharedPart) {
        self.0.borrow_mut().insert(name, part);
    }
}

fn open<'b>(
    block: &'b Block,
    rows: Range<u32>,
    kept: &Kept,
) -> GroupChunk<&'b Memory, impl AsyncFn() + use<'b>> {
    open_in(block, rows, kept, Rc::new(OwnLimit)).unwrap()
}

fn open_in<'b>(
    block: &'b Block,
    rows: Range<u32>,
    kept: &Kept,
    room: Rc<dyn Room>,
) -> Result<GroupChunk<&'b Memory, impl AsyncFn() + use<'b>>, LoadError<Infallible>> {
    let memory = ChunkMemory {
        limit: BUDGET,
        room,
        parts: Box::new(kept.clone()),
    };
    let pause = async || {};
    now(GroupChunk::open(
        block.open.clone(),
        0,
        rows,
        &block.file,
        memory,
        pause,
    ))
}

/// Everything that can be seen of a chunk.
fn all_of(chunk: &mut impl Chunk, columns: &[Column], keep: Option<&Bitmap>) -> Vec<String> {
    let mut seen = Vec::new();
    for column in columns {
        let _ = now(chunk.strings_of(column)).unwrap();
    }
    now(chunk.load(columns, keep)).unwrap();
    now(chunk.load_events()).unwrap();
    now(chunk.load_links()).unwrap();
    now(chunk.load_trace_ids()).unwrap();
    let shape = chunk.shape().clone();
    let is_kept = |trace: u32| keep.is_none_or(|keep| keep.contains(trace));
    for column in columns {
        let Some(cells) = chunk.cells(column) else {
            continue;
        };
        seen.push(format!("{column:?} {:?}", values(cells, &shape, &is_kept)));
    }
    seen.push(format!(
        "{:?}",
        chunk.events().map(|events| events.starts.clone())
    ));
    seen.push(format!(
        "{:?}",
        chunk.links().map(|links| links.starts.clone())
    ));
    seen.push(format!("{:?}", chunk.trace_ids()));
    for trace in 0..shape.traces() {
        let stats = now(chunk.service_stats(trace)).unwrap();
        seen.push(format!("{stats:?}"));
    }
    for level in [Level::Resource, Level::Span, Level::Event] {
        seen.push(format!("{:?}", now(chunk.keys(level)).unwrap()));
    }
    seen
}

/// Values of spans and traces that are kept; of other levels only where everything is.
fn values(
    cells: &Cells,
    shape: &vivace_columns::Shape,
    is_kept: &impl Fn(u32) -> bool,
) -> Vec<String> {
    let value = |owner: u32| format!("{:?}", at(cells, owner));
    match cells.level {
        Level::Span => (0..shape.traces())
            .filter(|&trace| is_kept(trace))
            .flat_map(|trace| shape.spans_of(trace))
            .map(value)
            .collect(),
        Level::Trace => (0..shape.traces())
            .filter(|&trace| is_kept(trace))
            .map(value)
            .collect(),
        _ if (0..shape.traces()).all(is_kept) => (0..cells.owners).map(value).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_second_query_sees_the_same_and_reads_nothing() {
    let batch = Random(77).batch(60);
    let formats = [Format::VParquet4, Format::VParquet5];
    let mut blocks: Vec<Block> = formats
        .map(|format| written(format, std::slice::from_ref(&batch), 100_000_000))
        .into();
    blocks.extend(recorded());
    for block in blocks {
        let columns = naive::columns(&naive::keys(&block.traces()));
        let rows = 0..block.open.row_groups()[0].rows;
        let kept = Kept::default();
        let plain = all_of(
            &mut crate::walk::open(&block, 0, rows.clone()),
            &columns,
            None,
        );
        let first = all_of(&mut open(&block, rows.clone(), &kept), &columns, None);
        let reads = block.file.requests.get();
        let second = all_of(&mut open(&block, rows.clone(), &kept), &columns, None);
        assert_eq!(plain, first, "{}", block.name);
        assert_eq!(first, second, "{}", block.name);
        assert_eq!(block.file.requests.get(), reads, "{}", block.name);
    }
}

/// What was loaded for some traces must not be taken for the whole by others.
#[test]
fn parts_of_few_traces_are_not_kept() {
    let block = written(Format::VParquet5, &[Random(78).batch(60)], 100_000_000);
    let columns = naive::columns(&naive::keys(&block.traces()));
    let rows = 0..block.open.row_groups()[0].rows;
    let mut few = Bitmap::empty(rows.end);
    few.insert(rows.end / 2);
    let kept = Kept::default();
    let plain = |keep| {
        all_of(
            &mut crate::walk::open(&block, 0, rows.clone()),
            &columns,
            keep,
        )
    };
    let shared = |keep| all_of(&mut open(&block, rows.clone(), &kept), &columns, keep);
    assert_eq!(plain(Some(&few)), shared(Some(&few)));
    assert_eq!(plain(None), shared(None));
    assert_eq!(plain(Some(&few)), shared(Some(&few)));
}

/// A room of so many bytes.
struct Counted {
    size: usize,
    taken: Cell<usize>,
    most: Cell<usize>,
}

impl Room for Counted {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.taken.get() + bytes;
        if taken > self.size {
            return false;
        }
        self.taken.set(taken);
        self.most.set(self.most.get().max(taken));
        true
    }

    fn give_back(&self, bytes: usize) {
        // Panics when more is given back than was taken.
        self.taken.set(self.taken.get().checked_sub(bytes).unwrap());
    }
}

/// What is decoded is taken from the room first: no room, no column, and a retry when there is some gives the whole answer.
#[test]
fn a_chunk_takes_no_more_than_its_room_has() {
    let block = written(Format::VParquet5, &[Random(79).batch(60)], 100_000_000);
    let columns = naive::columns(&naive::keys(&block.traces()));
    let rows = 0..block.open.row_groups()[0].rows;
    let counted = |size| {
        Rc::new(Counted {
            size,
            taken: Cell::new(0),
            most: Cell::new(0),
        })
    };
    let work = |kept: &Kept, room: &Rc<Counted>| -> Result<(), LoadError<Infallible>> {
        let mut chunk = open_in(&block, rows.clone(), kept, room.clone())?;
        for column in &columns {
            now(chunk.load(std::slice::from_ref(column), None))?;
        }
        now(chunk.load_trace_ids())?;
        for level in [Level::Resource, Level::Span, Level::Event] {
            now(chunk.load_table(level))?;
            now(chunk.keys(level))?;
        }
        // Nothing of what was taken for a moment is left.
        assert!(room.taken.get() >= chunk.memory_bytes() - chunk.bytes_read() as usize);
        Ok(())
    };
    let roomy = counted(usize::MAX);
    work(&Kept::default(), &roomy).unwrap();
    let needed = roomy.most.get();
    assert!(needed > 0);
    for size in (0..needed).step_by(needed / 50 + 1) {
        for kept in [Kept::default(), Kept::default()] {
            let room = counted(size);
            let error = work(&kept, &room).unwrap_err();
            assert!(matches!(error, LoadError::NoRoom { .. }), "{error}");
            assert!(error.is_retryable());
        }
    }
    work(&Kept::default(), &counted(needed)).unwrap();
    // Shared parts take room as well: they stay in memory as long as the chunk does.
    let kept = Kept::default();
    work(&kept, &counted(needed)).unwrap();
    let again = counted(usize::MAX);
    work(&kept, &again).unwrap();
    assert!(again.most.get() > 0);
}
