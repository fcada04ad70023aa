//! Letting others run during long work, without knowing what runs us.

use crate::limits::SPANS_PER_PAUSE;

/// Counts steps, and calls what it was given every few of them.
pub(crate) struct Pause<F> {
    pause: F,
    steps: u32,
}

impl<F: AsyncFn()> Pause<F> {
    pub(crate) fn new(pause: F) -> Self {
        Self { pause, steps: 0 }
    }

    /// After work of the size of a span.
    pub(crate) async fn step(&mut self) {
        self.steps += 1;
        if self.steps >= SPANS_PER_PAUSE {
            self.now().await;
        }
    }

    /// After a page, or as much work.
    pub(crate) async fn now(&mut self) {
        self.steps = 0;
        (self.pause)().await;
    }
}
