//! Zipkin-style shared span ids (http-api.md §4.2): there, the two sides of a call report one span, so
//! that a client and a server span have the same id. Readers of OTLP expect ids to be unique.

use std::collections::HashMap;

use vivace_model::SpanId;

use super::combine::Row;
use crate::tempopb::{SPAN_KIND_CLIENT, SPAN_KIND_SERVER, Span};

/// New ids for server spans, by the id that they share with a client span.
#[derive(Default)]
pub(super) struct SharedIds {
    new_ids: HashMap<SpanId, SpanId>,
}

impl SharedIds {
    /// Finds them among the rows of a trace, which are sorted by (id, kind).
    ///
    /// New ids count up from 1 in the order of the server spans' starts, leaving out what is taken, so the
    /// same trace always gets the same ids.
    pub fn find(rows: &[Row]) -> Self {
        let mut servers: Vec<&Row> = rows
            .chunk_by(|a, b| a.id == b.id)
            .filter(|same_id| same_id.iter().any(|row| row.kind == SPAN_KIND_CLIENT))
            .filter_map(|same_id| same_id.iter().find(|row| row.kind == SPAN_KIND_SERVER))
            .collect();
        servers.sort_unstable_by_key(|row| (row.start, row.id));
        let mut free = (1..u64::MAX)
            .map(|id| SpanId(id.to_be_bytes()))
            .filter(|id| rows.binary_search_by_key(id, |row| row.id).is_err());
        let new_ids = servers
            .into_iter()
            .filter_map(|server| Some((server.id, free.next()?)))
            .collect();
        Self { new_ids }
    }

    /// Gives a server span its new id, below the client span; what was below the shared id goes below the
    /// server span.
    pub fn apply(&self, span: &mut Span) {
        if self.new_ids.is_empty() {
            return;
        }
        if span.kind == SPAN_KIND_SERVER
            && let Some(new_id) = self.get(&span.span_id)
        {
            span.parent_span_id = std::mem::replace(&mut span.span_id, new_id);
        } else if span.span_id != span.parent_span_id
            // A span that is its own parent stays that, rather than making a cycle of two.
            && let Some(new_parent) = self.get(&span.parent_span_id)
        {
            span.parent_span_id = new_parent;
        }
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        let id = SpanId(id.try_into().ok()?);
        self.new_ids.get(&id).map(|id| id.0.to_vec())
    }
}
