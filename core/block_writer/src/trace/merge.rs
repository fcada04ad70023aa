//! All batches at once, trace by trace.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use vivace_model::TraceId;

use super::source::Source;

/// Rows of one trace in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) batch: u32,
    pub(crate) rows: Range<usize>,
}

/// The next trace of each batch, the least id first; of equal ids the earlier batch first.
pub(crate) struct Merge {
    next: BinaryHeap<Reverse<(TraceId, u32, u32)>>,
}

impl Merge {
    pub(crate) fn new(sources: &[Source<'_>]) -> Self {
        let first = |(batch, source): (usize, &Source<'_>)| {
            Reverse((source.view.trace_run(0).0, batch as u32, 0))
        };
        Self {
            next: sources.iter().enumerate().map(first).collect(),
        }
    }

    /// The next trace; `fragments` becomes what there is of it, by batch.
    pub(crate) fn next(
        &mut self,
        sources: &[Source<'_>],
        fragments: &mut Vec<Fragment>,
    ) -> Option<TraceId> {
        fragments.clear();
        let id = self.next.peek()?.0.0;
        while let Some(mut top) = self.next.peek_mut()
            && top.0.0 == id
        {
            let Reverse((_, batch, run)) = *top;
            let view = sources[batch as usize].view;
            fragments.push(Fragment {
                batch,
                rows: view.trace_run(run as usize).1,
            });
            if run as usize + 1 < view.trace_count() {
                let next = view.trace_run(run as usize + 1).0;
                *top = Reverse((next, batch, run + 1));
            } else {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
        Some(id)
    }
}
