//! Letting others run while columns are made.

use std::ops::Range;

/// Cells made between two pauses: some 50 us of work.
pub(super) const CELLS_PER_PAUSE: usize = 20_000;

/// Counts cells, and calls what it was given when there were enough.
pub(super) struct Pause<P> {
    pause: P,
    cells: usize,
}

impl<P: AsyncFn()> Pause<P> {
    pub(super) fn new(pause: P) -> Self {
        Self { pause, cells: 0 }
    }

    /// After so many cells, or as much work.
    pub(super) async fn after(&mut self, cells: usize) {
        self.cells += cells;
        if self.cells >= CELLS_PER_PAUSE {
            self.cells = 0;
            (self.pause)().await;
        }
    }
}

/// Numbers up to `len` in parts, between which to pause.
pub(super) fn parts(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(CELLS_PER_PAUSE)
        .map(move |start| start..(start + CELLS_PER_PAUSE).min(len))
}

/// One cell for each number up to `len`.
pub(super) async fn dense<P: AsyncFn()>(
    len: usize,
    pause: &mut Pause<P>,
    bits: impl Fn(usize) -> u64,
) -> Vec<u64> {
    let mut all = Vec::with_capacity(len);
    for part in parts(len) {
        let count = part.len();
        all.extend(part.map(&bits));
        pause.after(count).await;
    }
    all
}
