//! The traces of all batches, asked for from memory before they are written.

use std::collections::VecDeque;
use std::ops::Range;

use vivace_model::TraceId;

use super::merge::{Fragment, Merge};
use super::source::Source;

/// Traces between the one that is written and the one that is found: with each step one more of the things that lead to each
/// other is asked for (columns, attributes, numbers of texts).
const STEPS: usize = 3;

/// Spans of a trace that are asked for at once. There are no pauses meanwhile, and what is asked for too early is gone again.
const SPANS_MAX: usize = 128;

/// Traces by id. Each lies in other batches than the one before, so each would wait for memory at every column.
pub(crate) struct Ahead<'s, 'b> {
    sources: &'s [Source<'b>],
    merge: Merge,
    /// The traces that come next, the nearest first.
    found: VecDeque<(TraceId, Vec<Fragment>)>,
    /// A used one.
    spare: Vec<Fragment>,
}

impl<'s, 'b> Ahead<'s, 'b> {
    pub(crate) fn new(sources: &'s [Source<'b>]) -> Self {
        Self {
            sources,
            merge: Merge::new(sources),
            found: VecDeque::with_capacity(STEPS + 1),
            spare: Vec::new(),
        }
    }

    /// The next trace; `fragments` becomes what there is of it, by batch.
    pub(crate) fn next(&mut self, fragments: &mut Vec<Fragment>) -> Option<TraceId> {
        while self.found.len() <= STEPS {
            let mut fragments = std::mem::take(&mut self.spare);
            let Some(id) = self.merge.next(self.sources, &mut fragments) else {
                break;
            };
            self.each(&fragments, |source, rows| source.view.prefetch_spans(rows));
            self.found.push_back((id, fragments));
        }
        let (id, next) = self.found.pop_front()?;
        self.spare = std::mem::replace(fragments, next);
        if let Some((_, fragments)) = self.found.get(1) {
            self.each(fragments, Source::prefetch_attributes);
        }
        if let Some((_, fragments)) = self.found.front() {
            self.each(fragments, Source::prefetch_numbers);
        }
        Some(id)
    }

    /// Asks for the first spans of a trace, fragment by fragment.
    fn each(&self, fragments: &[Fragment], ask: impl Fn(&Source<'b>, &Range<usize>)) {
        let mut left = SPANS_MAX;
        for Fragment { batch, rows } in fragments {
            let some = rows.start..rows.end.min(rows.start + left);
            left -= some.len();
            ask(&self.sources[*batch as usize], &some);
            if left == 0 {
                return;
            }
        }
    }
}
