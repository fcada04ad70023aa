//! The traces of all batches, asked for from memory before they are written.

use std::collections::VecDeque;

use vivace_model::TraceId;

use super::merge::{Fragment, Merge};
use super::source::Source;

/// Traces between the one that is written and the one that is found: with each step one more of the things that lead to each
/// other is asked for (columns, attributes, numbers of texts).
const STEPS: usize = 3;

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
            for Fragment { batch, rows } in &fragments {
                self.sources[*batch as usize].view.prefetch_spans(rows);
            }
            self.found.push_back((id, fragments));
        }
        let (id, next) = self.found.pop_front()?;
        self.spare = std::mem::replace(fragments, next);
        self.each(1, |source, rows| source.prefetch_attributes(rows));
        self.each(0, |source, rows| source.prefetch_numbers(rows));
        Some(id)
    }

    /// Does that for each fragment of the trace so many places behind the one that is written.
    fn each(&self, place: usize, ask: impl Fn(&Source<'b>, &std::ops::Range<usize>)) {
        for Fragment { batch, rows } in self.found.get(place).iter().flat_map(|found| &found.1) {
            ask(&self.sources[*batch as usize], rows);
        }
    }
}
