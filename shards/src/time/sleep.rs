//! Sleeping and timeouts.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::clock::Instant;
use super::timers::Key;
use crate::context::{self, Shard};

/// A future that resolves at its deadline. On real shards with a granularity of a millisecond,
/// never early.
#[must_use = "a Sleep does nothing until awaited"]
pub struct Sleep {
    deadline: Instant,
    registered: Option<(Rc<Shard>, Key)>,
}

impl Sleep {
    /// When it resolves.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Moves the deadline; the sleep may have resolved already.
    pub fn reset(&mut self, deadline: Instant) {
        self.unregister();
        self.deadline = deadline;
    }

    fn unregister(&mut self) {
        if let Some((shard, key)) = self.registered.take() {
            let waker = shard.timers.borrow_mut().remove(key);
            drop(waker);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shard = match &this.registered {
            Some((shard, _)) => shard.clone(),
            None => context::current(),
        };
        if shard.clock.now_nanos() >= this.deadline.as_nanos() {
            this.unregister();
            return Poll::Ready(());
        }
        if let Some((_, key)) = &this.registered
            && shard.timers.borrow_mut().update(*key, cx.waker())
        {
            return Poll::Pending;
        }
        let deadline = this.deadline.as_nanos();
        let key = shard
            .timers
            .borrow_mut()
            .insert(deadline, cx.waker().clone());
        this.registered = Some((shard, key));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// Resolves after `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now() + duration)
}

/// Resolves at `deadline`, at once if that is past.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline,
        registered: None,
    }
}

/// The time given to [`timeout`] passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deadline has elapsed")]
pub struct Elapsed;

/// Gives `fut` at most `duration`, then drops it. A result that is ready in time wins.
pub async fn timeout<F: Future>(duration: Duration, fut: F) -> Result<F::Output, Elapsed> {
    let mut fut = pin!(fut);
    let mut sleep = sleep(duration);
    poll_fn(|cx| {
        if let Poll::Ready(output) = fut.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}
