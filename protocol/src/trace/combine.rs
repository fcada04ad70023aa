//! Deduplicating, sorting and cutting a trace.
//!
//! The answer depends on which spans the fragments hold and on nothing else: not on the order of the
//! fragments, on how spans are spread over them, or on how often a span is there.

use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;

use prost::Message as _;
use std::collections::HashMap;
use vivace_model::{SpanId, TraceId, View};

use super::groups::Groups;
use super::shared_ids::SharedIds;
use super::{CombineOptions, Combined, Fragment, content};
use crate::pause::{Pause, finish};
use crate::tempopb::{ResourceSpans, ScopeSpans, Span};

/// Puts the spans of one trace together: a span that is there several times (same id and kind) once,
/// sorted by (start, id, kind), below merged resources and scopes.
///
/// Of spans with the same id and kind but different content, the one that started first is taken; if
/// that is the same, the one whose bytes sort first.
pub fn combine(fragments: &[Fragment], options: CombineOptions) -> Combined {
    finish(combine_pausing(fragments, options, async || {}))
}

/// [`combine`], calling `pause` every few spans: a large trace takes longer than one may keep a thread
/// that others wait for.
pub async fn combine_pausing(
    fragments: &[Fragment],
    options: CombineOptions,
    pause: impl AsyncFn(),
) -> Combined {
    let mut pause = Pause::new(pause);
    let pieces: Vec<Piece> = distinct(fragments).map(Piece::new).collect();
    let mut rows = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        for row in piece.rows.clone() {
            rows.push(piece.row(number, row));
            pause.step().await;
        }
    }
    let mut rows = deduplicate(rows, &pieces, &mut pause).await;
    let shared_ids = if options.split_shared_ids {
        SharedIds::find(&rows)
    } else {
        SharedIds::default()
    };
    rows.sort_unstable_by_key(|row| (row.start, row.id, row.kind));

    let mut groups = Groups::default();
    let mut spans = 0;
    for row in &rows {
        let piece = &pieces[row.piece];
        let place = groups.place(row.piece, &piece.view, row.row);
        let mut span = piece.span(row.row);
        shared_ids.apply(&mut span);
        if !groups.push(&place, span, options.max_bytes) {
            break;
        }
        spans += 1;
        pause.step().await;
    }
    Combined {
        trace: groups.into_trace(),
        spans,
        left_out: rows.len() - spans,
        max_bytes: options.max_bytes,
    }
}

/// The fragments without those that are equal to another. Several stores that hold the same record send
/// the same bytes, and then there is no need to look at the spans.
fn distinct(fragments: &[Fragment]) -> impl Iterator<Item = &Fragment> {
    let mut seen: HashMap<_, Vec<&Fragment>> = HashMap::new();
    fragments.iter().filter(move |this| {
        let bytes = this.batch.as_bytes();
        let alike = seen.entry((bytes.len(), this.rows.clone())).or_default();
        let is_new = alike.iter().all(|other| other.batch.as_bytes() != bytes);
        if is_new {
            alike.push(this);
        }
        is_new
    })
}

/// A fragment, opened.
struct Piece<'f> {
    view: View<'f>,
    rows: Range<usize>,
    trace_id: TraceId,
}

impl<'f> Piece<'f> {
    fn new(fragment: &'f Fragment) -> Self {
        let view = fragment.batch.view();
        Self {
            trace_id: view.trace_id(fragment.rows.start),
            rows: fragment.rows.clone(),
            view,
        }
    }

    fn row(&self, piece: usize, row: usize) -> Row {
        let span = self.view.span(row);
        Row {
            start: span.start_unix_nano(),
            id: span.span_id(),
            kind: span.kind(),
            piece,
            row,
        }
    }

    fn span(&self, row: usize) -> Span {
        content::span(self.trace_id, &self.view.span(row))
    }
}

/// A span where it lies, with what it is sorted by.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub start: u64,
    pub id: SpanId,
    pub kind: i32,
    piece: usize,
    row: usize,
}

/// Leaves one row for each (id, kind), sorted by these.
async fn deduplicate(
    mut rows: Vec<Row>,
    pieces: &[Piece<'_>],
    pause: &mut Pause<impl AsyncFn()>,
) -> Vec<Row> {
    rows.sort_unstable_by_key(|row| (row.id, row.kind, row.start));
    let mut judge = Judge {
        pieces,
        contexts: HashMap::new(),
    };
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match kept.last_mut() {
            Some(last) if (last.id, last.kind) == (row.id, row.kind) => {
                if last.start == row.start && judge.is_before(&row, last) {
                    *last = row;
                }
            }
            _ => kept.push(row),
        }
        pause.step().await;
    }
    kept
}

/// Decides between spans that share id, kind and start.
struct Judge<'p, 'f> {
    pieces: &'p [Piece<'f>],
    /// Encoded resource and scope by piece, and their numbers there.
    contexts: HashMap<(usize, usize, usize), Rc<[u8]>>,
}

impl Judge<'_, '_> {
    fn is_before(&mut self, a: &Row, b: &Row) -> bool {
        let span = |row: &Row| self.pieces[row.piece].span(row.row).encode_to_vec();
        match span(a).cmp(&span(b)) {
            Ordering::Equal => self.context(a) < self.context(b),
            order => order == Ordering::Less,
        }
    }

    fn context(&mut self, row: &Row) -> Rc<[u8]> {
        let view = &self.pieces[row.piece].view;
        let span = view.span(row.row);
        let key = (row.piece, span.resource_index(), span.scope_index());
        let context = self.contexts.entry(key).or_insert_with(|| {
            let (resource, scope) = (span.resource(), span.scope());
            let group = ResourceSpans {
                resource: Some(content::resource(&resource)),
                scope_spans: vec![ScopeSpans {
                    scope: Some(content::scope(&scope)),
                    spans: Vec::new(),
                    schema_url: scope.schema_url().to_owned(),
                }],
                schema_url: resource.schema_url().to_owned(),
            };
            group.encode_to_vec().into()
        });
        Rc::clone(context)
    }
}
