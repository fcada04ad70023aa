//! Hints to the CPU about what will be read soon. Batches that are read trace by trace, from many batches in turn, miss the
//! caches at nearly every column; asked for a trace ahead, the bytes are there when it is their turn.

use std::ops::Range;

use super::column::{Column, Scalar};
use super::{OwnedAttributes, View};

/// Bytes of a cache line.
const LINE: usize = 64;
/// Lines of one column that are asked for at once; what is behind them the CPU's own prefetcher finds.
const LINES_MAX: usize = 16;

/// Asks for the line of a value. Nothing is read, nothing changes, and a CPU may ignore it.
#[inline(always)]
#[allow(unsafe_code, reason = "prefetch instructions take pointers")]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch does not read for the program and does not fault, whatever the address; this one is a reference's.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

impl<T: Scalar> Column<'_, T> {
    /// Asks for the values of these rows, as far as there are any.
    #[inline]
    pub(crate) fn prefetch(&self, rows: &Range<usize>) {
        let bytes = self.as_bytes();
        let end = (rows.end * T::SIZE).min(bytes.len());
        let lines = (rows.start * T::SIZE..end).step_by(LINE).take(LINES_MAX);
        lines.for_each(|at| prefetch(&bytes[at]));
        // Rows seldom begin at the beginning of a line.
        if let Some(last) = end.checked_sub(1) {
            prefetch(&bytes[last]);
        }
    }
}

impl View<'_> {
    /// Asks for what spans have one of, and for where their attributes are.
    pub fn prefetch_spans(&self, rows: &Range<usize>) {
        self.start_unix_nano.prefetch(rows);
        self.duration_nano.prefetch(rows);
        self.span_id.prefetch(rows);
        self.parent_span_id.prefetch(rows);
        for column in [
            &self.name,
            &self.resource,
            &self.scope,
            &self.status_message,
            &self.trace_state,
            &self.dropped_attributes,
            &self.dropped_events,
            &self.dropped_links,
            &self.attributes.starts(),
            &self.events.starts,
            &self.links.starts,
        ] {
            column.prefetch(rows);
        }
        self.kind.prefetch(rows);
        self.status_code.prefetch(rows);
    }
}

impl OwnedAttributes<'_> {
    /// Asks for the attributes of these owners. Reads where they are, so that should be near already.
    pub fn prefetch(&self, owners: &Range<usize>) {
        let start = |owner| self.starts().get(owner) as usize;
        let attributes = start(owners.start)..start(owners.end);
        self.keys().prefetch(&attributes);
        self.values().prefetch(&attributes);
    }
}
