//! A leaf: values of the current page above a chunk of finished ones.

use parquet::basic::Encoding;

use super::chunk::{Chunk, Finished, PageFacts};
use super::levels::{Below, Levels, Shape};
use super::press::{Kind, Press};
use super::values::Values;
use crate::EncodeError;
use crate::pause::Pause;
use crate::pool::Pool;

pub(crate) struct Leaf<V> {
    pub(crate) values: V,
    chunk: Chunk,
}

/// Where leaves below a place have values, one entry a slot of the place.
#[derive(Default)]
pub(crate) struct Presence {
    shapes: Vec<Shape>,
    /// Slots with several values, and how many more than one.
    more: Vec<(u32, u32)>,
    extra: usize,
}

impl Presence {
    #[inline]
    pub(crate) fn push(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    /// The slot pushed last has `count` values more.
    pub(crate) fn more(&mut self, count: usize) {
        let slot = self.shapes.len() as u32 - 1;
        self.more.push((slot, count as u32));
        self.extra += count;
    }

    /// Values beyond the first of their slots.
    pub(crate) fn extra(&self) -> usize {
        self.extra
    }

    pub(crate) fn clear(&mut self) {
        self.shapes.clear();
        self.more.clear();
        self.extra = 0;
    }

    pub(crate) fn below(&self, shape: Shape, repeated: bool) -> Below<'_> {
        Below {
            shapes: &self.shapes,
            shape,
            more: &self.more,
            repeated,
        }
    }
}

/// What every end of a page needs.
pub(crate) struct PageEnd<'p, 'b, F> {
    pub(crate) press: &'p mut Press,
    pub(crate) pool: &'p Pool<'b>,
    pub(crate) pause: &'p mut Pause<F>,
    /// Rows of the page.
    pub(crate) rows: u32,
}

impl<V: Values> Leaf<V> {
    pub(crate) fn new(position: usize, values: V) -> Self {
        Self {
            values,
            chunk: Chunk::new(position, V::ORDER),
        }
    }

    /// Ends the page of a required leaf.
    pub(crate) async fn end_page<F: AsyncFn()>(
        &mut self,
        levels: &mut Levels,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        levels.append(end.press, end.pause).await?;
        self.add(levels.len(), end).await
    }

    /// Ends the page of an optional or repeated leaf.
    pub(crate) async fn end_page_below<F: AsyncFn()>(
        &mut self,
        levels: &mut Levels,
        below: Below<'_>,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        let present = self.values.len();
        let slots = levels
            .append_below(below, present, end.press, end.pause)
            .await?;
        self.add(slots, end).await
    }

    async fn add<F: AsyncFn()>(
        &mut self,
        slots: usize,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<(), EncodeError> {
        self.values.prepare(end.pool, end.pause).await;
        let encoding: Encoding = self.values.encode(end.pool, &mut end.press.body);
        let facts = PageFacts {
            bytes: 0,
            rows: end.rows,
            slots: slots as u32,
            values: self.values.len() as u32,
            bounds: self.values.bounds(end.pool),
            nan_count: self.values.nan_count(),
        };
        let kind = Kind::Data {
            slots: slots as u32,
            encoding,
            stream: self.values.stream(),
            is_noise: self.values.is_noise(),
        };
        self.values.clear();
        self.chunk
            .add(facts, kind, encoding, end.press, end.pause)
            .await
    }

    /// Takes the chunk of the row group.
    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        end: &mut PageEnd<'_, '_, F>,
    ) -> Result<Finished, EncodeError> {
        let entries = (self.values).take_dictionary(end.pool, &mut end.press.body);
        self.chunk.take(entries, end.press, end.pause).await
    }
}
