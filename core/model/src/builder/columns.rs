//! Columns of a batch under construction, in the order of arrival.

use super::TooDeep;
use crate::limits::MAX_VALUE_DEPTH;
use crate::value::{Value, ValueType, range_bits};

/// Attributes of all owners of one kind. Those after the last start belong to the owner under construction.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) starts: Vec<u32>,
    pub(super) keys: Vec<u32>,
    pub(super) values: Vec<u64>,
}

impl Attributes {
    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.starts.push(0);
        self.keys.clear();
        self.values.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, key: u32, value: u64) {
        self.keys.push(key);
        self.values.push(value);
    }

    #[inline]
    pub(super) fn end_owner(&mut self) {
        self.starts.push(self.keys.len() as u32);
    }

    /// Keeps `owners` owners and what they own.
    pub(super) fn truncate(&mut self, owners: usize) {
        self.starts.truncate(owners + 1);
        let len = self.starts.last().map_or(0, |&end| end as usize);
        self.keys.truncate(len);
        self.values.truncate(len);
    }

    #[inline]
    pub(super) fn range(&self, owner: usize) -> std::ops::Range<usize> {
        self.starts[owner] as usize..self.starts[owner + 1] as usize
    }

    fn copy_owners(&mut self, from: &Self, owners: std::ops::Range<usize>) {
        let Some((&first, rest)) = from.starts[owners.start..=owners.end].split_first() else {
            return;
        };
        let end = from.starts[owners.end];
        let base = self.keys.len() as u32;
        self.starts
            .extend(rest.iter().map(|&start| start - first + base));
        self.keys
            .extend_from_slice(&from.keys[first as usize..end as usize]);
        self.values
            .extend_from_slice(&from.values[first as usize..end as usize]);
    }

    pub(super) fn bytes(&self) -> usize {
        self.starts.len() * 4 + self.keys.len() * 12
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.starts.capacity() * 4 + self.keys.capacity() * 4 + self.values.capacity() * 8
    }
}

/// A set of columns of equal length, with what every such set needs.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident { $($column:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name {
            $(pub(super) $column: Vec<$type>,)*
            pub(super) attributes: Attributes,
        }

        impl $name {
            /// Number of things in the columns.
            pub(super) fn len(&self) -> usize {
                self.attributes.starts.len() - 1
            }

            pub(super) fn clear(&mut self) {
                $(self.$column.clear();)*
                self.attributes.clear();
            }

            pub(super) fn truncate(&mut self, len: usize) {
                $(self.$column.truncate(len);)*
                self.attributes.truncate(len);
            }

            pub(super) fn retained_bytes(&self) -> usize {
                self.attributes.retained_bytes()
                    $(+ self.$column.capacity() * size_of::<$type>())*
            }

            /// Bytes of all columns, none left out.
            pub(super) fn bytes(&self) -> usize {
                const EACH: usize = 0 $(+ size_of::<$type>())*;
                self.attributes.bytes() + self.len() * EACH
            }
        }
    };
}

/// Columns whose things can be copied one by one into sorted order.
macro_rules! sortable_columns {
    ($(#[$doc:meta])* $name:ident { $($column:ident: $type:ty,)* }) => {
        columns! { $(#[$doc])* $name { $($column: $type,)* } }

        impl $name {
            fn copy(&mut self, from: &Self, range: std::ops::Range<usize>) {
                $(self.$column.extend_from_slice(&from.$column[range.clone()]);)*
                self.attributes.copy_owners(&from.attributes, range);
            }
        }
    };
}

sortable_columns! {
    /// Events, in the order of their spans.
    Events {
        time_unix_nano: u64,
        name: u32,
        dropped_attributes: u32,
    }
}

sortable_columns! {
    /// Links, in the order of their spans.
    Links {
        trace_id: u64,
        span_id: u64,
        trace_state: u32,
        flags: u32,
        dropped_attributes: u32,
    }
}

sortable_columns! {
    /// Spans. Events and links after the last start belong to the span under construction.
    Spans {
        trace_id: [u8; 16],
        start_unix_nano: u64,
        duration_nano: u64,
        span_id: [u8; 8],
        parent_span_id: [u8; 8],
        name: u32,
        resource: u32,
        scope: u32,
        kind: i32,
        status_code: i32,
        status_message: u32,
        trace_state: u32,
        flags: u32,
        dropped_attributes: u32,
        dropped_events: u32,
        dropped_links: u32,
    }
}

columns! {
    Resources {
        dropped_attributes: u32,
        schema_url: u32,
        entity_refs: u64,
    }
}

columns! {
    Scopes {
        name: u32,
        version: u32,
        dropped_attributes: u32,
        schema_url: u32,
    }
}

/// Spans with their events and links.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) spans: Spans,
    pub(super) event_starts: Vec<u32>,
    pub(super) events: Events,
    pub(super) link_starts: Vec<u32>,
    pub(super) links: Links,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.spans.clear();
        for starts in [&mut self.event_starts, &mut self.link_starts] {
            starts.clear();
            starts.push(0);
        }
        self.events.clear();
        self.links.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.event_starts.len() - 1
    }

    /// Whether the rows stand in the order of a finished batch.
    pub(super) fn is_sorted(&self) -> bool {
        (1..self.len()).all(|row| self.key(row - 1) <= self.key(row))
    }

    fn key(&self, row: usize) -> (u128, u64) {
        (
            u128::from_be_bytes(self.spans.trace_id[row]),
            self.spans.start_unix_nano[row],
        )
    }

    /// Row numbers in the order of a finished batch; equal spans stay in the order of arrival.
    pub(super) fn order(&self, order: &mut Vec<u32>) {
        order.clear();
        order.extend(0..self.len() as u32);
        order.sort_unstable_by_key(|&row| (self.key(row as usize), row));
    }

    /// Appends one row of `from`.
    pub(super) fn copy_row(&mut self, from: &Self, row: usize) {
        self.spans.copy(&from.spans, row..row + 1);
        self.events
            .copy(&from.events, owned(&from.event_starts, row));
        self.event_starts.push(self.events.len() as u32);
        self.links.copy(&from.links, owned(&from.link_starts, row));
        self.link_starts.push(self.links.len() as u32);
    }

    /// Forgets what is not part of a completed row.
    pub(super) fn drop_unfinished(&mut self) {
        let rows = self.len();
        self.spans.truncate(rows);
        self.events
            .truncate(self.event_starts.last().map_or(0, |&end| end as usize));
        self.links
            .truncate(self.link_starts.last().map_or(0, |&end| end as usize));
    }

    pub(super) fn bytes(&self) -> usize {
        self.spans.bytes() + self.event_starts.len() * 8 + self.events.bytes() + self.links.bytes()
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.spans.retained_bytes()
            + (self.event_starts.capacity() + self.link_starts.capacity()) * 4
            + self.events.retained_bytes()
            + self.links.retained_bytes()
    }
}

/// The traces of sorted rows.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) trace_ids: Vec<[u8; 16]>,
    pub(super) starts: Vec<u32>,
}

impl Runs {
    pub(super) fn find(&mut self, rows: &Rows) {
        self.trace_ids.clear();
        self.starts.clear();
        for (row, id) in rows.spans.trace_id.iter().enumerate() {
            if self.trace_ids.last() != Some(id) {
                self.trace_ids.push(*id);
                self.starts.push(row as u32);
            }
        }
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.trace_ids.capacity() * 16 + self.starts.capacity() * 4
    }
}

fn owned(starts: &[u32], owner: usize) -> std::ops::Range<usize> {
    starts[owner] as usize..starts[owner + 1] as usize
}

/// An element of a list under construction.
pub(super) struct Element {
    pub(super) key: u32,
    /// As in `Value`.
    pub(super) depth: u8,
    pub(super) value: u64,
}

/// Elements of lists. A list under construction grows at the end of `scratch` and moves to the columns when it is
/// complete: so its elements stand together, behind the lists that they own.
#[derive(Default)]
pub(super) struct Elements {
    pub(super) keys: Vec<u32>,
    pub(super) values: Vec<u64>,
    pub(super) scratch: Vec<Element>,
}

impl Elements {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.scratch.clear();
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.keys.truncate(len);
        self.values.truncate(len);
        self.scratch.clear();
    }

    /// Ends the list that began when the scratch had `base` entries.
    pub(super) fn end_list(&mut self, kind: ValueType, base: usize) -> Result<Value, TooDeep> {
        let start = self.keys.len() as u32;
        let mut depth = 0;
        for element in self.scratch.drain(base.min(self.scratch.len())..) {
            depth = depth.max(element.depth);
            self.keys.push(element.key);
            self.values.push(element.value);
        }
        if usize::from(depth) >= MAX_VALUE_DEPTH {
            return Err(TooDeep);
        }
        let bits = range_bits(start, self.keys.len() as u32 - start);
        Ok(Value {
            kind,
            depth: depth + 1,
            bits,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        (self.keys.len() + self.scratch.len()) * 12
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.keys.capacity() * 4 + self.values.capacity() * 8 + self.scratch.capacity() * 16
    }
}
