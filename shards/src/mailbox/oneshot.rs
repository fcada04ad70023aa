//! A channel for exactly one message: the answer to a request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot as cell;

/// The side of a one-shot channel that answers, once.
pub struct Reply<T>(cell::Sender<T>);

/// The side that waits for the answer.
#[must_use = "a Promise does nothing until awaited"]
pub struct Promise<T>(cell::Receiver<T>);

/// The answering side was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side went away without an answer")]
pub struct Dropped;

/// A channel for exactly one message.
pub fn oneshot<T>() -> (Reply<T>, Promise<T>) {
    let (tx, rx) = cell::channel();
    (Reply(tx), Promise(rx))
}

impl<T> Reply<T> {
    /// Answers. Gives the message back if nobody waits any more.
    pub fn send(self, message: T) -> Result<(), T> {
        self.0.send(message)
    }

    /// Whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Works for the answer as long as somebody waits for it: the work is dropped when the other side is. None: nobody waits.
    pub async fn work<W: Future>(&mut self, work: W) -> Option<W::Output> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| {
            if self.0.poll_closed(cx).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Dropped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| Dropped)
    }
}
