//! Giving way to others in the middle of long work.

use std::future::poll_fn;
use std::task::Poll;

use super::Place;
use crate::context;
use crate::limits::BREATH;

/// Gives way if this poll has used up its turn, else returns at once. Loops that compute call it
/// at least every 200 us; it costs one look at the clock.
pub async fn breathe() {
    give_way(Place::Long).await;
}

/// The same in the middle of work that others wait for and that is short, such as acknowledging what is durable: it is not queued
/// behind long work.
pub async fn breathe_short() {
    give_way(Place::Short).await;
}

async fn give_way(place: Place) {
    let is_due = context::with(|shard| {
        let is_due = shard.out_of_breath(BREATH);
        if is_due {
            shard.place.set(place);
        }
        is_due
    });
    if is_due {
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
