//! Giving way to others in the middle of long work.

use std::future::poll_fn;
use std::task::Poll;

use crate::context;
use crate::limits::BREATH;

/// Gives way if this poll has used up its turn, else returns at once. Loops that compute call it
/// at least every 200 us; it costs one look at the clock.
pub async fn breathe() {
    if context::with(|shard| shard.out_of_breath(BREATH)) {
        yield_now().await;
    }
}

/// Lets every other runnable task of the same class have a turn.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
