//! The full check of a batch from outside: the flatbuffers verifier for what the schema says, then everything that
//! the accessors and readers rely on.

use flatbuffers::{Follow, Vector, VerifierOptions};

use crate::generated::vivace as fb;
use crate::limits::{MAX_BATCH_BYTES, MAX_STRINGS, MAX_VALUE_DEPTH};
use crate::value::{ValueType, range_of};

/// Why bytes are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("not a span batch: the file identifier is missing or of another version")]
    Identifier,
    #[error("a span batch of {bytes} bytes is larger than {MAX_BATCH_BYTES}")]
    TooLarge { bytes: usize },
    #[error("broken span batch: {0}")]
    Flatbuffer(String),
    #[error("broken span batch: {column} is wrong: {problem}")]
    Column {
        column: &'static str,
        problem: &'static str,
    },
}

impl VerifyError {
    /// The same bytes stay broken.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

type Result<T = ()> = std::result::Result<T, VerifyError>;

fn require(fine: bool, column: &'static str, problem: &'static str) -> Result {
    if fine {
        Ok(())
    } else {
        Err(VerifyError::Column { column, problem })
    }
}

pub(crate) fn verify(bytes: &[u8]) -> Result {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(VerifyError::TooLarge { bytes: bytes.len() });
    }
    // The generated check of the identifier indexes without looking.
    if bytes.len() < 8 || !fb::span_batch_buffer_has_identifier(bytes) {
        return Err(VerifyError::Identifier);
    }
    let options = VerifierOptions {
        max_depth: 8,
        max_tables: 32,
        ..VerifierOptions::default()
    };
    let batch = fb::root_as_span_batch_with_opts(&options, bytes)
        .map_err(|error| VerifyError::Flatbuffer(error.to_string()))?;
    let limits = Limits {
        strings: strings(&batch.strings())?,
        blobs: batch.blobs().map_or(0, |blobs| blobs.len()),
    };
    let mut elements = Elements::new(limits);
    if let Some(table) = batch.elements() {
        elements.verify(&table)?;
    }
    let resources = resources(&batch.resources(), limits, &mut elements)?;
    let scopes = scopes(&batch.scopes(), limits, &mut elements)?;
    let rows = rows(&batch, limits, resources, scopes)?;
    elements.owned(&batch.attributes(), rows, "span attributes")?;
    if let Some(table) = batch.events() {
        let events = table.time_unix_nano().len();
        starts(table.starts(), rows, events, "event starts")?;
        limits.strings("event name", Some(table.name()), events)?;
        length(
            "event dropped attributes",
            table.dropped_attributes(),
            events,
        )?;
        elements.owned(&table.attributes(), events, "event attributes")?;
    }
    if let Some(table) = batch.links() {
        let links = table.trace_id().len();
        starts(table.starts(), rows, links, "link starts")?;
        limits.blobs("link trace id", Some(table.trace_id()), links)?;
        limits.blobs("link span id", Some(table.span_id()), links)?;
        limits.strings("link trace state", table.trace_state(), links)?;
        length("link flags", table.flags(), links)?;
        length("link dropped attributes", table.dropped_attributes(), links)?;
        elements.owned(&table.attributes(), links, "link attributes")?;
    }
    Ok(())
}

/// The number of strings.
fn strings(table: &fb::Strings<'_>) -> Result<usize> {
    let column = "strings";
    let (offsets, data) = (table.starts(), table.data().bytes());
    let count = offsets.len().saturating_sub(1);
    require(
        count > 0 && count <= MAX_STRINGS,
        column,
        "too few or too many",
    )?;
    require(offsets.get(1) == 0, column, "the first one is not empty")?;
    starts(offsets, count, data.len(), column)?;
    require(
        simdutf8::basic::from_utf8(data).is_ok(),
        column,
        "not UTF-8",
    )?;
    let splits = |at: u32| {
        data.get(at as usize)
            .is_some_and(|byte| byte & 0xc0 == 0x80)
    };
    require(!offsets.iter().any(splits), column, "a character is split")?;
    Ok(count)
}

/// n + 1 ascending offsets from 0 to the number of things owned.
fn starts(starts: Vector<'_, u32>, owners: usize, owned: usize, column: &'static str) -> Result {
    require(
        starts.len() == owners + 1,
        column,
        "the number of offsets differs",
    )?;
    require(starts.get(0) == 0, column, "the first offset is not 0")?;
    require(
        starts.get(owners) as usize == owned,
        column,
        "the last offset is not the end",
    )?;
    let mut last = 0;
    let ascending = starts
        .iter()
        .all(|start| std::mem::replace(&mut last, start) <= start);
    require(ascending, column, "offsets are not ascending")
}

/// Present columns have one entry for each.
fn length<'a, T: Follow<'a> + 'a>(
    name: &'static str,
    column: Option<Vector<'a, T>>,
    len: usize,
) -> Result {
    require(
        column.is_none_or(|column| column.len() == len),
        name,
        "the length differs",
    )
}

#[derive(Clone, Copy)]
struct Limits {
    strings: usize,
    blobs: usize,
}

impl Limits {
    fn strings(self, name: &'static str, column: Option<Vector<'_, u32>>, len: usize) -> Result {
        indexes(name, column, len, self.strings)
    }

    fn blobs(self, name: &'static str, column: Option<Vector<'_, u64>>, len: usize) -> Result {
        length(name, column, len)?;
        let Some(column) = column else { return Ok(()) };
        require(
            column.iter().all(|bits| self.has_blob(bits)),
            name,
            "bytes out of range",
        )
    }

    fn has_blob(self, bits: u64) -> bool {
        let (start, len) = range_of(bits);
        start + len <= self.blobs
    }
}

fn indexes(
    name: &'static str,
    column: Option<Vector<'_, u32>>,
    len: usize,
    limit: usize,
) -> Result {
    length(name, column, len)?;
    let Some(column) = column else { return Ok(()) };
    require(
        column.iter().all(|index| (index as usize) < limit),
        name,
        "index out of range",
    )
}

/// The nested values. Each element belongs to one list at most, and a list stands before its owner: so walking all
/// values takes linear time and ends.
struct Elements {
    limits: Limits,
    /// By element: how deep lists are nested in it, and `TAKEN` when a list has it.
    depths: Vec<u8>,
}

const TAKEN: u8 = 0x80;
const _: () = assert!(MAX_VALUE_DEPTH < TAKEN as usize);

impl Elements {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            depths: Vec::new(),
        }
    }

    fn verify(&mut self, table: &fb::Elements<'_>) -> Result {
        let column = "elements";
        let (keys, values) = (table.keys(), table.values());
        require(keys.len() == values.len(), column, "the lengths differ")?;
        self.depths.reserve_exact(keys.len());
        for (key, value) in keys.iter().zip(values.iter()) {
            let depth = self.value(key, value, column)?;
            self.depths.push(depth);
        }
        Ok(())
    }

    /// The attributes of `owners` owners.
    fn owned(&mut self, table: &fb::Attributes<'_>, owners: usize, column: &'static str) -> Result {
        let (keys, values) = (table.keys(), table.values());
        require(keys.len() == values.len(), column, "the lengths differ")?;
        starts(table.starts(), owners, keys.len(), column)?;
        for (key, value) in keys.iter().zip(values.iter()) {
            self.value(key, value, column)?;
        }
        Ok(())
    }

    /// Checks a key with its value; how deep lists are nested in it.
    #[inline]
    fn value(&mut self, key: u32, value: u64, column: &'static str) -> Result<u8> {
        require(
            ((key >> 4) as usize) < self.limits.strings,
            column,
            "key out of range",
        )?;
        let fine = match ValueType::from_code(key & 15) {
            Some(ValueType::String) => value < self.limits.strings as u64,
            Some(ValueType::Int | ValueType::Double) => true,
            Some(ValueType::Bool) => value <= 1,
            Some(ValueType::Bytes) => self.limits.has_blob(value),
            Some(ValueType::Empty) => value == 0,
            Some(ValueType::Array | ValueType::KvList) => return self.list(value, column),
            None => false,
        };
        require(fine, column, "a value does not fit its type")?;
        Ok(0)
    }

    fn list(&mut self, bits: u64, column: &'static str) -> Result<u8> {
        let (start, len) = range_of(bits);
        // While the elements themselves are checked, only the earlier ones are here.
        let Some(list) = self.depths.get_mut(start..start + len) else {
            return Err(VerifyError::Column {
                column,
                problem: "a list is out of range",
            });
        };
        let mut depth = 0;
        for element in list {
            require(*element & TAKEN == 0, column, "an element is in two lists")?;
            depth = depth.max(*element);
            *element |= TAKEN;
        }
        require(
            usize::from(depth) < MAX_VALUE_DEPTH,
            column,
            "lists are nested too deeply",
        )?;
        Ok(depth + 1)
    }
}

/// The number of resources.
fn resources(table: &fb::Resources<'_>, limits: Limits, elements: &mut Elements) -> Result<usize> {
    let count = table.attributes().starts().len().saturating_sub(1);
    elements.owned(&table.attributes(), count, "resource attributes")?;
    length(
        "resource dropped attributes",
        table.dropped_attributes(),
        count,
    )?;
    limits.strings("resource schema url", table.schema_url(), count)?;
    limits.blobs("resource entity refs", table.entity_refs(), count)?;
    Ok(count)
}

/// The number of scopes.
fn scopes(table: &fb::Scopes<'_>, limits: Limits, elements: &mut Elements) -> Result<usize> {
    let count = table.name().len();
    elements.owned(&table.attributes(), count, "scope attributes")?;
    limits.strings("scope name", Some(table.name()), count)?;
    limits.strings("scope version", table.version(), count)?;
    length(
        "scope dropped attributes",
        table.dropped_attributes(),
        count,
    )?;
    limits.strings("scope schema url", table.schema_url(), count)?;
    Ok(count)
}

/// The number of rows.
fn rows(
    batch: &fb::SpanBatch<'_>,
    limits: Limits,
    resources: usize,
    scopes: usize,
) -> Result<usize> {
    let start = batch.start_unix_nano();
    let rows = start.len();
    require(rows > 0, "rows", "there are none")?;
    length("duration", Some(batch.duration_nano()), rows)?;
    require(
        batch.span_id().len() == 8 * rows,
        "span id",
        "the length differs",
    )?;
    length("parent span id", batch.parent_span_id(), 8 * rows)?;
    limits.strings("name", Some(batch.name()), rows)?;
    indexes("resource", Some(batch.resource()), rows, resources)?;
    indexes("scope", Some(batch.scope()), rows, scopes)?;
    length("kind", batch.kind(), rows)?;
    length("status code", batch.status_code(), rows)?;
    limits.strings("status message", batch.status_message(), rows)?;
    limits.strings("trace state", batch.trace_state(), rows)?;
    length("flags", batch.flags(), rows)?;
    length("dropped attributes", batch.dropped_attributes(), rows)?;
    length("dropped events", batch.dropped_events(), rows)?;
    length("dropped links", batch.dropped_links(), rows)?;
    traces(batch, rows)?;
    Ok(rows)
}

/// Traces ascend by id, and the rows of each by start.
fn traces(batch: &fb::SpanBatch<'_>, rows: usize) -> Result {
    let column = "traces";
    let (ids, firsts) = (batch.trace_ids().bytes(), batch.trace_starts());
    require(ids.len() == 16 * firsts.len(), column, "the lengths differ")?;
    require(
        !firsts.is_empty() && firsts.get(0) == 0,
        column,
        "the first does not start at 0",
    )?;
    let ascending = ids
        .chunks_exact(16)
        .zip(ids.chunks_exact(16).skip(1))
        .all(|(a, b)| a < b);
    require(ascending, column, "ids are not ascending")?;
    let spans = batch.start_unix_nano();
    let mut from = 0;
    let ends = firsts
        .iter()
        .skip(1)
        .map(|first| first as usize)
        .chain([rows]);
    for end in ends {
        require(
            from < end && end <= rows,
            column,
            "starts are not ascending",
        )?;
        let sorted = (from + 1..end).all(|row| spans.get(row - 1) <= spans.get(row));
        require(sorted, column, "spans are not sorted by start")?;
        from = end;
    }
    Ok(())
}
