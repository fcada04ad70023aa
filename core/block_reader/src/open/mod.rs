//! An open block: what is kept of its footer and page indexes.

mod footer;
mod indexes;
mod layout;
mod leaves;
mod nulls;
mod version3;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use vivace_block::{BlockMeta, Format, dedicated};
use vivace_model::TraceId;

use crate::error::{Corrupt, Malformed, ReadError};
use crate::fetch::Fetched;
use crate::limits::{
    MAX_FOOTER_BYTES, MAX_PAGE_INDEX_BYTES, MAX_TAIL_EXTRA_BYTES, TAIL_EXTRA_BYTES, TAIL_SHARE,
    UNKNOWN_FOOTER_BYTES,
};
use crate::ranges::Ranges;
use crate::row::Places;

pub use layout::{Chunk, PageAt, RowGroup};
pub use leaves::{Leaf, OldColumn, Part};

/// The magic and the footer's length, at the end of the file.
const TRAILER_BYTES: u64 = 8;
const MAGIC: &[u8; 4] = b"PAR1";

/// Where everything of a block lies. Made once, kept in a cache, shared by threads; does not hold on to what was read.
#[derive(Debug)]
pub struct OpenBlock {
    pub(crate) file: Arc<str>,
    pub(crate) format: Format,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) groups: Vec<RowGroup>,
    pub(crate) places: Places,
    /// What opening took.
    pub(crate) bytes_read: u64,
    pub(crate) requests: u32,
}

impl OpenBlock {
    /// Reads the footer and the page indexes: one request, or two when the indexes are larger
    /// than the meta lets expect.
    pub async fn open<R: Ranges>(
        meta: &BlockMeta,
        ranges: &R,
    ) -> Result<Self, ReadError<R::Error>> {
        let file: Arc<str> = format!("{}/{}/data.parquet", meta.tenant_id, meta.block_id).into();
        let corrupt = |corrupt: Corrupt| ReadError::Corrupt {
            file: file.clone(),
            corrupt,
        };
        let format = meta.known_format().map_err(|source| ReadError::Format {
            file: file.clone(),
            source,
        })?;
        let size = meta.size;
        let mut fetched = Fetched::default();
        let tail = size.saturating_sub(tail_bytes(meta))..size;
        fetched.fetch(&file, ranges, vec![tail]).await?;
        let place = footer_range(&fetched, size).map_err(corrupt)?;
        fetched.fetch(&file, ranges, vec![place.clone()]).await?;
        let bytes = get(&fetched, place.clone()).map_err(corrupt)?;
        let assigned = dedicated::assign(format, &meta.dedicated_columns);
        let expected = leaves::of(format, &assigned);
        let mut expected = expected;
        let is_exact = format != Format::VParquet3;
        let footer =
            footer::parse(&bytes, &mut expected, is_exact, place.start).map_err(corrupt)?;
        let wanted = footer.index_ranges();
        let total: u64 = wanted.iter().map(|range| range.end - range.start).sum();
        if total > MAX_PAGE_INDEX_BYTES {
            let reason = format!("page indexes of {total} bytes");
            return Err(corrupt(Malformed::new(reason).at(place.start)));
        }
        fetched.fetch(&file, ranges, wanted).await?;
        let groups = indexes::build(&footer, &expected, &fetched).map_err(corrupt)?;
        let position = |part| expected.iter().position(|leaf| leaf.part == part);
        let dedicated: Vec<(usize, String)> = assigned
            .into_iter()
            .filter_map(|one| {
                let part = Part::Column(vivace_block::schema::Column::Dedicated(one.slot));
                Some((position(part)?, one.name))
            })
            .collect();
        Ok(Self {
            bytes_read: fetched.bytes_read,
            requests: fetched.requests,
            file,
            format,
            places: Places::new(&expected, &dedicated),
            leaves: expected,
            groups,
        })
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// tenant/block/object, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Leaves in the order of the schema; indexes of leaves are positions here.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    pub fn row_groups(&self) -> &[RowGroup] {
        &self.groups
    }

    /// Traces.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.rows)).sum()
    }

    /// The leaf of a column, None when the block has none.
    pub fn find(&self, part: Part) -> Option<usize> {
        self.leaves.iter().position(|leaf| leaf.part == part)
    }

    /// What opening read: bytes and requests.
    pub fn opening_cost(&self) -> (u64, u32) {
        (self.bytes_read, self.requests)
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let leaves: usize = self
            .leaves
            .iter()
            .map(|leaf| size_of::<Leaf>() + leaf.path.len())
            .sum();
        let groups: usize = self.groups.iter().map(RowGroup::memory_bytes).sum();
        size_of::<Self>() + self.file.len() + leaves + groups
    }

    /// Takes over the last ids of the row groups from the block's `index`, for files without bounds of `TraceID`.
    /// Nothing happens when it is not of this block.
    pub fn use_index(&mut self, last_ids: &[TraceId]) {
        if last_ids.len() == self.groups.len() {
            for (group, &last) in self.groups.iter_mut().zip(last_ids) {
                group.last_id.get_or_insert(last);
            }
        }
    }
}

/// What the first read takes of the end of the file: enough for the footer and, most likely, the page indexes before it.
fn tail_bytes(meta: &BlockMeta) -> u64 {
    let footer = match u64::from(meta.footer_size) {
        0 => UNKNOWN_FOOTER_BYTES,
        len => len.min(MAX_FOOTER_BYTES),
    };
    let indexes = TAIL_EXTRA_BYTES + meta.size / TAIL_SHARE;
    TRAILER_BYTES + footer + indexes.min(MAX_TAIL_EXTRA_BYTES)
}

fn get(fetched: &Fetched, range: Range<u64>) -> Result<Bytes, Corrupt> {
    let start = range.start;
    fetched.get(range).map_err(|error| error.at(start))
}

/// Where the footer is, by the last eight bytes.
fn footer_range(fetched: &Fetched, size: u64) -> Result<Range<u64>, Corrupt> {
    let start = size.saturating_sub(TRAILER_BYTES);
    let trailer = get(fetched, start..size)?;
    let (length, magic) = match (trailer.first_chunk::<4>(), trailer.last_chunk::<4>()) {
        (Some(length), Some(magic)) if trailer.len() == 8 => (u32::from_le_bytes(*length), magic),
        _ => return Err(Malformed::new(format!("a file of {size} bytes")).at(0)),
    };
    if magic != MAGIC {
        return Err(Malformed::new("no Parquet file: it does not end in PAR1").at(start + 4));
    }
    let length = u64::from(length);
    if length > MAX_FOOTER_BYTES || length > start {
        return Err(Malformed::new(format!("a footer of {length} bytes")).at(start));
    }
    Ok(start - length..start)
}
