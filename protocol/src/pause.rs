//! Letting others run during long work, without knowing what runs us.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Steps between two pauses: some 50 us of work when a step is a span.
const STEPS_PER_PAUSE: u32 = 64;

/// Counts steps, and calls what it was given every few of them.
pub(crate) struct Pause<F> {
    pause: F,
    steps: u32,
}

impl<F: AsyncFn()> Pause<F> {
    pub fn new(pause: F) -> Self {
        Self { pause, steps: 0 }
    }

    pub async fn step(&mut self) {
        self.steps += 1;
        if self.steps >= STEPS_PER_PAUSE {
            self.steps = 0;
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
