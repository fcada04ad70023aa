//! Leaves the spans of a trace that a filter asks for, with their relatives (read-path-and-backend-work.md §6.1).

use std::collections::{HashMap, HashSet, VecDeque};

use vivace_protocol::tempopb::{PartialStatus, Span, Trace, TraceByIdResponse};
use vivace_protocol::trace::Fragment;

use crate::params::TraceFilter;

const FILTERED: &str = "Trace filtered, only a subset of spans matching the filter is returned";

/// Ids of spans, as they were sent.
pub type SpanIds = HashSet<[u8; 8]>;

/// The ids of all spans of fragments.
pub fn ids_of(fragments: &[Fragment]) -> SpanIds {
    let ids = fragments.iter().flat_map(|fragment| {
        let view = fragment.batch.view();
        fragment
            .rows
            .clone()
            .map(move |row| *view.span(row).span_id().as_bytes())
    });
    ids.collect()
}

/// Removes spans that neither match nor are wanted as relatives. `sent` are the ids before shared ones were split.
pub fn apply(
    answer: &mut TraceByIdResponse,
    filter: &TraceFilter,
    matching: &SpanIds,
    sent: &SpanIds,
) {
    let Some(trace) = &mut answer.trace else {
        return;
    };
    let kept = kept(trace, filter, matching, sent);
    if kept.iter().all(|kept| *kept) {
        return;
    }
    let mut kept = kept.into_iter();
    for resource in &mut trace.resource_spans {
        for scope in &mut resource.scope_spans {
            scope.spans.retain(|_| kept.next().unwrap_or(false));
        }
        resource.scope_spans.retain(|scope| !scope.spans.is_empty());
    }
    trace
        .resource_spans
        .retain(|resource| !resource.scope_spans.is_empty());
    answer.status = PartialStatus::Partial as i32;
    if !answer.message.is_empty() {
        answer.message.push_str("; ");
    }
    answer.message.push_str(FILTERED);
}

fn spans(trace: &Trace) -> impl Iterator<Item = &Span> {
    let scopes = trace.resource_spans.iter().flat_map(|rs| &rs.scope_spans);
    scopes.flat_map(|scope| &scope.spans)
}

/// For each span in order, whether it stays.
fn kept(trace: &Trace, filter: &TraceFilter, matching: &SpanIds, sent: &SpanIds) -> Vec<bool> {
    let spans: Vec<&Span> = spans(trace).collect();
    let matches: Vec<usize> = (0..spans.len())
        .filter(|number| is_match(spans[*number], matching, sent))
        .collect();
    let mut kept = vec![false; spans.len()];
    let mut by_id: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut by_parent: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (number, span) in spans.iter().enumerate() {
        by_id.entry(&span.span_id).or_default().push(number);
        if !span.parent_span_id.is_empty() {
            by_parent
                .entry(&span.parent_span_id)
                .or_default()
                .push(number);
        }
    }
    let near =
        |known: &HashMap<&[u8], Vec<usize>>, id: &[u8]| known.get(id).cloned().unwrap_or_default();
    let children = |number: usize| near(&by_parent, &spans[number].span_id);
    let parents = |number: usize| near(&by_id, &spans[number].parent_span_id);
    walk(&matches, filter.match_depth, children, &mut kept);
    walk(&matches, filter.ancestor_depth, parents, &mut kept);
    kept
}

/// Spans that shared their id have a new one, and the old one as their parent.
fn is_match(span: &Span, matching: &SpanIds, sent: &SpanIds) -> bool {
    let of = |ids: &SpanIds, id: &[u8]| <[u8; 8]>::try_from(id).is_ok_and(|id| ids.contains(&id));
    of(matching, &span.span_id) || (!of(sent, &span.span_id) && of(matching, &span.parent_span_id))
}

/// Marks everything within so many steps (None: any number) of the starts. Each span is looked at once, so cycles end.
fn walk(
    starts: &[usize],
    depth: Option<u32>,
    next: impl Fn(usize) -> Vec<usize>,
    kept: &mut [bool],
) {
    let mut seen = vec![false; kept.len()];
    let mut queue: VecDeque<(usize, u32)> = VecDeque::new();
    for start in starts {
        seen[*start] = true;
        queue.push_back((*start, 0));
    }
    while let Some((number, steps)) = queue.pop_front() {
        kept[number] = true;
        if depth.is_some_and(|depth| steps >= depth) {
            continue;
        }
        for other in next(number) {
            if !std::mem::replace(&mut seen[other], true) {
                queue.push_back((other, steps.saturating_add(1)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vivace_protocol::tempopb::{ResourceSpans, ScopeSpans};
    use vivace_traceql::parse;

    use super::*;

    fn span(id: u8, parent: u8) -> Span {
        let bytes = |id: u8| match id {
            0 => Vec::new(),
            id => vec![0, 0, 0, 0, 0, 0, 0, id],
        };
        Span {
            span_id: bytes(id),
            parent_span_id: bytes(parent),
            ..Span::default()
        }
    }

    /// 1 > 2 > 3 > 4, 1 > 5 in another scope, and 6 and 7 each other's parent.
    fn answer() -> TraceByIdResponse {
        let scope = |spans| ScopeSpans {
            spans,
            ..ScopeSpans::default()
        };
        let scopes = vec![
            scope(vec![span(1, 0), span(2, 1), span(3, 2), span(4, 3)]),
            scope(vec![span(5, 1)]),
            scope(vec![span(6, 7), span(7, 6)]),
        ];
        TraceByIdResponse {
            trace: Some(Trace {
                resource_spans: vec![ResourceSpans {
                    scope_spans: scopes,
                    ..ResourceSpans::default()
                }],
            }),
            ..TraceByIdResponse::default()
        }
    }

    fn id(number: u8) -> [u8; 8] {
        [0, 0, 0, 0, 0, 0, 0, number]
    }

    fn left(matching: &[u8], match_depth: Option<u32>, ancestor_depth: Option<u32>) -> Vec<u8> {
        let mut answer = answer();
        let filter = TraceFilter {
            query: Arc::new(parse("{}").unwrap()),
            match_depth,
            ancestor_depth,
        };
        let matching = matching.iter().map(|number| id(*number)).collect();
        apply(&mut answer, &filter, &matching, &(1..=7).map(id).collect());
        let trace = answer.trace.unwrap();
        let left: Vec<u8> = spans(&trace).map(|span| span.span_id[7]).collect();
        let partial = left.len() < 7;
        assert_eq!(answer.status == PartialStatus::Partial as i32, partial);
        assert_eq!(answer.message == FILTERED, partial);
        assert!(
            trace
                .resource_spans
                .iter()
                .all(|rs| { rs.scope_spans.iter().all(|scope| !scope.spans.is_empty()) })
        );
        left
    }

    #[test]
    fn matches_stay_with_as_many_levels_as_are_asked_for() {
        assert_eq!(left(&[3], Some(0), Some(0)), [3]);
        assert_eq!(left(&[2], Some(1), Some(0)), [2, 3]);
        assert_eq!(left(&[2], None, Some(0)), [2, 3, 4]);
        assert_eq!(left(&[4, 5], Some(0), Some(1)), [1, 3, 4, 5]);
        assert_eq!(left(&[4], Some(0), None), [1, 2, 3, 4]);
        assert_eq!(left(&[6], None, None), [6, 7]);
        assert_eq!(left(&[1, 6], None, None), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(left(&[], None, None), [0u8; 0]);
    }

    #[test]
    fn a_span_that_got_a_new_id_matches_by_its_old_one() {
        let (server, child) = (span(9, 3), span(4, 3));
        let sent: SpanIds = (1..=7).map(id).collect();
        let matching = SpanIds::from([id(3)]);
        assert!(is_match(&server, &matching, &sent));
        assert!(!is_match(&child, &matching, &sent));
    }
}
