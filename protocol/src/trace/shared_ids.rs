//! Zipkin-style shared span ids (http-api.md §4.2): there, the two sides of a call report one span, so
//! that a client and a server span have the same id. Readers of OTLP expect ids to be unique.

use std::collections::{HashMap, HashSet};

use crate::tempopb::{SPAN_KIND_CLIENT, SPAN_KIND_SERVER, Span, Trace};

/// Gives every server span that shares its id with a client span a new id, below the client span; spans
/// below the shared id go below the server span.
///
/// New ids count up from 1 in the order of the trace, leaving out what is taken, so the same trace always
/// gets the same ids.
pub(super) fn split(trace: &mut Trace) {
    let clients: HashSet<Vec<u8>> = spans(trace)
        .filter(|span| span.kind == SPAN_KIND_CLIENT)
        .map(|span| span.span_id.clone())
        .collect();
    let is_shared = |span: &Span| span.kind == SPAN_KIND_SERVER && clients.contains(&span.span_id);
    if !spans(trace).any(is_shared) {
        return;
    }
    let mut taken: HashSet<Vec<u8>> = spans(trace).map(|span| span.span_id.clone()).collect();
    let mut next = 1u64;
    let mut new_ids: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    for span in spans_mut(trace).filter(|span| is_shared(span)) {
        // There are more ids than spans, so a free one comes.
        let new_id = loop {
            let candidate = next.to_be_bytes().to_vec();
            next += 1;
            if taken.insert(candidate.clone()) {
                break candidate;
            }
        };
        new_ids.insert(span.span_id.clone(), new_id.clone());
        span.parent_span_id = std::mem::replace(&mut span.span_id, new_id);
    }
    for span in spans_mut(trace) {
        if let Some(new_parent) = new_ids.get(&span.parent_span_id)
            && span.span_id != *new_parent
            // A span that is its own parent stays that, rather than making a cycle of two.
            && span.span_id != span.parent_span_id
        {
            span.parent_span_id.clone_from(new_parent);
        }
    }
}

fn spans(trace: &Trace) -> impl Iterator<Item = &Span> {
    let scopes = trace.resource_spans.iter().flat_map(|rs| &rs.scope_spans);
    scopes.flat_map(|ss| &ss.spans)
}

fn spans_mut(trace: &mut Trace) -> impl Iterator<Item = &mut Span> {
    let scopes = trace
        .resource_spans
        .iter_mut()
        .flat_map(|rs| &mut rs.scope_spans);
    scopes.flat_map(|ss| &mut ss.spans)
}
