//! Page indexes: where the pages of each chunk are, and which trace ids they hold.

use vivace_model::TraceId;

use super::footer::{ChunkAt, Footer, GroupAt};
use super::layout::{Chunk, PageAt, RowGroup};
use super::leaves::Leaf;
use crate::error::{Corrupt, Malformed};
use crate::fetch::Fetched;
use crate::limits::MAX_PAGES;
use crate::thrift::{Decoded, Thrift, kind};

pub(super) fn build(
    footer: &Footer,
    leaves: &[Leaf],
    fetched: &Fetched,
) -> Result<Vec<RowGroup>, Corrupt> {
    let mut pages_left = MAX_PAGES;
    let mut groups = Vec::with_capacity(footer.groups.len());
    for group in &footer.groups {
        let mut pages = Vec::new();
        let mut chunks = Vec::with_capacity(group.chunks.len());
        for (chunk, leaf) in group.chunks.iter().zip(leaves) {
            let first = pages.len();
            if let Some(range) = chunk.offset_index.clone() {
                let at = range.start;
                fetched
                    .get(range)
                    .and_then(|bytes| offset_index(&bytes, chunk, group.rows, &mut pages))
                    .map_err(|error| error.in_column(&leaf.path, at))?;
            }
            let added = pages.len() - first;
            pages_left = pages_left
                .checked_sub(added)
                .ok_or_else(|| Malformed::new("more pages than are possible").at(footer.offset))?;
            chunks.push(Chunk {
                codec: chunk.codec,
                start: chunk.start,
                bytes: chunk.bytes,
                slots: chunk.slots,
                all_null: chunk.all_null,
                pages: first as u32..pages.len() as u32,
                column_index: chunk.column_index.clone(),
            });
        }
        pages.shrink_to_fit();
        groups.push(with_ids(group, chunks, pages, leaves, fetched)?);
    }
    Ok(groups)
}

fn with_ids(
    group: &GroupAt,
    chunks: Vec<Chunk>,
    pages: Vec<PageAt>,
    leaves: &[Leaf],
    fetched: &Fetched,
) -> Result<RowGroup, Corrupt> {
    let mut page_ids = Vec::new();
    if let (Some(chunk), Some(leaf)) = (group.chunks.first(), leaves.first())
        && let Some(range) = chunk.column_index.clone()
    {
        let at = range.start;
        let count = chunks.first().map_or(0, |chunk| chunk.pages.len());
        page_ids = fetched
            .get(range)
            .and_then(|bytes| id_bounds(&bytes))
            .map_err(|error| error.in_column(&leaf.path, at))?;
        if page_ids.len() != count {
            page_ids.clear();
        }
    }
    Ok(RowGroup {
        rows: group.rows,
        first_id: page_ids
            .first()
            .map(|page| page.0)
            .or(group.ids.map(|ids| ids.0)),
        last_id: page_ids
            .last()
            .map(|page| page.1)
            .or(group.ids.map(|ids| ids.1)),
        chunks,
        pages,
        page_ids,
    })
}

/// Appends the pages of a chunk.
fn offset_index(bytes: &[u8], chunk: &ChunkAt, rows: u32, out: &mut Vec<PageAt>) -> Decoded<()> {
    let mut thrift = Thrift::new(bytes);
    let mut last = 0;
    let first = out.len();
    while let Some(field) = thrift.field(&mut last)? {
        if field.of(kind::LIST) == 1 {
            let count = thrift.list_of(kind::STRUCT)?;
            for _ in 0..count {
                out.push(location(&mut thrift)?);
            }
        } else {
            thrift.skip(field.kind)?;
        }
    }
    let end = chunk.start + chunk.bytes;
    let (mut offset, mut next_row) = (chunk.start, 0);
    for (number, page) in out[first..].iter().enumerate() {
        let row_fits = match number {
            0 => page.first_row == 0,
            _ => page.first_row >= next_row && page.first_row < rows,
        };
        let page_end = page.offset.saturating_add(page.bytes.into());
        if page.offset < offset || page_end > end || !row_fits {
            return Err(Malformed::new(
                "an offset index that does not fit the chunk",
            ));
        }
        offset = page_end;
        next_row = page.first_row + 1;
    }
    Ok(())
}

fn location(thrift: &mut Thrift<'_>) -> Decoded<PageAt> {
    let (mut offset, mut bytes, mut first_row) = (None, None, None);
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match (field.id, field.kind) {
            (1, kind::I64) => offset = Some(thrift.count()?),
            (2, kind::I32) => bytes = Some(thrift.count()?),
            (3, kind::I64) => first_row = Some(thrift.count()?),
            (_, kind) => thrift.skip(kind)?,
        }
    }
    let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
    match (offset, small(bytes), small(first_row)) {
        (Some(offset), Some(bytes), Some(first_row)) => Ok(PageAt {
            offset,
            bytes,
            first_row,
        }),
        _ => Err(Malformed::new("a page location that is not complete")),
    }
}

/// Smallest and largest trace id of each page, or nothing if a page has none of 16 bytes.
fn id_bounds(bytes: &[u8]) -> Decoded<Vec<(TraceId, TraceId)>> {
    let mut thrift = Thrift::new(bytes);
    let mut last = 0;
    let mut bounds: [Vec<TraceId>; 2] = Default::default();
    let mut whole = true;
    while let Some(field) = thrift.field(&mut last)? {
        match field.of(kind::LIST) {
            which @ (2 | 3) => {
                let count = thrift.list_of(kind::BINARY)?;
                for _ in 0..count {
                    match <[u8; 16]>::try_from(thrift.binary()?) {
                        Ok(id) => bounds[which as usize - 2].push(TraceId(id)),
                        Err(_) => whole = false,
                    }
                }
            }
            _ => thrift.skip(field.kind)?,
        }
    }
    let [min, max] = bounds;
    if !whole || min.len() != max.len() {
        return Ok(Vec::new());
    }
    Ok(min.into_iter().zip(max).collect())
}
