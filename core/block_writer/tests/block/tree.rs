//! What the naive model says of a trace as a whole: which spans it has, and whose children they are.

use crate::support::{Any, Span};

/// Each (id, kind) once, sorted by start, id and kind.
pub fn distinct(spans: Vec<Span>) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        let duration = |span: &Span| span.end.wrapping_sub(span.start);
        let same = kept
            .iter_mut()
            .find(|other| (other.span_id, other.kind) == (span.span_id, span.kind));
        match same {
            Some(other) => {
                if (span.start, duration(&span)) < (other.start, duration(other)) {
                    *other = span;
                }
            }
            None => kept.push(span),
        }
    }
    kept.sort_by_key(|span| (span.start, span.span_id, span.kind));
    kept
}

pub fn parent(span: &Span) -> Option<[u8; 8]> {
    span.parent.filter(|id| *id != [0; 8])
}

pub fn is_root(span: &Span) -> bool {
    let child_of = (
        "opentracing.ref_type".to_owned(),
        Any::String("child_of".to_owned()),
    );
    parent(span).is_none()
        && !span
            .links
            .iter()
            .any(|link| link.trace_id == span.trace_id && link.attributes.contains(&child_of))
}

#[derive(Clone, Copy, Default)]
pub struct Nested {
    pub left: i32,
    pub right: i32,
    pub parent: i32,
    pub children: i32,
}

pub fn nested_sets(spans: &[&Span]) -> Vec<Nested> {
    let mut nested = vec![Nested::default(); spans.len()];
    let with_id = |id: [u8; 8]| (0..spans.len()).filter(move |at| spans[*at].span_id == id);
    let crowded = spans.iter().any(|span| with_id(span.span_id).count() > 2);
    if crowded || spans.iter().all(|span| parent(span).is_some()) {
        return nested;
    }
    let parent_of = |at: usize| {
        let same: Vec<_> = with_id(parent(spans[at])?).collect();
        match same[..] {
            [only] => Some(only),
            [_, _] => {
                let wanted = if spans[at].kind == 2 { 3 } else { 2 };
                same.into_iter().find(|at| spans[*at].kind == wanted)
            }
            _ => None,
        }
    };
    let parents: Vec<_> = (0..spans.len()).map(parent_of).collect();
    for parent in parents.iter().flatten() {
        nested[*parent].children += 1;
    }
    fn enter(at: usize, parents: &[Option<usize>], nested: &mut [Nested], counter: &mut i32) {
        nested[at].left = *counter;
        *counter += 1;
        for child in 0..parents.len() {
            if parents[child] == Some(at) {
                nested[child].parent = nested[at].left;
                enter(child, parents, nested, counter);
            }
        }
        nested[at].right = *counter;
        *counter += 1;
    }
    let mut counter = 1;
    for at in 0..spans.len() {
        if parent(spans[at]).is_none() {
            nested[at].parent = -1;
            enter(at, &parents, &mut nested, &mut counter);
        }
    }
    nested
}
