//! Running a handler: in its class, and with its panics caught.
//!
//! A panic in a request is answered (500, or gRPC Internal), counted and logged, and goes no further: the request was made of a
//! client's bytes, and a client must not be able to take the process down with one. Everything a handler shares
//! with others must therefore be consistent at each await and each call that can panic; state behind `RefCell` is, as its guards are released.
//! Panics outside of requests are the runtime's business, which ends the process.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::metrics;
use crate::{Class, spawn};

/// The handler panicked; what it said is in the log.
#[derive(Debug)]
pub(crate) struct HandlerPanicked;

/// Runs `fut` here if it has the class of its caller, else as a task of its own. Dropping the result cancels it.
pub(crate) async fn run<F>(
    fut: F,
    class: Class,
    current: Class,
) -> Result<F::Output, HandlerPanicked>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let caught = AssertUnwindSafe(fut).catch_unwind();
    let result = if class == current {
        caught.await
    } else {
        spawn(class, caught).await
    };
    result.map_err(|payload| {
        let said = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(panic = said, "a request handler panicked");
        HandlerPanicked
    })
}

/// Counts a panic by route.
pub(crate) fn count_panic(route: &str) {
    metrics::panics().with_label_values(&[route]).inc();
}
