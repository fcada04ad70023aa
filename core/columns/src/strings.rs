//! The strings of a column by number.

use std::sync::Arc;

use bytes::Bytes;
use vivace_block_reader::{ByteArrays, Dictionary};
use vivace_model::SpanBatch;

/// Cheap to clone. Bytes of blocks may be no UTF-8.
#[derive(Clone, Debug)]
pub struct Strings(Source);

#[derive(Clone, Debug)]
enum Source {
    None,
    /// Starts as little-endian u32, one more than there are strings, and what they point into.
    Batch {
        starts: Bytes,
        data: Bytes,
    },
    Dictionary(Arc<Dictionary>),
    Plain(Arc<ByteArrays>),
}

impl Strings {
    pub fn none() -> Self {
        Self(Source::None)
    }

    /// Numbers are string ids of the batch.
    pub fn of_batch(batch: &SpanBatch) -> Self {
        let view = batch.view();
        let bytes = batch.as_bytes();
        Self(Source::Batch {
            starts: bytes.slice_ref(view.string_starts().as_bytes()),
            data: bytes.slice_ref(view.string_data()),
        })
    }

    /// Numbers are codes of a chunk's dictionary.
    pub fn of_dictionary(dictionary: Arc<Dictionary>) -> Self {
        Self(Source::Dictionary(dictionary))
    }

    /// Numbers are positions; equal strings may have different ones.
    pub fn of_values(values: Arc<ByteArrays>) -> Self {
        Self(Source::Plain(values))
    }

    /// Equal strings have equal numbers.
    pub fn is_dictionary(&self) -> bool {
        !matches!(self.0, Source::Plain(_))
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::None => 0,
            Source::Batch { starts, .. } => (starts.len() / 4).saturating_sub(1),
            Source::Dictionary(dictionary) => dictionary.len(),
            Source::Plain(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes in memory that nothing else shares: positions only; dictionaries and batches are held by others too.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Source::None | Source::Batch { .. } | Source::Dictionary(_) => 0,
            Source::Plain(values) => values.memory_bytes(),
        }
    }

    /// The string with a number; empty beyond the end.
    #[inline]
    pub fn get(&self, number: u64) -> &[u8] {
        let index = number as usize;
        match &self.0 {
            Source::None => &[],
            Source::Batch { starts, data } => {
                let range = start_at(starts, index)..start_at(starts, index + 1);
                data.get(range).unwrap_or_default()
            }
            Source::Dictionary(dictionary) => match &**dictionary {
                Dictionary::Bytes(bytes) => bytes.get(index as u32).unwrap_or_default(),
                Dictionary::Numbers(_) => &[],
            },
            Source::Plain(values) => values.get(index).unwrap_or_default(),
        }
    }
}

/// A start; 0 beyond the end, so that the range is empty or out of order.
fn start_at(starts: &[u8], index: usize) -> usize {
    let at = index.saturating_mul(4);
    let bytes = starts.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}
