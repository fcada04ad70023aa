//! Letting others run during long work, without knowing what runs us.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Spans handled between two pauses: some 50 us of work.
const SPANS_PER_PAUSE: u32 = 64;

/// Counts spans, and calls what it was given every few of them.
pub(crate) struct Pause<F> {
    pause: F,
    spans: u32,
}

impl<F: AsyncFn()> Pause<F> {
    pub fn new(pause: F) -> Self {
        Self { pause, spans: 0 }
    }

    pub async fn after_span(&mut self) {
        self.spans += 1;
        if self.spans >= SPANS_PER_PAUSE {
            self.spans = 0;
            (self.pause)().await;
        }
    }
}

/// Runs a future that waits for nothing but pauses which are always ready.
pub(crate) fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}
